//! What a custodian that keeps a master key signs.

use std::time::Duration;

use crate::support::forge::cbor;
use crate::support::two_hospitals::{DAY, NOW, World};
use chartseal::consent::{Custodian, Decline, MasterKeyCustodian};
use chartseal::pin::PinStore;
use chartseal::{Error, Secret};
use pollster::block_on;

#[test]
fn a_master_key_custodian_signs_mandated_consents_and_heads_and_nothing_else() {
    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let keeper = MasterKeyCustodian::new("keeper".parse().unwrap(), &Secret::build(|key: &mut [u8; 32]| key.fill(9)));
    let keeper = keeper.unwrap();
    let devices = world.owner.devices();
    let builder = world.consent().custodian(keeper.public()).unwrap();
    let (stored, access) = builder.read(&world.trust, world.olave.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    let until = NOW.plus(Duration::from_secs(9 * DAY));
    let mandate = world.phone.mandate((devices, &access), keeper.public(), until, NOW).unwrap();

    let builder = mandate.consent_elsewhere(devices).unwrap().after(&access).unwrap();
    let draft = builder.same_terms(&world.trust).unwrap().draft(NOW).unwrap();
    let consent = draft.message().unwrap();
    let (mandated, _) = draft.finish(block_on(keeper.sign(&consent)).unwrap()).unwrap();
    let live = mandated.verify(devices, access.compartment(), &PinStore::default(), NOW).unwrap();
    let draft = live.custodian_head_elsewhere(keeper.public(), NOW).unwrap();
    let head = draft.message().unwrap();
    assert!(draft.finish(block_on(keeper.sign(&head)).unwrap()).is_ok());

    // Well formed, and no custodian's: he would speak for the owner's device, or for a member of staff.
    let own = world.phone.head(&world.verify(&stored).unwrap(), NOW).unwrap();
    let ada = (&ada.identity, &ada.shown);
    let decline = Decline::decline(ada, world.owner.id(), access.compartment(), NOW).unwrap();
    let said = |label: &str, statement: Vec<u8>| [label.as_bytes(), &statement].concat();
    for (what, message) in [
        ("a consent of a device", said("chartseal-1 sign consent: ", cbor(stored.consent().unverified()))),
        ("a head of a device", said("chartseal-1 sign head: ", cbor(own.unverified()))),
        ("a decline", said("chartseal-1 sign decline: ", cbor(decline.unverified()))),
        ("a mandate", said("chartseal-1 sign mandate: ", cbor(mandate.unverified()))),
        ("a consent under another label", said("chartseal-1 sign content: ", consent[26..].to_vec())),
        ("a head under the label of a consent", said("chartseal-1 sign consent: ", head[23..].to_vec())),
        ("a consent and more", [&consent[..], &[0]].concat()),
        ("a part of a consent", consent[..consent.len() - 1].to_vec()),
        ("the label of contents", b"chartseal-1 sign content: ".to_vec()),
        ("the label of referrals", b"chartseal-1 sign referral: ".to_vec()),
        ("the label of consents", b"chartseal-1 sign consent: ".to_vec()),
        ("a transfer", b"wire money: ".to_vec()),
        ("nothing", Vec::new()),
    ] {
        assert_eq!(block_on(keeper.sign(&message)).err(), Some(Error::NotAllowed), "{what}");
    }
}

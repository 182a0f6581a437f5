//! What hostile bytes can make the decoders of signed objects allocate, while nothing is verified yet: a bounded multiple
//! of what was sent, and next to nothing for a length that is only claimed.

use chartseal::authority::{Bulletin, Credential, Issued, PeopleMap, RevocationList};
use chartseal::consent::{DeviceList, Head, MAX_CONSENT, StoredConsent};
use chartseal::identity::{PublicIdentity, Signed};
use chartseal::pin::PinStore;

use crate::allocator::peak;
use crate::support::two_hospitals::{NOW, World};

/// Every place at which a length stands, with the largest length there is in its stead.
fn boasts(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).filter(|&at| (0x40..=0xa0).contains(&(bytes[at] & 0xe0))).map(|at| {
        let kind = bytes[at] & 0xe0;
        [&bytes[..at], &[kind | 0x1b], &[0x0f; 8], &bytes[at + 1..]].concat()
    })
}

#[test]
fn no_bytes_make_a_decoder_allocate_beyond_a_multiple_of_their_length() {
    // The count itself works.
    assert!(peak(|| drop(vec![1_u8; 1 << 20])) >= 1 << 20);

    let mut world = World::new();
    let ada = world.at_olave("dr-ada", "role:doctor");
    let issued = world.olave.issue(ada.identity.id(), &"role:doctor".parse().unwrap(), NOW, NOW, NOW).unwrap();
    let bulletin = world.olave.publish(NOW).unwrap();
    let (stored, _) = world.sealed("role:doctor");
    let live = world.verify(&stored).unwrap();
    let head = world.phone.head(&live, NOW).unwrap();
    world.verify(&stored).unwrap();
    stored.verify(world.owner.devices(), live.compartment(), &world.pins, NOW).unwrap();

    // A length that the bytes do not bear out.
    let mut tried = 0;
    let mut claims = |bytes: Vec<u8>, read: &dyn Fn(&[u8]) -> bool| {
        for boast in boasts(&bytes) {
            tried += 1;
            let peak = peak(|| assert!(!read(&boast)));
            assert!(peak <= (4 << 20) + 16 * boast.len(), "{peak} bytes for {}", boast.len());
        }
    };
    claims(issued.credential.to_cbor().unwrap(), &|bytes| Credential::from_cbor(bytes).is_ok());
    claims(issued.to_cbor().unwrap(), &|bytes| Issued::from_cbor(bytes).is_ok());
    claims(bulletin.to_cbor().unwrap(), &|bytes| Bulletin::from_cbor(bytes).is_ok());
    let enrolment = ada.identity.enrol().unwrap().to_cbor().unwrap();
    claims(enrolment, &|bytes| Signed::<PublicIdentity>::from_cbor(bytes).is_ok());
    claims(world.owner.list().to_cbor().unwrap(), &|bytes| DeviceList::from_cbor(bytes).is_ok());
    claims(head.to_cbor().unwrap(), &|bytes| Head::from_cbor(bytes).is_ok());
    claims(stored.to_cbor().unwrap(), &|bytes| StoredConsent::from_cbor(bytes).is_ok());
    claims(world.pins.to_cbor().unwrap(), &|bytes| PinStore::from_cbor(bytes).is_ok());
    assert!(tried > 300, "{tried}");

    // As many things as fit into the limit, each as small as can be.
    let cbor = stored.to_cbor().unwrap();
    let slots = cbor.windows(6).rposition(|at| at == b"\x65slots").unwrap() + 6;
    let count = MAX_CONSENT - slots - 5;
    let head = [&cbor[..slots], &[0x9a], &u32::try_from(count).unwrap().to_be_bytes()].concat();
    let many = [head, vec![0x40; count]].concat();
    let held = peak(|| assert!(StoredConsent::from_cbor(&many).is_err()));
    assert!(held > many.len() && held <= 64 * many.len(), "{held}");
    let json = stored.to_json().unwrap();
    let json = json[..=json.rfind('[').unwrap()].to_owned();
    let many = format!("{json}\"\"{}]}}", ",\"\"".repeat((2 * MAX_CONSENT - json.len() - 4) / 3));
    let held = peak(|| assert!(StoredConsent::from_json(&many).is_err()));
    assert!(held > many.len() && held <= 64 * many.len(), "{held}");

    // The largest objects, in a size that a test can afford: the cost grows with the length.
    let unsigned = "\"signature\":\"";
    let ending = format!("{unsigned}{}\"}}", "A".repeat(86));
    let of =
        |list: &str| format!("{{\"statement\":{{\"authority\":\"a\",\"version\":1,\"issued_at\":1,{list}}},{ending}");
    let people: Vec<_> = (1..=100_000).map(|n| format!("\"{n:x}\":{n}")).collect();
    let people = of(&format!("\"people\":{{{}}}", people.join(",")));
    let held = peak(|| assert!(Signed::<PeopleMap>::from_json(&people).is_ok()));
    assert!(held <= 32 * people.len(), "{held} for {}", people.len());
    let cbor = Signed::<PeopleMap>::from_json(&people).unwrap().to_cbor().unwrap();
    let held = peak(|| assert!(Signed::<PeopleMap>::from_cbor(&cbor).is_ok()));
    assert!(held <= 16 * cbor.len(), "{held} for {}", cbor.len());
    let entry = format!(
        "{{\"person\":\"a\",\"number\":1,\"signing\":\"{}\",\"since\":1,\"reason\":\"ended\"}}",
        "A".repeat(43)
    );
    let list = of(&format!("\"revoked\":[{}]", vec![entry; 10_000].join(",")));
    let held = peak(|| assert!(Signed::<RevocationList>::from_json(&list).is_ok()));
    assert!(held <= 32 * list.len(), "{held} for {}", list.len());
}

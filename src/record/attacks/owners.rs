//! One reader who has the accesses of several patients at hand.

use super::*;

/// The other patient's compartment has the same name, and her consent a higher version.
#[test]
fn what_is_amended_stays_under_its_own_patients_key() {
    let world = world();
    let (bob, tablet) = Owner::generate_with_device(DeviceId::new("tablet").unwrap(), NOW).unwrap();
    let authority = world.ada.1.credential.unverified().authority.clone();
    let consent = tablet.consent(bob.devices(), "cardiology".parse().unwrap());
    let (_, first) = consent.write(&world.trust, &authority, "role:doctor").unwrap().seal(NOW).unwrap();
    let (_, bobs, _) = tablet.sharing(bob.devices(), &world.trust, &first).rotate().unwrap().seal(NOW).unwrap();
    let before = world.sealed("r", "I21.4");
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    for accesses in [[&world.access, &bobs], [&bobs, &world.access]] {
        let amendment = reader.amend(&before, &accesses).unwrap().field("/diagnosis", "I21.9").unwrap();
        let next = amendment.seal(&world.author(&world.ada), NOW).unwrap();
        assert_eq!(next.key_id(&"cardiology".parse().unwrap()), Some(world.access.key_id()));
        let view = world.open(&next).unwrap();
        assert_eq!(view.get("/diagnosis").unwrap(), Some(&b"I21.9"[..]));
        // What Bob's phone computes with his key.
        let dek = next.parts[0].wrap.open(&bobs, &next.content);
        assert!(dek.is_err());
    }
}

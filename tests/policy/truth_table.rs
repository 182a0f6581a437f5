//! A capsule opens for exactly those whose attributes satisfy the policy as a boolean formula, and gives every one of
//! them the same key.

use std::sync::LazyLock;

use crate::support::policies::{arb_attributes, arb_policy, authority, cases};
use chartseal::Error;
use chartseal::kem::{self, MasterKey, PublicParameters, RealmKey, UserKey};
use chartseal::policy::Attributes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

struct Staff {
    public: PublicParameters,
    realm: RealmKey,
    keys: Vec<(Attributes, UserKey, UserKey)>,
}

/// Keys cost more than capsules: they are issued once, and each policy meets some of them.
static STAFF: LazyLock<Staff> = LazyLock::new(|| {
    let (public, master): (PublicParameters, MasterKey) = kem::setup(authority()).unwrap();
    let realm = RealmKey::generate().unwrap();
    let mut runner = TestRunner::deterministic();
    let keys = (0..48)
        .map(|_| {
            let attributes = arb_attributes().new_tree(&mut runner).unwrap().current();
            let key = kem::issue(&master, &attributes).unwrap();
            let blinded = kem::issue_blinded(&master, &attributes, &realm).unwrap();
            (attributes, key, blinded)
        })
        .collect();
    Staff { public, realm, keys }
});

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_capsule_opens_exactly_where_the_formula_holds(policy in arb_policy(), start in 0..48usize, blinded: bool) {
        let staff = &*STAFF;
        let tree = if blinded {
            staff.public.expand_blinded(&policy, &staff.realm).unwrap()
        } else {
            staff.public.expand(&policy).unwrap()
        };
        let (capsule, shared) = kem::encapsulate(&staff.public, &tree, b"context").unwrap();
        for (attributes, plain_key, blinded_key) in staff.keys.iter().cycle().skip(start).step_by(5).take(9) {
            let (key, other) = if blinded { (blinded_key, plain_key) } else { (plain_key, blinded_key) };
            match kem::decapsulate(key, &tree, b"context", &capsule) {
                Ok(opened) => {
                    prop_assert!(policy.satisfied_by(attributes), "{policy} opened to {attributes}");
                    prop_assert!(opened.ct_eq(&shared));
                }
                Err(error) => {
                    prop_assert!(!policy.satisfied_by(attributes), "{policy} stayed closed to {attributes}");
                    prop_assert_eq!(error, Error::CannotOpen);
                }
            }
            // A key under the other labels never opens.
            prop_assert!(kem::decapsulate(other, &tree, b"context", &capsule).is_err());
        }
    }
}

//! No branch and no address depends on a secret: the tests mark secrets as undefined, and memcheck reports what depends on
//! them (Langley's ctgrind). They say something only under valgrind, with what the compiler makes of the release build:
//! `.ci/memcheck` runs them there. Elsewhere they only do the work.
//!
//! What may be known of a secret is said where it is found out (`pairing::known`); what the curve library finds out by
//! itself stands in `.ci/memcheck.supp`, each with its reason.

use std::hint::black_box;

use super::{Error, MasterKey, PublicParameters, UserKey, danger, decapsulate};
use crate::pairing::memcheck;
use crate::policy::AccessTree;

const POLICY: &str = "2 of (role:doctor, dept:icu, ward:7) or (role:doctor and clearance >= 3)";
const ATTRIBUTES: &str = "role:doctor, ward:7, clearance = 2";
const CONTEXT: &[u8] = b"owner alice, compartment 7, version 1";

/// How often memcheck has something to say of this, none outside of valgrind.
fn reports<T>(work: impl FnOnce() -> T) -> usize {
    // Only one who calls for it here wants to be told that there was none.
    assert!(std::env::var_os("CHARTSEAL_MEMCHECK").is_none() || memcheck::is_running(), "not under valgrind");
    let before = memcheck::errors();
    black_box(work());
    memcheck::errors() - before
}

fn setup() -> (PublicParameters, MasterKey, AccessTree) {
    let (public, master) = danger::setup_from_seed("st-olave".parse().unwrap(), &[1; 64]).unwrap();
    let tree = public.expand(&POLICY.parse().unwrap()).unwrap();
    (public, master, tree)
}

/// With the master key and the randomness as secrets.
fn issue(master: &MasterKey, seed: &[u8; 64]) -> UserKey {
    let (seed, attributes) = (*black_box(seed), ATTRIBUTES.parse().unwrap());
    memcheck::secret(&seed);
    memcheck::secret(master.secret_for_attack());
    danger::issue_from_seed(master, &attributes, &seed).unwrap()
}

#[test]
fn issuing_branches_on_no_secret() {
    let (_, master, _) = setup();
    // Cold, and with tables of hot attributes.
    for seed in [2, 3, 4, 5, 6, 7, 8] {
        assert_eq!(reports(|| issue(&master, &[seed; 64])), 0);
    }
}

#[test]
fn encapsulating_branches_on_no_secret() {
    let (public, _, tree) = setup();
    for first in [2, 3, 4, 5, 6, 7, 8] {
        let message = black_box([first; 32]);
        memcheck::secret(&message);
        assert_eq!(reports(|| danger::encapsulate_message(&public, &tree, CONTEXT, &message)), 0);
    }
}

#[test]
fn decapsulating_branches_on_no_secret_but_whether_it_opens() {
    let (public, master, tree) = setup();
    let key = danger::issue_from_seed(&master, &ATTRIBUTES.parse().unwrap(), &[2; 64]).unwrap();
    let (capsule, _) = danger::encapsulate_message(&public, &tree, CONTEXT, &[3; 32]);
    let altered = danger::encapsulate_message(&public, &tree, b"another context", &[3; 32]).0;
    let points = key.points();
    memcheck::secret(&points.sk1);
    memcheck::secret(points.sk2.as_slice());
    memcheck::secret(&points.sk3);
    for _ in 0..6 {
        assert_eq!(reports(|| assert!(decapsulate(&key, &tree, CONTEXT, &capsule).is_ok())), 0);
        let refused = || assert_eq!(decapsulate(&key, &tree, CONTEXT, &altered).err(), Some(Error::CannotOpen));
        assert_eq!(reports(refused), 0);
    }
}

/// The negative control: each kind of leak that the others look for.
#[test]
fn the_harness_sees_a_branch_and_an_address_that_depend_on_a_secret() {
    let secret = black_box([5_u8; 64]);
    memcheck::secret(&secret);
    #[inline(never)]
    fn branches(secret: &[u8; 64]) -> u32 {
        if black_box(secret[7]) & 1 == 1 { black_box(1) } else { black_box(2) }
    }
    #[inline(never)]
    fn looks_up(secret: &[u8; 64]) -> u8 {
        black_box(black_box([3_u8; 256])[usize::from(secret[9])])
    }
    let expected = usize::from(memcheck::is_running());
    assert_eq!(reports(|| branches(&secret)).min(1), expected);
    assert_eq!(reports(|| looks_up(&secret)).min(1), expected);
    // Of the real thing: points of a key that was issued.
    let (_, master, _) = setup();
    let (one, two) = (issue(&master, &[2; 64]), issue(&master, &[3; 64]));
    assert_eq!(reports(|| assert!(one.points().sk1 != two.points().sk1)).min(1), expected);
}

//! Replays `tests/vectors/credential/*.txt`: statements that another implementation must believe, or refuse, as we do.
//!
//! A file is lines of `header: value`. Objects are canonical CBOR in hexadecimal: `anchor`, then any of `parameters`,
//! `revocations`, `people`, `credential` and `issued`, taken in this order by a verifier without a memory, at the time
//! `at` (seconds), whose limit for the age of a revocation list is 365 days. `identity` is the secret bytes of the holder to whom `issued` goes. `expect` is `ok`, or what the
//! first refusal is: `malformed`, `untrusted`, `forged`, `expired`, `revoked`, `unknown`, `cannot open`. With `ok` and a
//! credential, `shown` is its attributes and `since` the time of a later revocation; `json` is its other form. With `ok`
//! and an issued key, `leaves` counts the attributes of the user key.

use std::time::Duration;

use crate::generate::if_asked;
use crate::support::case::{Case, unhex};
use chartseal::Error;
use chartseal::authority::{Anchor, Credential, Issued, Standing, Trust};
use chartseal::id::Time;
use chartseal::identity::{Identity, Signed};
use chartseal::pin::PinStore;

#[test]
fn every_vector_ends_as_it_says() {
    if_asked(crate::generate::credential::write_all);
    let (mut ok, mut refused) = (0, 0);
    for mut case in Case::all("credential") {
        case.text("comment");
        let expected = case.text("expect");
        let at = Time::from_secs(case.text("at").parse().unwrap()).unwrap();
        let outcome = match replay(&mut case, at) {
            Ok(()) => "ok",
            Err(Error::Malformed(_)) => "malformed",
            Err(Error::Untrusted(_)) => "untrusted",
            Err(Error::Forged(_)) => "forged",
            Err(Error::Expired(_)) => "expired",
            Err(Error::Revoked(_)) => "revoked",
            Err(Error::Unknown(_)) => "unknown",
            Err(Error::CannotOpen) => "cannot open",
            Err(other) => panic!("{}: {other}", case.name),
        };
        assert_eq!(outcome, expected, "{}", case.name);
        if outcome == "ok" {
            ok += 1;
            case.finish();
        } else {
            refused += 1;
            assert!(case.maybe("shown").is_none() && case.maybe("leaves").is_none(), "{}", case.name);
        }
    }
    assert!(ok >= 5 && refused >= 25, "{ok} accepted, {refused} refused");
}

fn replay(case: &mut Case, at: Time) -> chartseal::Result<()> {
    let (mut trust, mut pins) = (Trust::new(Duration::from_secs(365 * 86_400)), PinStore::default());
    trust.add(Anchor::from_cbor(&case.bytes("anchor"))?)?;
    let next = |case: &mut Case, header| case.maybe(header).map(|text| unhex(&text));
    if let Some(bytes) = next(case, "parameters") {
        trust.update_parameters(&Signed::from_cbor(&bytes)?, &mut pins, at)?;
    }
    if let Some(bytes) = next(case, "revocations") {
        trust.update_revocations(&Signed::from_cbor(&bytes)?, &mut pins, at)?;
    }
    if let Some(bytes) = next(case, "people") {
        trust.update_people(&Signed::from_cbor(&bytes)?, &mut pins, at)?;
    }
    if let Some(bytes) = next(case, "credential") {
        let credential = Credential::from_cbor(&bytes)?;
        if let Some(json) = case.maybe("json") {
            assert_eq!(Credential::from_json(&json)?, credential, "{}", case.name);
        }
        let shown = trust.credential(&credential, at)?;
        assert_eq!(shown.attributes().to_string(), case.text("shown"), "{}", case.name);
        let since = match shown.standing() {
            Standing::Good => None,
            Standing::RevokedSince(since) => Some(since.as_secs().to_string()),
        };
        assert_eq!(since, case.maybe("since"), "{}", case.name);
    }
    if let Some(bytes) = next(case, "issued") {
        let holder = Identity::decode(&case.bytes("identity"))?;
        let key = holder.accept(&Issued::from_cbor(&bytes)?, &trust, at)?;
        assert_eq!(key.leaves().len().to_string(), case.text("leaves"), "{}", case.name);
    }
    Ok(())
}

//! What is signed and kept for the events of a life: referrals, recovery, erasure, backups.

use std::sync::LazyLock;

use chartseal::Error;
use chartseal::backup::{self, BackupError};
use chartseal::consent::{Decline, DeviceList, Mandate, Referral, ReferralEnd, Veto};
use chartseal::id::Time;
use chartseal::owner::Erasure;
use chartseal::owner::recovery::{GuardianShare, Guardianship, RecoveryKey};
use chartseal::pin::PinStore;
use chartseal::store::{MemoryStore, Store};
use pollster::block_on;

use super::signed::read;
use super::{CLINIC, HOUSE, NOW, PEOPLE};

/// Each object has one CBOR encoding and comes back from both forms; what is believed was signed by whom it names; a backup
/// that is restored is written again as the same entries.
///
/// The lowest bit of the first byte says JSON, the others choose the object.
pub(crate) fn life(data: &[u8]) -> bool {
    let Some((first, data)) = data.split_first() else { return false };
    let json = first & 1 == 1;
    let from = HOUSE.trust.credential(&HOUSE.issued[0].credential, NOW).unwrap();
    let devices = CLINIC.root.devices();
    match first >> 1 {
        0 => {
            let mandate = read!(Mandate, json, data);
            assert!(mandate.accept(devices).is_err(), "nobody signed one");
        }
        1 => {
            let referral = read!(Referral, json, data);
            if referral.accept(&from, &HOUSE.trust, NOW).is_ok() {
                let said = referral.unverified();
                let (to, until) = (HOUSE.trust.credential(&said.to, NOW).unwrap(), (said.until, said.issued_at));
                let again = Referral::refer((&PEOPLE[0], &from), &said.owner, said.compartments.clone(), &to, until);
                assert_eq!(again.unwrap(), referral);
            }
        }
        2 => _ = read!(ReferralEnd, json, data).accept(&REFERRAL, &from),
        3 => {
            let decline = read!(Decline, json, data);
            if decline.accept(&from, NOW).is_ok() {
                let said = decline.unverified();
                let again =
                    Decline::decline((&PEOPLE[0], &from), &said.owner, &said.compartment, said.issued_at).unwrap();
                assert_eq!(again, decline);
            }
        }
        4 => {
            let veto = read!(Veto, json, data);
            assert!(veto.accept(devices, &CHANGED, &mut PinStore::default(), NOW).is_err(), "the root key signed it");
        }
        5 => {
            let erasure = read!(Erasure, json, data);
            let accepted = erasure.accept(devices, NOW).is_ok();
            let said = erasure.unverified();
            assert!(!accepted || CLINIC.root.erase(said.until, said.issued_at).unwrap() == erasure);
        }
        6 => {
            let list = read!(DeviceList, json, data);
            let accepted = list.accept(devices.owner(), &mut PinStore::default(), Time::MAX);
            assert!(accepted.is_ok_and(|devices| devices.owner() == CLINIC.root.id()) || list != *CHANGED);
        }
        7 => _ = read!(Guardianship, json, data),
        8 => {
            let Ok(share) = GuardianShare::decode(data) else { return false };
            assert_eq!(share.to_secret_bytes().unwrap().expose(), data);
            assert!(share.guardian().is_some());
        }
        9 => {
            let Some(key) = str::from_utf8(data).ok().and_then(|text| RecoveryKey::from_code(text).ok()) else {
                return false;
            };
            let again = RecoveryKey::from_code(key.code().expose()).expect("its own code");
            assert_eq!(again.public(), key.public());
        }
        _ => {
            let (store, mut stream) = (MemoryStore::new(), data);
            match block_on(backup::restore(&store, &mut stream)) {
                Ok(entries) => assert!(block_on(store.keys("", "", usize::MAX)).unwrap().len() as u64 <= entries),
                Err(BackupError::Data(Error::Malformed(_) | Error::UnknownVersion(_) | Error::TooLarge(_))) => {
                    return false;
                }
                Err(BackupError::Data(Error::Store(_))) => return false,
                Err(error) => panic!("{error}"),
            }
        }
    }
    true
}

/// By the first person to herself: the second is revoked.
pub(crate) static REFERRAL: LazyLock<Referral> = LazyLock::new(|| {
    let from = HOUSE.trust.credential(&HOUSE.issued[0].credential, NOW).unwrap();
    let section = ["surgery".parse().unwrap()];
    Referral::refer((&PEOPLE[0], &from), CLINIC.root.id(), section, &from, (NOW, NOW)).unwrap()
});

/// The list of the clinic's owner after a planned change of root key. It is another one in each run.
pub(crate) static CHANGED: LazyLock<DeviceList> = LazyLock::new(|| {
    let root = chartseal::owner::Owner::decode(CLINIC.root.to_secret_bytes().unwrap().expose()).unwrap();
    root.change_root(NOW).unwrap().list().clone()
});

//! What a host keeps beside records: the memory of readers, a ledger's entries, and the words of consents that were opened.

use std::sync::LazyLock;

use chartseal::consent::{Action, Terms};
use chartseal::ledger::Ledger;
use chartseal::pin::Pin;
use chartseal::policy::Attributes;
use chartseal::store::{MemoryStore, Op, Store};
use pollster::block_on;
use sha2::{Digest, Sha256};

use super::signed::CLINIC;

/// Terms have one encoding; and whom they exclude under an authority satisfies none of the policies that slots are made for.
pub(crate) fn terms(data: &[u8]) -> bool {
    let Ok(terms) = Terms::from_cbor(data) else { return false };
    assert_eq!(terms.to_cbor().expect("it can be written"), data);
    for reading in &terms.read {
        let Some(policy) = reading.sealed_policy(&terms.exclusions).expect("it was checked") else { continue };
        let from_here = terms.exclusions.iter().filter(|one| one.action != Action::Write);
        for number in from_here.filter_map(|one| one.numbers.get(&reading.authority)) {
            for member in ["role:doctor, dept:icu", "role:nurse, clearance = 3"] {
                let who: Attributes =
                    format!("{member}, user:#{}, valid-until = 2099-12", number.get()).parse().unwrap();
                assert!(!policy.satisfied_by(&who), "{policy} lets {who} in");
            }
        }
    }
    true
}

/// The first byte chooses: a row of pins, or the body of a ledger's entry, which is none or says of one compartment what it said
/// before. The checksum, which nobody finds by trying, is made here.
pub(crate) fn kept(data: &[u8]) -> bool {
    let Some((kind, bytes)) = data.split_first() else { return false };
    if kind & 1 == 0 {
        let Ok(pin) = Pin::from_cbor(bytes) else { return false };
        assert_eq!(pin.to_cbor().expect("it can be written"), bytes);
        return true;
    }
    let store = MemoryStore::new();
    let ledger = block_on(Ledger::create(&store)).expect("it is empty");
    let key = NOTED.0.clone();
    let length = u64::try_from(key.len()).expect("a key");
    let sum = Sha256::new().chain_update(length.to_be_bytes()).chain_update(&key).chain_update(bytes).finalize();
    let value = [MAGIC, &sum[..SUM], bytes].concat();
    block_on(store.apply(vec![Op::Put { key, value }])).unwrap();
    let (clinic, consent) = (&*CLINIC, &CLINIC.consents[0]);
    let section = &consent.consent().unverified().compartment;
    let Ok(newest) = block_on(ledger.newest(&clinic.owner, section)) else {
        assert!(block_on(ledger.advance(&clinic.live, consent)).is_err(), "what is damaged is not written over");
        return false;
    };
    // Whatever it says, the genuine consent is taken or refused, and the entry can be read after it.
    let taken = block_on(ledger.advance(&clinic.live, consent)).is_ok();
    let after = block_on(ledger.newest(&clinic.owner, section)).expect("it was read before");
    assert!(after == newest || (taken && after.as_ref() == Some(consent)));
    true
}

/// The key and the body of a genuine entry.
pub(crate) static NOTED: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let store = MemoryStore::new();
    let ledger = block_on(Ledger::create(&store)).expect("it is empty");
    block_on(ledger.advance(&CLINIC.live, &CLINIC.consents[0])).expect("it is genuine");
    let key = block_on(store.keys("ledger/", "", 1)).unwrap().remove(0);
    let entry = block_on(store.get(std::slice::from_ref(&key))).unwrap().remove(0).expect("it was written");
    (key, entry.value[MAGIC.len() + SUM..].to_vec())
});

const MAGIC: &[u8] = b"csl\x01";
const SUM: usize = 8;

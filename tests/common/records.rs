//! A record to try things on.

#![allow(dead_code, reason = "each test binary uses its own part")]

use chartseal::id::Generation;
use chartseal::record::{Record, RecordContext, SealedRecord};
use chartseal::seal::Cek;
use serde_json::Value;

pub(crate) fn context() -> RecordContext {
    RecordContext {
        owner: "alice".parse().unwrap(),
        record: "encounter-17".parse().unwrap(),
        schema: "clinic/encounter".parse().unwrap(),
        compartment: "cardiology".parse().unwrap(),
    }
}

pub(crate) fn sealed(cek: &Cek, context: RecordContext) -> SealedRecord {
    let record = Record::new(context).field("/diagnosis", "I21.4").unwrap();
    record.field("/history", "I20.0").unwrap().field("/empty", "").unwrap().seal(cek, Generation(3)).unwrap()
}

pub(crate) fn value(record: &SealedRecord) -> Value {
    serde_json::from_str(&record.to_json().unwrap()).unwrap()
}

//! What the contents of an owner's records say has to be there, whether a listing shows it or not.

use std::collections::BTreeSet;

use super::Rotation;
use super::job::BATCH;
use super::verify::{Exempt, Found, Verification};
use crate::error::{Error, Result};
use crate::record::SealedRecord;
use crate::store::space::{self, Kind};
use crate::store::{Pages, StoreFailure, each};

impl Rotation<'_> {
    /// Holds every part of the compartment that a content names, at any revision, against its envelope and its wrap, which
    /// are asked for by their keys. Who is given no contents ([`KeysOnly`](super::KeysOnly)) looks at none.
    pub(super) async fn hold_against_contents(&self, exempt: &Exempt<'_>, found: &mut Verification) -> Result<()> {
        let mut by_key = Verification::default();
        for kind in [Kind::Content, Kind::Past] {
            let mut pages = Pages::new(self.store, kind.of_owner(self.new.owner()), BATCH);
            loop {
                let page = match pages.entries().await {
                    Err(error) if error.failure() == StoreFailure::Refused => break,
                    page => page?,
                };
                let Some(page) = page else { break };
                let mut envelopes = BTreeSet::new();
                for (key, entry) in page {
                    let Some(entry) = entry.transpose() else { continue };
                    match entry.map_err(Error::from).and_then(|entry| self.envelopes(&key, &entry.value)) {
                        Ok(named) => envelopes.extend(named),
                        Err(_) => by_key.count(exempt, &key, &Found::Broken),
                    }
                }
                let keys: Vec<String> = envelopes.into_iter().collect();
                // A content names more than one, so that a page of them may name very many.
                for keys in keys.chunks(BATCH) {
                    let held = each(self.store, keys).await?;
                    let mut there = Vec::with_capacity(keys.len());
                    for (key, entry) in keys.iter().zip(held) {
                        match entry.transpose() {
                            Some(entry) => there.push((key.clone(), entry)),
                            None => by_key.count(exempt, key, &Found::Missing),
                        }
                    }
                    self.hold(there.into_iter(), exempt, &mut by_key).await?;
                }
            }
        }
        // What lies under a later key, or does not open, was counted where it was listed.
        found.with(by_key);
        Ok(())
    }

    /// The keys of the envelopes of this compartment that a record's first piece names.
    fn envelopes(&self, key: &str, contents: &[u8]) -> Result<Vec<String>> {
        let place = space::content_of(key).or_else(|| {
            let (owner, record, _) = space::past_of(key)?;
            Some((owner, record))
        });
        let (owner, record) = place.ok_or(Error::Malformed("record"))?;
        let first = SealedRecord::content_key(&owner, &record);
        let pieces = std::iter::once((first, contents.to_vec())).collect();
        let mut named = SealedRecord::missing(&owner, &record, &pieces)?;
        let prefix = Kind::Envelope.of_compartment(self.new.owner(), self.new.compartment());
        named.retain(|key| key.starts_with(&prefix));
        Ok(named)
    }
}

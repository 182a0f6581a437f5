//! What an authority remembers of people, in shards by their numbers: a change of one person is a change of one shard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::{Enrolled, MAX_STATE, State, WHAT};
use super::statements::Revoked;
use crate::error::{Error, Result};
use crate::id::PersonId;
use crate::policy::PersonNumber;
use crate::wire;

/// People in a shard; in the last one, who is left.
const SHARD: u32 = 1024;
/// Most shards.
pub(super) const MAX_SHARDS: usize = 1 << 14;

/// Which shards were changed since the state was kept last.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Which keeping that was; none if it never was.
    kept: Option<Arc<()>>,
    shards: BTreeSet<usize>,
}

#[derive(Serialize)]
struct Written<'a> {
    people: BTreeMap<&'a PersonId, &'a Enrolled>,
    revoked: &'a [Revoked],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard {
    people: BTreeMap<PersonId, Enrolled>,
    revoked: Vec<Revoked>,
}

impl Changes {
    pub(super) fn of(&mut self, number: PersonNumber) {
        self.shards.insert(shard_of(number));
    }

    /// All that there are was kept now.
    pub(super) fn kept(&mut self, kept: Arc<()>) {
        *self = Self { kept: Some(kept), shards: BTreeSet::new() };
    }
}

impl State {
    /// How many shards there are.
    pub(super) fn shards(&self) -> usize {
        self.people.len().div_ceil(SHARD as usize)
    }

    /// The numbers of the shards, from 0, that are not as they were kept then.
    pub(super) fn changed_since(&self, kept: &Arc<()>) -> BTreeSet<usize> {
        let Changes { kept: last, shards } = self.changes();
        if last.as_ref().is_some_and(|last| Arc::ptr_eq(last, kept)) {
            return shards.clone();
        }
        (0..self.shards()).collect()
    }

    /// Some shards in CBOR, by their numbers.
    pub(super) fn encode_shards(&self, wanted: &BTreeSet<usize>) -> Result<BTreeMap<usize, Vec<u8>>> {
        let mut people: BTreeMap<_, BTreeMap<_, _>> = wanted.iter().map(|at| (*at, BTreeMap::new())).collect();
        for (person, known) in &self.people {
            if let Some(shard) = people.get_mut(&shard_of(known.number)) {
                shard.insert(person, known);
            }
        }
        let encode = |(at, people)| {
            let from = self.revoked.partition_point(|revoked| shard_of(revoked.number) < at);
            let to = self.revoked.partition_point(|revoked| shard_of(revoked.number) <= at);
            let revoked = self.revoked.get(from..to).unwrap_or_default();
            Ok((at, wire::to_cbor(&Written { people, revoked }, WHAT)?))
        };
        people.into_iter().map(encode).collect()
    }

    /// Puts the people in, one shard after the other. What no encoding can be checked for is checked with the whole.
    pub(super) fn with_shard(mut self, at: usize, bytes: &[u8]) -> Result<Self> {
        let Shard { mut people, mut revoked } = wire::from_cbor(bytes, MAX_STATE, WHAT)?;
        let numbers = people.values().map(|known| known.number).chain(revoked.iter().map(|revoked| revoked.number));
        if people.is_empty() || numbers.into_iter().any(|number| shard_of(number) != at) {
            return Err(Error::Malformed(WHAT));
        }
        self.people.append(&mut people);
        self.revoked.append(&mut revoked);
        Ok(self)
    }
}

fn shard_of(number: PersonNumber) -> usize {
    (number.get().saturating_sub(1) / SHARD) as usize
}

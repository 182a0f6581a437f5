//! A job that several workers share, and that outlives each of them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Rotation;
use super::batch::Done;
use super::page::Page;
use super::walk::{Pass, Walk, check_name};
use crate::error::Result;
use crate::id::Time;
use crate::repository::Repository;
use crate::store::space::{self, Kind};
use crate::store::{Entry, Op, Outcome, Pages, Tag, apply_all, only};
use crate::wire;

/// How far a job is, in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// The last key that was claimed.
    frontier: String,
    /// The last key that there was when the job began: what comes later is for another job, so that nobody who goes on
    /// writing keeps this one from its end.
    end: String,
    /// Whether no key is left up to there.
    claimed_all: bool,
    claims: Vec<Claim>,
    records: u64,
    bytes: u64,
    started: u64,
}

/// Keys after `after`, up to `last`, that a worker works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    after: String,
    last: String,
    until: Time,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "others may hold the rest"]
pub struct Progress {
    /// What is being done; a re-encryption ends with a pass of rewraps.
    pub pass: Pass,
    /// Records' parts that are done, as far as the pass came upon them.
    pub records: u64,
    /// Bytes of their wraps; or of their fields, if they are sealed again.
    pub bytes: u64,
    /// Seconds since the pass began.
    pub seconds: u64,
    /// Whether everything that was there has been gone through.
    pub finished: bool,
}

impl Progress {
    /// Records a second since the pass began; none in its first second.
    pub fn rate(&self) -> Option<u64> {
        self.records.checked_div(self.seconds)
    }

    /// How many more seconds it takes to reach `total` records at this rate.
    pub fn remaining(&self, total: u64) -> Option<u64> {
        total.saturating_sub(self.records).checked_div(self.rate()?)
    }
}

/// A wrap that could not be moved, or an envelope whose part could not be sealed again: it does not open under a key at
/// hand, is damaged, or was changed again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Its key in the store.
    pub key: String,
}

impl Rotation<'_> {
    /// Works on the job of this name until everything that is there has been gone through, or others hold the rest. Any
    /// number of workers may run the same job, at once or one after the other died; a job that is finished has nothing
    /// left to do, and what was written since is for a job of another name.
    ///
    /// `progress` is called after each batch.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store); run it again then. [`Error::Malformed`](crate::Error::Malformed) if the
    /// name is not 1 to 64 bytes of letters, digits and `-`, or if the job's entry is damaged.
    /// [`Error::Rollback`](crate::Error::Rollback) if it re-encrypts and the ledger knows a later key: start one to that.
    /// [`Error::ApiMisuse`](crate::Error::ApiMisuse) if the consent that gave the new access is not in the store, or another
    /// one lies in its place.
    pub async fn run(&self, name: &str, mut progress: impl FnMut(&Progress) + Send) -> Result<Progress> {
        check_name(name)?;
        self.check_published().await?;
        let mut report = Progress { pass: Pass::Rewrap, records: 0, bytes: 0, seconds: 0, finished: true };
        for pass in self.passes() {
            let walk = self.walk(*pass, name)?;
            let mut claimed = self.claim(*pass, &walk).await?;
            while let Some((claim, page)) = claimed {
                let page = page.at_most(pass.step());
                let rest = page.last().filter(|last| **last < claim.last).cloned();
                let done = self.done(page).await?;
                self.quarantine(&walk, &done).await?;
                let (state, left) = self.settle(&walk.job, (&claim, rest), &done).await?;
                progress(&self.progress(*pass, &state));
                claimed = match left {
                    Some(left) => Some(self.with_page(*pass, &walk, left).await?),
                    None => self.claim(*pass, &walk).await?,
                };
            }
            report = self.progress(*pass, &self.state(&walk.job).await?.1);
            if !report.finished {
                return Ok(report);
            }
            // Before the wraps are counted.
            if *pass == Pass::Reencrypt {
                Repository::new(self.store).delete_replaced(self.new.owner(), self.new.compartment()).await?;
            }
        }
        Ok(report)
    }

    /// Takes all batches of the job of this name from their workers: for the operator who knows that they are dead, and does
    /// not wait for their leases. A worker who lives all the same does no harm. Gives the number of batches.
    ///
    /// # Errors
    ///
    /// As [`Rotation::run`].
    pub async fn break_leases(&self, name: &str) -> Result<usize> {
        let mut broken = 0;
        for pass in Pass::ALL {
            let job = self.walk(pass, name)?.job;
            loop {
                let (tag, mut state) = self.state(&job).await?;
                if state.claims.is_empty() {
                    break;
                }
                state.claims.iter_mut().for_each(|claim| claim.until = Time::at(0));
                if self.write(&job, tag, &state).await? {
                    broken += state.claims.len();
                    break;
                }
            }
        }
        Ok(broken)
    }

    /// The finished job to this key that had come upon the most parts, but for those that are given up: its key, and how many.
    /// Not the last one: it may have gone through a listing that lagged behind.
    pub(super) async fn to_be_seen(&self, given_up: &BTreeSet<&str>) -> Result<Option<(u64, String)>> {
        let mut most = None::<(u64, String)>;
        let mut pages = Pages::new(self.store, self.jobs(Kind::Job), BATCH);
        while let Some(page) = pages.entries().await? {
            for (key, entry) in page {
                let Ok(Some(entry)) = entry else { continue };
                let Ok(state) = wire::from_cbor::<State>(&entry.value, MAX_STATE, "job") else { continue };
                let finished = self.is_rewrap(&key) && state.claimed_all && state.claims.is_empty();
                if finished && !given_up.contains(key.as_str()) {
                    most = most.max(Some((state.records, key)));
                }
            }
        }
        Ok(most)
    }

    /// The entries that the job of this name could not move.
    ///
    /// # Errors
    ///
    /// As [`Rotation::run`].
    pub async fn quarantined(&self, name: &str) -> Result<Vec<Quarantined>> {
        let mut all = Vec::new();
        for pass in Pass::ALL {
            let subjects = self.subjects(&self.walk(pass, name)?.quarantine).await?;
            all.extend(subjects.into_iter().map(|(_, key)| Quarantined { key }));
        }
        Ok(all)
    }

    /// Tries once more to move what is in the quarantine of this job, and lets go of what could be moved or is gone. Gives
    /// the number of those that stay.
    ///
    /// # Errors
    ///
    /// As [`Rotation::run`].
    pub async fn retry(&self, name: &str) -> Result<u64> {
        let mut stay = 0;
        for pass in Pass::ALL {
            let walk = self.walk(pass, name)?;
            for (entry, key) in self.subjects(&walk.quarantine).await? {
                // What is no key of the walk was not put there by a job.
                let done = !key.starts_with(&walk.prefix) || self.once_more(pass, key).await?;
                if done {
                    if let Some(tag) = self.store.tags(std::slice::from_ref(&entry)).await?.pop().flatten() {
                        self.store.apply(vec![Op::Delete { key: entry, tag }]).await?;
                    }
                } else {
                    stay += 1;
                }
            }
        }
        Ok(stay)
    }

    /// The entries of a quarantine, each with the key that it is about; its own, if it is damaged itself.
    pub(super) async fn subjects(&self, quarantine: &str) -> Result<Vec<(String, String)>> {
        let (mut all, mut pages) = (Vec::new(), Pages::new(self.store, quarantine, BATCH));
        while let Some(page) = pages.entries().await? {
            let subject = |held: Entry| String::from_utf8(held.value).ok();
            all.extend(page.into_iter().map(|(entry, held)| {
                let key = held.ok().flatten().and_then(subject);
                (entry.clone(), key.unwrap_or(entry))
            }));
        }
        Ok(all)
    }

    /// Takes the next batch that nobody works on, with its beginning; none if there is none.
    async fn claim(&self, pass: Pass, walk: &Walk) -> Result<Option<(Claim, Page)>> {
        let job = &walk.job;
        loop {
            let (tag, mut state) = self.state(job).await?;
            let now = (self.clock)();
            let until = self.until();
            // A claim that lasts longer than any is by a clock that is wrong; to go through a batch twice does no harm.
            let longest = now.plus(Duration::from_secs(self.lease.max(LONGEST)));
            let dead = state.claims.iter_mut().find(|claim| claim.until < now || claim.until > longest);
            let (claim, page) = if let Some(dead) = dead {
                dead.until = until;
                self.with_page(pass, walk, dead.clone()).await?
            } else if state.claimed_all {
                return Ok(None);
            } else {
                if state.started == 0 {
                    state.started = now.as_secs().max(1);
                    state.end = self.last_key(&walk.prefix).await?;
                }
                let page = self.page(pass, walk, &state.frontier, BATCH).await?.up_to(&state.end);
                state.claimed_all = page.last().is_none_or(|last| *last == state.end);
                let Some(last) = page.last() else {
                    if self.write(job, tag, &state).await? { return Ok(None) } else { continue }
                };
                let claim = Claim { after: state.frontier.clone(), last: last.clone(), until };
                state.frontier.clone_from(last);
                if state.claims.len() >= MOST_CLAIMS {
                    return Ok(None);
                }
                state.claims.push(claim.clone());
                (claim, page)
            };
            if self.write(job, tag, &state).await? {
                return Ok(Some((claim, page)));
            }
        }
    }

    /// The last key that there is.
    async fn last_key(&self, prefix: &str) -> Result<String> {
        let (mut last, mut pages) = (String::new(), Pages::new(self.store, prefix, BATCH));
        while let Some(page) = pages.keys().await? {
            last = page.into_iter().next_back().unwrap_or_default();
        }
        Ok(last)
    }

    /// A claim, with its next entries as they are now.
    async fn with_page(&self, pass: Pass, walk: &Walk, claim: Claim) -> Result<(Claim, Page)> {
        let page = self.page(pass, walk, &claim.after, pass.step()).await?.up_to(&claim.last);
        Ok((claim, page))
    }

    /// Tries one entry again. Says whether nothing is left to do.
    async fn once_more(&self, pass: Pass, key: String) -> Result<bool> {
        let page = match pass {
            Pass::Rewrap => Page::Wraps(self.read(vec![key]).await?),
            Pass::Reencrypt => Page::Envelopes(vec![key]),
        };
        Ok(self.done(page).await?.failed.is_empty())
    }

    /// Notes that a claim is done, or up to where, unless somebody else took it for dead meanwhile. Gives what is left of
    /// it.
    async fn settle(
        &self,
        job: &str,
        (claim, rest): (&Claim, Option<String>),
        done: &Done,
    ) -> Result<(State, Option<Claim>)> {
        loop {
            let (tag, mut state) = self.state(job).await?;
            let mine = |other: &Claim| (&other.after, &other.last) == (&claim.after, &claim.last);
            let Some(at) = state.claims.iter().position(mine) else {
                return Ok((state, None));
            };
            let left = rest.clone().map(|after| Claim { after, last: claim.last.clone(), until: self.until() });
            state.claims.splice(at..=at, left.clone());
            state.records = state.records.saturating_add(done.records);
            state.bytes = state.bytes.saturating_add(done.bytes);
            if self.write(job, tag, &state).await? {
                return Ok((state, left));
            }
        }
    }

    /// Until when a claim of now lasts.
    fn until(&self) -> Time {
        (self.clock)().plus(Duration::from_secs(self.lease))
    }

    async fn quarantine(&self, walk: &Walk, done: &Done) -> Result<()> {
        let put =
            |key: &String| Op::Put { key: space::quarantine(&walk.quarantine, key), value: key.clone().into_bytes() };
        apply_all(self.store, done.failed.iter().map(put).collect()).await?;
        Ok(())
    }

    fn progress(&self, pass: Pass, state: &State) -> Progress {
        Progress {
            pass,
            records: state.records,
            bytes: state.bytes,
            seconds: (self.clock)().as_secs().saturating_sub(state.started),
            finished: state.claimed_all && state.claims.is_empty(),
        }
    }

    async fn state(&self, job: &str) -> Result<(Option<Tag>, State)> {
        match only(self.store, job).await? {
            None => Ok((None, State::default())),
            Some(Entry { tag, value }) => Ok((Some(tag), wire::from_cbor(&value, MAX_STATE, "job")?)),
        }
    }

    /// Whether nobody was faster.
    async fn write(&self, job: &str, tag: Option<Tag>, state: &State) -> Result<bool> {
        let (key, value) = (job.to_owned(), wire::to_cbor(state, "job")?);
        let op = match tag {
            None => Op::Put { key, value },
            Some(tag) => Op::Swap { key, tag, value },
        };
        Ok(matches!(self.store.apply(vec![op]).await?.as_slice(), [Outcome::Written(_)]))
    }
}

/// Wraps in a batch.
pub(super) const BATCH: usize = 1000;
/// Most batches that are worked on at once.
const MOST_CLAIMS: usize = 256;
const MAX_STATE: usize = 1 << 20;
/// For how many seconds a worker may hold a batch, unless his lease is longer.
const LONGEST: u64 = 24 * 60 * 60;

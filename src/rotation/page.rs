//! The next entries that a job works on, as they were read.

use super::Rotation;
use super::batch::Done;
use super::walk::{Pass, Walk};
use crate::error::Result;
use crate::store::{Scanned, scan_each};

/// What a pass needs of its next entries, in the order of their keys.
pub(super) enum Page {
    Wraps(Vec<Scanned>),
    /// Keys alone: a part that is sealed again is read by itself.
    Envelopes(Vec<String>),
}

impl Page {
    /// The last key; none if there is nothing left.
    pub(super) fn last(&self) -> Option<&String> {
        match self {
            Self::Wraps(entries) => entries.last().map(|(key, _)| key),
            Self::Envelopes(keys) => keys.last(),
        }
    }

    /// Without what comes after this key.
    pub(super) fn up_to(mut self, end: &str) -> Self {
        match &mut self {
            Self::Wraps(entries) => entries.retain(|(key, _)| key.as_str() <= end),
            Self::Envelopes(keys) => keys.retain(|key| key.as_str() <= end),
        }
        self
    }

    /// No more than so many.
    pub(super) fn at_most(mut self, entries: usize) -> Self {
        match &mut self {
            Self::Wraps(all) => all.truncate(entries),
            Self::Envelopes(all) => all.truncate(entries),
        }
        self
    }
}

impl Rotation<'_> {
    /// The entries after this key.
    pub(super) async fn page(&self, pass: Pass, walk: &Walk, after: &str, limit: usize) -> Result<Page> {
        Ok(match pass {
            Pass::Rewrap => Page::Wraps(scan_each(self.store, (&walk.prefix, after), limit).await?),
            Pass::Reencrypt => Page::Envelopes(self.store.keys(&walk.prefix, after, limit).await?),
        })
    }

    pub(super) async fn done(&self, page: Page) -> Result<Done> {
        match page {
            Page::Wraps(entries) => self.batch(entries).await,
            Page::Envelopes(keys) => self.reencrypt_batch(keys).await,
        }
    }
}

//! Whether the old compartment keys are needed no more.

use super::Rotation;
use super::job::BATCH;
use crate::error::Result;
use crate::record::{StoredEnvelope, StoredWrap};

/// What a walk through a compartment found. It says what was there while it walked, not what was written since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// Wraps that open under the new key.
    pub moved: u64,
    /// Wraps under older keys.
    pub behind: u64,
    /// Wraps that are damaged, do not open, or hold another key than their part's.
    pub broken: u64,
}

impl Verification {
    /// Whether the older keys open nothing that the new one does not.
    pub fn is_clean(&self) -> bool {
        (self.behind, self.broken) == (0, 0)
    }
}

impl Rotation<'_> {
    /// Opens every wrap of the compartment, and holds the keys of parts whose envelopes are there against the envelopes'
    /// commitments. Bodies are not read.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::Error::Store).
    pub async fn verify(&self) -> Result<Verification> {
        let mut found = Verification::default();
        let mut after = String::new();
        loop {
            let page = self.store.keys(&self.prefix, &after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(last);
            for (key, entry) in page.iter().zip(self.store.get(&page).await?) {
                let Some(entry) = entry else { continue };
                match StoredWrap::read(&self.prefix, key, &entry.value) {
                    Ok(wrap) if wrap.generation() < self.new.generation() => found.behind += 1,
                    Ok(wrap) if wrap.check(self.new, None).is_ok() => found.moved += 1,
                    _ => found.broken += 1,
                }
            }
        }
        self.hold_against_envelopes(&mut found).await?;
        Ok(found)
    }

    async fn hold_against_envelopes(&self, found: &mut Verification) -> Result<()> {
        let prefix = StoredEnvelope::prefix(self.new.owner(), self.new.compartment());
        let mut after = String::new();
        loop {
            let page = self.store.keys(&prefix, &after, BATCH).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(last);
            let mut envelopes = Vec::new();
            for (key, entry) in page.iter().zip(self.store.get(&page).await?) {
                let Some(entry) = entry else { continue };
                let envelope = StoredEnvelope::read(&entry.value);
                match envelope.and_then(|envelope| Ok((envelope.wrap_key(&prefix, key, &self.prefix)?, envelope))) {
                    Ok(envelope) => envelopes.push(envelope),
                    Err(_) => found.broken += 1,
                }
            }
            let keys: Vec<String> = envelopes.iter().map(|(key, _)| key.clone()).collect();
            for ((key, envelope), entry) in envelopes.iter().zip(self.store.get(&keys).await?) {
                // Envelopes of former revisions may have lost theirs.
                let Some(entry) = entry else { continue };
                let wrap = StoredWrap::read(&self.prefix, key, &entry.value);
                let current = wrap.ok().filter(|wrap| wrap.generation() >= self.new.generation());
                if current.is_some_and(|wrap| wrap.check(self.new, Some(envelope)).is_err()) {
                    found.broken += 1;
                }
            }
        }
    }
}

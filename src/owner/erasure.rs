//! The owner's word that everything of hers is to be deleted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::consent::Devices;
use crate::error::{Error, Result};
use crate::id::{OwnerId, Time};
use crate::identity::{Signed, Statement};
use crate::seal::label;
use crate::time::CLOCK_SKEW;

/// For how long a wish to be erased can be carried out at most: 90 days.
pub const ERASURE_LIMIT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A signed wish to be erased. It counts after [`Erasure::accept`](Signed::accept).
pub type Erasure = Signed<ErasureStatement>;

/// What an owner's root key signs to have everything deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureStatement {
    /// The owner.
    pub owner: OwnerId,
    /// When it was signed.
    pub issued_at: Time,
    /// The last second at which it may be carried out, at most [`ERASURE_LIMIT`] later: whoever thinks better of it is not
    /// erased years afterwards by who kept the wish.
    pub until: Time,
}

impl Statement for ErasureStatement {
    const LABEL: &'static [u8] = label::SIGN_ERASURE;
    const WHAT: &'static str = WHAT;
    const LIMIT: usize = 1024;
}

/// An erasure that the owner's root key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedErasure(ErasureStatement);

impl Owner {
    /// Asks that every consent and record be deleted, by the time `until`. Until then there is no way back: whoever has the
    /// wish may carry it out. Wipe the root key and the devices' keys afterwards, and have shares and printed codes of the
    /// recovery keys destroyed.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if `until` is over already, or more than [`ERASURE_LIMIT`] away.
    pub fn erase(&self, until: Time, now: Time) -> Result<Erasure> {
        let statement = ErasureStatement { owner: self.id().clone(), issued_at: now, until };
        if !statement.ends() {
            return Err(Error::ApiMisuse("a wish to be erased ends within 90 days"));
        }
        Signed::sign(statement, &self.root)
    }
}

impl Signed<ErasureStatement> {
    /// The erasure, if the root key of the owner's list signed it and it may be carried out now.
    ///
    /// # Errors
    ///
    /// [`Error::Forged`]; [`Error::Malformed`] if it has no end within [`ERASURE_LIMIT`]; [`Error::Expired`] if that is
    /// over, or it is of a time that is more than five minutes ahead.
    pub fn accept(&self, devices: &Devices, now: Time) -> Result<AcceptedErasure> {
        let statement = self.verify(&devices.statement().root)?;
        if statement.owner != *devices.owner() {
            return Err(Error::Forged(WHAT));
        }
        if !statement.ends() {
            return Err(Error::Malformed(WHAT));
        }
        if now > statement.until || statement.issued_at > now.plus(CLOCK_SKEW) {
            return Err(Error::Expired(WHAT));
        }
        Ok(AcceptedErasure(statement.clone()))
    }
}

impl ErasureStatement {
    /// Whether it has an end, and not too late.
    fn ends(&self) -> bool {
        self.issued_at <= self.until && self.until.since(self.issued_at) <= ERASURE_LIMIT
    }
}

impl AcceptedErasure {
    /// The owner.
    pub fn owner(&self) -> &OwnerId {
        &self.0.owner
    }
}

const WHAT: &str = "erasure";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::at(1_775_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_wish_to_be_erased_is_carried_out_in_its_time_and_not_for_ever() {
        let (owner, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
        let until = NOW.plus(ERASURE_LIMIT);
        let wish = owner.erase(until, NOW).unwrap();
        for at in [NOW.minus(CLOCK_SKEW), NOW, until] {
            assert_eq!(wish.accept(owner.devices(), at).unwrap().owner(), owner.id());
        }
        for at in [NOW.minus(CLOCK_SKEW).minus(SECOND), until.plus(SECOND), Time::MAX] {
            assert_eq!(wish.accept(owner.devices(), at), Err(Error::Expired("erasure")));
        }
        for never in [NOW.minus(SECOND), until.plus(SECOND), Time::MAX] {
            assert!(matches!(owner.erase(never, NOW), Err(Error::ApiMisuse(_))), "{never:?}");
            // Whoever has the root key signs it all the same.
            let statement = ErasureStatement { until: never, ..wish.unverified().clone() };
            let forced = Signed::sign(statement, &owner.root).unwrap();
            assert_eq!(forced.accept(owner.devices(), NOW), Err(Error::Malformed("erasure")), "{never:?}");
        }
    }
}

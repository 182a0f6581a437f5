//! Publishing a consent: store and ledger learn of it, whoever dies in between.

use super::{MOST_TRIES, Put, Repository};
use crate::consent::{Evidence, StoredConsent};
use crate::error::{Error, Result};
use crate::id::{CompartmentId, OwnerId};
use crate::ledger::{Announced, Ledger, Standing};
use crate::store::StoreError;

impl Repository<'_> {
    /// Writes a consent that was verified, and opened if a custodian signed it, and takes note of it in the ledger, if
    /// there is one.
    ///
    /// The ledger is told that it comes, the store has it, the ledger goes by it: in this order. If this one dies before
    /// the end, the next who reads or writes in the compartment brings it to its end.
    ///
    /// [`Put::Conflict`] with a ledger: in its place lies another consent, of which the ledger knows nothing. See
    /// [Two devices made the same version](crate::manual::runbooks::two_devices_at_once).
    ///
    /// # Errors
    ///
    /// As [`Ledger::advance`](crate::ledger::Ledger::advance); what the ledger refuses is not written, unless it came to
    /// know a later one meanwhile. After [`Error::Store`] it may be published, now or when somebody comes by; to publish it
    /// again does no harm.
    pub async fn publish(&self, evidence: impl Into<Evidence> + Send, consent: &StoredConsent) -> Result<Put> {
        let evidence: Evidence = evidence.into();
        evidence.check(consent)?;
        let Some(ledger) = &self.ledger else { return self.put_or_mend(consent).await };
        let statement = consent.consent().unverified();
        let mut announced = ledger.announce(evidence, consent).await?;
        for _ in 0..MOST_TRIES {
            match announced {
                Announced::Now(newest) => return self.end(ledger, consent, newest.as_deref()).await,
                Announced::Before => return self.put_or_mend(consent).await,
                Announced::Another => {}
            }
            announced = match self.end_announced(ledger, &statement.owner, &statement.compartment).await {
                // Where the store does not take that one, it keeps no later one out.
                Err(error @ Error::Store(_)) => match ledger.announce_over(evidence, consent).await? {
                    Announced::Another => return Err(error),
                    over => over,
                },
                ended => {
                    ended?;
                    ledger.announce(evidence, consent).await?
                }
            };
        }
        Err(StoreError::busy("others are publishing in the same compartment all the while").into())
    }

    /// Writes a consent that was announced, and has the ledger go by it instead of the newest; or takes the announcement back.
    async fn end(&self, ledger: &Ledger<'_>, consent: &StoredConsent, newest: Option<&StoredConsent>) -> Result<Put> {
        if let Some(newest) = newest {
            self.keep_newest(ledger, newest).await?;
        }
        let put = self.put_or_mend(consent).await?;
        match put {
            Put::Done => ledger.confirm(consent).await?,
            Put::Conflict | Put::Outdated => ledger.withdraw(consent).await?,
        }
        Ok(put)
    }

    /// Ends what somebody announced who may be dead.
    async fn end_announced(&self, ledger: &Ledger<'_>, owner: &OwnerId, compartment: &CompartmentId) -> Result<()> {
        let Some((consent, newest)) = ledger.announced(owner, compartment).await? else { return Ok(()) };
        match self.end(ledger, &consent, newest.as_ref()).await {
            // The ledger went on without it.
            Err(Error::Rollback(_) | Error::Fork(_)) => ledger.withdraw(&consent).await,
            ended => ended.map(drop),
        }
    }

    /// What the ledger knows of some compartments, when all is ended that was begun there. Who may not write goes by what was
    /// known before.
    pub(crate) async fn standings(
        &self,
        ledger: &Ledger<'_>,
        owner: &OwnerId,
        compartments: &[&CompartmentId],
    ) -> Result<Vec<Standing>> {
        let mut known = ledger.standings(owner, compartments).await?;
        for _ in 0..MOST_TRIES {
            if !known.announced {
                break;
            }
            for compartment in compartments {
                match self.end_announced(ledger, owner, compartment).await {
                    Err(Error::Store(_)) => return Ok(known.of),
                    ended => ended?,
                }
            }
            known = ledger.standings(owner, compartments).await?;
        }
        Ok(known.of)
    }

    async fn put_or_mend(&self, consent: &StoredConsent) -> Result<Put> {
        match self.put_consent(consent).await? {
            Put::Conflict => self.mend(consent).await,
            put => Ok(put),
        }
    }
}

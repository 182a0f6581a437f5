//! Which ledger guards which store.

use super::{MOST_TRIES, Repository};
use crate::error::{Error, Result};
use crate::ledger::{Ledger, LedgerError, Relation};
use crate::store::space::Kind;
use crate::store::{Store, StoreError};

impl<'a> Repository<'a> {
    /// Over this store, with the ledger that it is bound to, which is not restored from backups: writes under older
    /// compartment keys are refused, and what a backup brought back is not served before it has caught up
    /// ([`Repository::behind`]).
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the two are not bound to each other; [`Error::Malformed`] if what one of
    /// them says of that is damaged; [`Error::Store`].
    pub async fn guarded(store: &'a dyn Store, ledger: Ledger<'a>) -> Result<Self> {
        ledger.check(store).await?;
        Ok(Self::unchecked(store, ledger))
    }

    /// With a ledger that was held against the store.
    pub(crate) fn unchecked(store: &'a dyn Store, ledger: Ledger<'a>) -> Self {
        Self { store, ledger: Some(ledger) }
    }

    /// Binds a store that has no records and no consents, and a new ledger, to each other, once, when a system is set up.
    /// To do it again does no harm, and ends what was begun.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]: if one of them is bound to another already, or the store has something, or
    /// the ledger is not new. [`Error::Store`]: do it again then. [`Error::Randomness`].
    ///
    /// # Example
    ///
    /// ```
    /// use chartseal::ledger::{Ledger, LedgerError};
    /// use chartseal::record::{Author, Record};
    /// use chartseal::repository::{Put, Repository};
    /// use chartseal::{Error, owner::Owner, store::MemoryStore};
    ///
    /// # let now = chartseal::id::Time::at(1_775_000_000);
    /// # pollster::block_on(async {
    /// // Once: a store for records, and another one for the ledger.
    /// let (records, noted) = (MemoryStore::new(), MemoryStore::new());
    /// let repository = Repository::bind(&records, Ledger::create(&noted).await?).await?;
    ///
    /// let (alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
    /// let (stored, access) = phone.consent(alice.devices(), "cardiology".parse()?).seal(now)?;
    /// assert_eq!(repository.publish(&access, &stored).await?, Put::Done);
    /// let record = Record::new("encounter-17".parse()?, "visit".parse()?).part(&access)?.field("/diagnosis", "I21.4")?;
    /// let sealed = record.seal(&Author::device(&phone, alice.devices())?, now)?;
    /// assert_eq!(repository.put(&sealed).await?, Put::Done);
    ///
    /// // At every start from then on.
    /// let repository = Repository::guarded(&records, Ledger::open(&noted).await?).await?;
    /// assert_eq!(repository.get(alice.id(), sealed.record()).await?, Some(sealed));
    /// let another = MemoryStore::new();
    /// let refused = Repository::guarded(&another, Ledger::open(&noted).await?).await;
    /// assert_eq!(refused.err(), Some(LedgerError::OtherStore.into()));
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    pub async fn bind(store: &'a dyn Store, ledger: Ledger<'a>) -> Result<Self> {
        for _ in 0..MOST_TRIES {
            let sides = ledger.sides(store).await?;
            match sides.relation(&ledger) {
                Relation::Bound => return Ok(Self::unchecked(store, ledger)),
                Relation::Begun => {}
                Relation::Free => {
                    check_apart(&ledger, store).await?;
                    for kind in Kind::ALL {
                        if !store.keys(&kind.prefix(), "", 1).await?.is_empty() {
                            return Err(LedgerError::NotEmpty.into());
                        }
                    }
                    if !ledger.is_blank().await? {
                        return Err(LedgerError::NothingRestored.into());
                    }
                }
                Relation::LedgerOfAnother => return Err(LedgerError::OtherStore.into()),
                Relation::StoreOfAnother | Relation::Earlier | Relation::Strangers => {
                    return Err(LedgerError::OtherLedger.into());
                }
            }
            if ledger.tie(store, sides).await? {
                return Ok(Self::unchecked(store, ledger));
            }
        }
        Err(busy())
    }

    /// Puts a store that was restored from a backup in the place of the ledger's own, which is lost: for the operator alone,
    /// who knows that nobody goes on with the old one. From then on that one is refused.
    ///
    /// Every compartment of which the ledger knows more than the store, or of which records lie under other keys than that of
    /// the newest consent, is closed before ([`Repository::behind`]). To do it again does no harm, and ends what was begun.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NothingRestored`] if the store has no consent to any compartment that the
    /// ledger knows: it is no restored one. `OtherLedger` if the store is another ledger's, `Unbound` if the ledger has no
    /// store to be replaced, `SameStore`; [`Error::ApiMisuse`] while the backup is being restored; [`Error::Store`]: do it
    /// again then.
    pub async fn replace_store(store: &'a dyn Store, ledger: Ledger<'a>) -> Result<Self> {
        let repository = Self::unchecked(store, ledger);
        for _ in 0..MOST_TRIES {
            let sides = ledger.sides(store).await?;
            match sides.relation(&ledger) {
                Relation::Bound => return Ok(repository),
                Relation::LedgerOfAnother | Relation::Earlier => {}
                Relation::Begun | Relation::Free => return Err(LedgerError::Unbound.into()),
                Relation::StoreOfAnother | Relation::Strangers => return Err(LedgerError::OtherLedger.into()),
            }
            check_apart(&ledger, store).await?;
            repository.check_no_restore().await?;
            repository.check_is_restored(&ledger).await?;
            repository.close_what_is_behind(&ledger).await?;
            if ledger.tie(store, sides).await? {
                return Ok(repository);
            }
        }
        Err(busy())
    }

    /// Puts a new ledger in the place of the store's own, which is lost: for the operator alone, while nothing is served. The
    /// new one refuses nothing, until it is told what the lost one knew. To do it again does no harm, and ends what was begun.
    ///
    /// # Errors
    ///
    /// [`LedgerError::OtherStore`] if the ledger is bound to another store, `SameStore`;
    /// [`Error::ApiMisuse`] while a backup is being restored; [`Error::Store`]: do it again then; [`Error::Randomness`].
    pub async fn replace_ledger(store: &'a dyn Store, ledger: Ledger<'a>) -> Result<Self> {
        let repository = Self::unchecked(store, ledger);
        for _ in 0..MOST_TRIES {
            let sides = ledger.sides(store).await?;
            match sides.relation(&ledger) {
                Relation::Bound => return Ok(repository),
                Relation::Begun | Relation::Free | Relation::StoreOfAnother => {}
                Relation::LedgerOfAnother | Relation::Earlier | Relation::Strangers => {
                    return Err(LedgerError::OtherStore.into());
                }
            }
            check_apart(&ledger, store).await?;
            repository.check_no_restore().await?;
            if ledger.tie(store, sides).await? {
                return Ok(repository);
            }
        }
        Err(busy())
    }

    /// Refuses a store that has nothing of what the ledger knows.
    async fn check_is_restored(&self, ledger: &Ledger<'_>) -> Result<()> {
        let (mut known, mut pages) = (false, ledger.compartment_pages());
        while let Some(page) = pages.next().await? {
            known = true;
            for (owner, compartment) in page {
                let prefix = Kind::Consent.of_compartment(&owner, &compartment);
                if !self.store.keys(&prefix, "", 1).await?.is_empty() {
                    return Ok(());
                }
            }
        }
        if known { Err(LedgerError::NothingRestored.into()) } else { Ok(()) }
    }

    /// Closes the compartments that have to catch up.
    async fn close_what_is_behind(&self, ledger: &Ledger<'_>) -> Result<()> {
        let mut pages = ledger.compartment_pages();
        while let Some(page) = pages.next().await? {
            for (owner, compartment) in page {
                // Where it cannot be told, too.
                let follows = match self.has_to_follow(ledger, &owner, &compartment).await {
                    Err(error) if error.is_damage() => true,
                    follows => follows?,
                };
                if follows {
                    self.mark_stale(&owner, &compartment).await?;
                }
            }
        }
        Ok(())
    }
}

/// A ledger in the store that it guards would go back with it.
async fn check_apart(ledger: &Ledger<'_>, store: &dyn Store) -> Result<()> {
    if ledger.lies_in(store).await? { Err(LedgerError::SameStore.into()) } else { Ok(()) }
}

fn busy() -> Error {
    StoreError::busy("others are binding the store or the ledger all the while").into()
}

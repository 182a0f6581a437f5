//! Ledgers, and repositories with one, for tests that are about something else.

use chartseal::Error;
use chartseal::ledger::{Ledger, LedgerError};
use chartseal::repository::Repository;
use chartseal::store::Store;

use super::waiting::block_on;

/// The ledger in this store, which is created if there is none.
pub(crate) fn ledger(noted: &dyn Store) -> Ledger<'_> {
    match block_on(Ledger::open(noted)) {
        Err(Error::Ledger(LedgerError::Missing)) => block_on(Ledger::create(noted)).unwrap(),
        opened => opened.unwrap(),
    }
}

/// The ledger in the second store, bound to the first.
pub(crate) fn bound<'a>(store: &'a dyn Store, noted: &'a dyn Store) -> Ledger<'a> {
    guarded(store, ledger(noted)).ledger().unwrap()
}

/// Over this store, which is bound first if it is not: whatever it holds, and in the place of the ledger's own if that is
/// another one.
pub(crate) fn guarded<'a>(store: &'a dyn Store, ledger: Ledger<'a>) -> Repository<'a> {
    match block_on(Repository::guarded(store, ledger)) {
        Err(Error::Ledger(LedgerError::Unbound)) => block_on(Repository::replace_ledger(store, ledger)).unwrap(),
        Err(Error::Ledger(LedgerError::OtherStore)) => block_on(Repository::replace_store(store, ledger)).unwrap(),
        guarded => guarded.unwrap(),
    }
}

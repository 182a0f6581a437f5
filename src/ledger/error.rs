//! Why a store and a ledger do not go together.

/// Why a ledger cannot be used, or not with this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is no ledger in this store: it is another store, or the ledger is lost. A blank one would refuse nothing.
    #[error("there is no ledger in this store")]
    Missing,

    /// A ledger is created in an empty store of its own; something lies in this one, or somebody was faster.
    #[error("a ledger is created in an empty store, and this one is not empty")]
    Occupied,

    /// The ledger is bound to no store, and this store to no ledger.
    #[error("the store and the ledger are not bound to each other yet")]
    Unbound,

    /// The store is bound to another ledger.
    #[error("the store is bound to another ledger")]
    OtherLedger,

    /// The ledger is bound to another store: this one is empty, was restored from a backup, or is somebody else's.
    #[error("the ledger is bound to another store")]
    OtherStore,

    /// The ledger lies in the very store that it is to guard, and would go back with it.
    #[error("the ledger lies in the store that it is to guard")]
    SameStore,

    /// A store is bound for the first time before anything is written into it.
    #[error("a store is bound to its ledger before anything is written into it, and this one is not empty")]
    NotEmpty,

    /// The store has no consent to any compartment that the ledger knows: an empty database is not a restored one.
    #[error("the store has nothing of what the ledger knows")]
    NothingRestored,
}

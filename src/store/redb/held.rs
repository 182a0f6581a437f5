//! The database that a store holds. The engine takes nothing more after an I/O error until the file is opened again: that
//! is done here, so that a full disk or a reading that failed once does not end the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::failure::{caught, failed, gone, panicked, unavailable};
use super::file;
use crate::store::{StoreError, StoreFailure};

pub(super) struct Held {
    path: PathBuf,
    opener: Opener,
    state: RwLock<State>,
}

/// Opens the file once more.
pub(super) type Opener = Box<dyn Fn(&Path) -> Result<Database, StoreError> + Send + Sync>;

struct State {
    /// None after it could not be opened again. The next one tries.
    database: Option<Database>,
    /// How often it was opened again.
    times: u64,
    /// A transaction panicked: what the engine has in memory is not to be written any more.
    halted: bool,
}

impl Held {
    pub(super) fn new(database: Database, path: PathBuf, opener: Opener) -> Self {
        Self { path, opener, state: RwLock::new(State { database: Some(database), times: 0, halted: false }) }
    }

    // What panics while it holds the lock is caught within.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads, and once more where the database had to be opened again.
    pub(super) fn read<T>(&self, work: impl Fn(ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        for _ in 0..MOST_TRIES {
            let state = self.state();
            if let Some(database) = &state.database {
                match caught(|| work(database.begin_read().map_err(failed)?)) {
                    Err(error) if error.failure() == StoreFailure::Reopen => {}
                    done => return done,
                }
            }
            let times = state.times;
            drop(state);
            self.reopen(times)?;
        }
        Err(gone())
    }

    /// Writes. A transaction that has begun is not tried again: it may have been made.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        for _ in 0..MOST_TRIES {
            let state = self.state();
            if state.halted {
                return Err(panicked());
            }
            let times = state.times;
            let begun = match &state.database {
                None => None,
                Some(database) => match caught(|| database.begin_write().map_err(failed)) {
                    Err(error) if error.failure() == StoreFailure::Reopen => None,
                    begun => Some(begun?),
                },
            };
            let Some(writing) = begun else {
                drop(state);
                self.reopen(times)?;
                continue;
            };
            let done = caught(|| work(writing));
            drop(state);
            return done.map_err(|error| self.after(error, times));
        }
        Err(gone())
    }

    /// What is to be done after a transaction that failed, and what the caller is told.
    fn after(&self, error: StoreError, times: u64) -> StoreError {
        match error.failure() {
            StoreFailure::Corrupt if error == panicked() => self.state_mut().halted = true,
            StoreFailure::Unavailable | StoreFailure::Reopen | StoreFailure::Full => {
                // If it cannot be opened now, the next one who asks is told so.
                let _later = self.reopen(times);
            }
            _ => {}
        }
        match error.failure() {
            StoreFailure::Reopen => StoreError::new(StoreFailure::Unavailable, error.text()),
            _ => error,
        }
    }

    /// Closes and opens it, unless somebody has done so since.
    fn reopen(&self, times: u64) -> Result<(), StoreError> {
        let mut state = self.state_mut();
        if state.times != times && state.database.is_some() {
            return Ok(());
        }
        close(&mut state);
        state.times += 1;
        state.database = Some((self.opener)(&self.path)?);
        Ok(())
    }

    /// Puts another file in the place of this one. Both are held meanwhile, so that nobody who waits for this one gets what
    /// is no longer in its place.
    pub(super) fn exchange(&self, new: &Path) -> Result<(), StoreError> {
        let database = (self.opener)(new)?;
        let mut state = self.state_mut();
        fs::rename(new, &self.path).map_err(unavailable)?;
        close(&mut state);
        state.times += 1;
        state.database = Some(database);
        drop(state);
        file::lasting(&self.path).map_err(unavailable)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn close(state: &mut State) {
    let database = state.database.take();
    // The engine writes when it is closed, and may give up over what is damaged.
    let _closed = caught(|| {
        drop(database);
        Ok(())
    });
}

impl Drop for Held {
    fn drop(&mut self) {
        close(&mut self.state_mut());
    }
}

/// How often a database is opened again for one call.
const MOST_TRIES: usize = 3;

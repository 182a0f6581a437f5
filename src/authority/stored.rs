//! An authority in a store.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Authority;
use super::shards::MAX_SHARDS;
use super::state::MAX_STATE;
use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, Hash, Version};
use crate::pin::Pins;
use crate::seal::{StateKey, StatePiece};
use crate::secret::Secret;
use crate::store::space::LargeKeys;
use crate::store::{Held, Large, LargeLimits, Next, Replaced, Store, StoreError};

/// An [`Authority`] whose state lies in a [`Store`], sealed, and is written before what a change made is given out.
///
/// The state lies under `authority/id/state/`, in as many values as it takes, people by the thousand: a change of one
/// person writes those whom she is among, and a list of all. Two processes may have one authority open; each change goes on from
/// what the other one wrote.
///
/// Keep it in a store of its own that outlives backups and is never restored from one: an authority that is
/// taken back to an earlier state gives numbers and versions out twice. The [`Pins`] remember how often it was written, and
/// refuse one that was taken back. [`backup`](crate::backup) leaves it out, and no erasure of a patient touches it.
///
/// # Example
///
/// ```
/// use chartseal::{Error, Secret, authority::{Authority, StoredAuthority}, id::Time, identity::Identity};
/// use chartseal::{pin::PinStore, store::MemoryStore};
///
/// # pollster::block_on(async {
/// let (store, mut pins) = (MemoryStore::new(), PinStore::default());
/// let key = Secret::random()?; // Kept where keys are kept, and not in this store.
/// let hospital = Authority::setup("st-olave".parse()?, Time::at(1_775_000_000))?;
/// StoredAuthority::create(&store, &key, &mut pins, hospital).await?;
///
/// let mut hospital = StoredAuthority::open(&store, &key, &mut pins, "st-olave".parse()?).await?;
/// let ada = Identity::generate("dr-ada".parse()?)?.enrol()?;
/// let number = hospital.change(|hospital| hospital.enrol(&ada)).await?;
/// assert_eq!(number.get(), 1);
/// drop(hospital);
///
/// let stranger = Secret::random()?;
/// let opened = StoredAuthority::open(&store, &stranger, &mut pins, "st-olave".parse()?).await;
/// assert!(matches!(opened, Err(Error::CannotOpen)));
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
///
/// # Security
///
/// What lies in the store is sealed under the key, whole: pieces of two states do not open together. Whoever has the key and
/// the store is the authority.
pub struct StoredAuthority<'a> {
    id: AuthorityId,
    place: Large<'a>,
    key: StateKey,
    pins: &'a mut dyn Pins,
    /// None after a failure, and while a change is being made: what is at hand may not be what lies in the store.
    known: Option<Known>,
}

/// What lies in the store, at hand.
struct Known {
    authority: Authority,
    base: Held,
    /// How often it was written.
    version: Version,
    /// SHA-256 of the bytes without the people.
    core: [u8; 32],
    kept: Arc<()>,
}

impl<'a> StoredAuthority<'a> {
    /// Puts an authority into a store that has none of its name: a new one, or one from a safe. If the pins know of one that was
    /// stored before, this one does not know what that issued last: it [issues](Authority::issue) anew, and
    /// [reissues](Authority::reissue) nothing of before.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if there is one; [`Error::Randomness`]; [`Error::Store`].
    pub async fn create(
        store: &'a dyn Store,
        key: &Secret<[u8; 32]>,
        pins: &'a mut dyn Pins,
        mut authority: Authority,
    ) -> Result<Self> {
        const THERE: Error = Error::ApiMisuse("the store has an authority of this name already");
        let mut stored = Self::new(store, key, pins, authority.id().clone());
        let base = stored.place.held().await?;
        if base.is_there() {
            return Err(THERE);
        }
        // An earlier one of this name may have been lost, and this one is what is left of it.
        let seen = stored.pins.seen(WHAT, stored.id.as_str())?;
        let version = match seen {
            Some((version, _)) => {
                authority.state.forget_serials(version);
                version
            }
            None => Version(0),
        };
        let known = Known { authority, base, version, core: [0; 32], kept: Arc::new(()) };
        stored.known = Some(stored.save(known).await?.ok_or(THERE)?);
        Ok(stored)
    }

    /// Opens the authority of this name.
    ///
    /// # Errors
    ///
    /// [`Error::Unknown`] if there is none; [`Error::CannotOpen`] if the key is another, or somebody changed what lies there;
    /// [`Error::Malformed`] and [`Error::TooLarge`] if it is damaged; [`Error::Rollback`] and [`Error::Fork`] if the pins know
    /// of a later state, or another one; [`Error::Store`].
    pub async fn open(
        store: &'a dyn Store,
        key: &Secret<[u8; 32]>,
        pins: &'a mut dyn Pins,
        authority: AuthorityId,
    ) -> Result<Self> {
        let mut stored = Self::new(store, key, pins, authority);
        stored.known = Some(stored.load().await?);
        Ok(stored)
    }

    fn new(store: &'a dyn Store, key: &Secret<[u8; 32]>, pins: &'a mut dyn Pins, id: AuthorityId) -> Self {
        let limits = LargeLimits { parts: MAX_SHARDS, bytes: MAX_STATE as u64 };
        let place = Large::new(store, LargeKeys::of_authority(&id, "state"), limits, WHAT);
        Self { key: StateKey::new(key, id.clone()), id, place, pins, known: None }
    }

    /// The authority as it was read or written last; read again after a failure.
    ///
    /// # Errors
    ///
    /// As for [`StoredAuthority::open`].
    pub async fn authority(&mut self) -> Result<&Authority> {
        let known = match self.known.take() {
            Some(known) => known,
            None => self.load().await?,
        };
        Ok(&self.known.insert(known).authority)
    }

    /// Makes a change, writes it, and then gives what the change gave. If another process wrote meanwhile, the change is made
    /// again, to what that one wrote: what an earlier try gave is thrown away, and must not have left the house.
    ///
    /// What the change did before it failed is written, too, as it would stay with an [`Authority`] at hand. If nothing was
    /// changed, nothing is written.
    ///
    /// # Errors
    ///
    /// Those of the change, and of [`StoredAuthority::open`]. [`Error::Store`]: the change may be written or not. Nothing of it
    /// was given out; the next call goes on from what lies in the store. [`Error::ApiMisuse`] if the change put another
    /// authority in the place of this one.
    pub async fn change<T: Send>(&mut self, mut change: impl FnMut(&mut Authority) -> Result<T> + Send) -> Result<T> {
        for _ in 0..MOST_TRIES {
            let mut known = match self.known.take() {
                Some(known) => known,
                None => self.load().await?,
            };
            let done = change(&mut known.authority);
            if let Some(known) = self.save(known).await? {
                self.known = Some(known);
                return done;
            }
        }
        Err(StoreError::busy("others are changing the same authority all the while").into())
    }

    async fn load(&mut self) -> Result<Known> {
        let Some((base, parts)) = self.place.read().await? else {
            return Err(Error::Unknown(Unknown::AuthorityState(self.id.clone())));
        };
        let text = self.key.open(StatePiece::Core(&base.hash()?), base.note())?;
        let (version, core) = text.split_first_chunk().ok_or(Error::Malformed(WHAT))?;
        let version = Version(u64::from_be_bytes(*version));
        let mut authority = Authority::assemble(core, |mut state| {
            if state.shards() > 0 || !state.revoked.is_empty() {
                return Err(Error::Malformed(WHAT));
            }
            for (at, part) in parts.into_iter().enumerate() {
                state = state.with_shard(at, &self.key.open(StatePiece::Shard(at as u64), &part)?)?;
            }
            Ok(state)
        })?;
        if *authority.id() != self.id {
            return Err(Error::Malformed(WHAT));
        }
        self.pins.accept(WHAT, self.id.as_str(), version, note_hash(&base))?;
        let kept = Arc::new(());
        authority.state.kept(kept.clone());
        Ok(Known { core: digest(core), authority, base, version, kept })
    }

    /// Writes what was changed; none if somebody else wrote meanwhile.
    async fn save(&mut self, known: Known) -> Result<Option<Known>> {
        let Known { mut authority, base, version, core: before, kept } = known;
        if *authority.id() != self.id {
            return Err(Error::ApiMisuse("this is another authority"));
        }
        let (changed, text) = (authority.state.changed_since(&kept), authority.core()?);
        let core = digest(text.expose());
        if base.is_there() && changed.is_empty() && core == before {
            return Ok(Some(Known { authority, base, version, core, kept }));
        }
        let version = Version(version.0.checked_add(1).ok_or(Error::TooLarge(WHAT))?);
        let mut new = authority.state.encode_shards(&changed)?;
        let mut next = Vec::with_capacity(authority.state.shards());
        for at in 0..authority.state.shards() {
            next.push(match (new.remove(&at), base.named().get(at)) {
                (Some(text), _) => Next::New(self.key.seal(StatePiece::Shard(at as u64), &text)?),
                (None, Some(part)) => Next::Kept(*part),
                (None, None) => return Err(Error::Malformed(WHAT)),
            });
        }
        let key = &self.key;
        let note = move |parts: &Hash| {
            let mut whole = Zeroizing::new(Vec::with_capacity(8 + text.expose().len()));
            whole.extend_from_slice(&version.0.to_be_bytes());
            whole.extend_from_slice(text.expose());
            key.seal(StatePiece::Core(parts), &whole)
        };
        let Replaced::Done(base) = self.place.replace(base, next, note).await? else { return Ok(None) };
        self.pins.accept(WHAT, self.id.as_str(), version, note_hash(&base))?;
        let kept = Arc::new(());
        authority.state.kept(kept.clone());
        Ok(Some(Known { authority, base, version, core, kept }))
    }
}

/// What the pins remember: no two notes are the same, and each authenticates the parts beside it.
fn note_hash(held: &Held) -> Hash {
    Hash(digest(held.note()))
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl std::fmt::Debug for StoredAuthority<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredAuthority").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How often a change is made again that others get ahead of.
const MOST_TRIES: usize = 16;
const WHAT: &str = "authority state";

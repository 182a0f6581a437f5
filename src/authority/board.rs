//! What authorities publish, in a store.

use super::statements::{Bulletin, MAX_LIST, ParametersStatement, PeopleMap, RevocationList};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, Version};
use crate::identity::{Signed, Statement};
use crate::store::space::LargeKeys;
use crate::store::{Large, LargeLimits, Next, Replaced, Store, StoreError};

/// Bulletins in a [`Store`], for hosts to fetch: under `authority/id/`, in as many values as they take.
///
/// Nobody needs to trust the store: [`Trust`](super::Trust) verifies what comes from it, and the pins find what is old. A list is
/// written whole, and replaced at once; of three million people that is a map of some 60 MB, so publish when the day's people
/// are enrolled and not after each.
///
/// Keep it where the authority's own state lies ([`StoredAuthority`](super::StoredAuthority)), or in any store but the records':
/// [`backup`](crate::backup) leaves it out, and no erasure of a patient touches it.
///
/// # Example
///
/// ```
/// use chartseal::authority::{Authority, BulletinBoard, REVOCATION_LIMIT, Trust};
/// use chartseal::{Error, id::Time, pin::PinStore, store::MemoryStore};
///
/// # pollster::block_on(async {
/// let (store, now) = (MemoryStore::new(), Time::at(1_775_000_000));
/// let mut hospital = Authority::setup("st-olave".parse()?, now)?;
/// let board = BulletinBoard::new(&store);
/// board.post(&hospital.publish(now)?).await?;
///
/// let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
/// trust.add(hospital.anchor())?;
/// let bulletin = board.bulletin(hospital.id()).await?.expect("it was posted");
/// trust.update(&bulletin, &mut pins, now)?;
/// assert!(board.bulletin(&"st-bride".parse()?).await?.is_none());
/// # Ok::<(), Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy)]
pub struct BulletinBoard<'a> {
    store: &'a dyn Store,
}

impl<'a> BulletinBoard<'a> {
    /// In this store.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store }
    }

    /// Posts a bulletin in the place of the one before. What is there already, and whole, is not written again; what is
    /// damaged is.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] if its statements are of several authorities; [`Error::Rollback`] if a later list of the same kind
    /// was posted: what came before that is written; [`Error::Randomness`]; [`Error::Store`]: each piece is the new or the old
    /// one, whole.
    pub async fn post(&self, bulletin: &Bulletin) -> Result<()> {
        let Bulletin { parameters, revocations, people, previous } = bulletin;
        let authority = &parameters.unverified().authority;
        let others = [&revocations.unverified().authority, &people.unverified().authority];
        let previous_of = previous.as_ref().map(|previous| &previous.unverified().authority);
        if others.into_iter().chain(previous_of).any(|other| other != authority) {
            return Err(Error::ApiMisuse("a bulletin is of one authority"));
        }
        let mut pieces = vec![parameters.to_cbor()?];
        pieces.extend(previous.as_ref().map(Signed::to_cbor).transpose()?);
        self.put::<ParametersStatement>(authority, parameters.unverified().version, pieces).await?;
        self.post_revocations(revocations).await?;
        self.put::<PeopleMap>(authority, people.unverified().version, vec![people.to_cbor()?]).await
    }

    /// Posts a revocation list alone, such as [`Authority::renew_revocations`](super::Authority::renew_revocations) gives.
    ///
    /// # Errors
    ///
    /// As for [`BulletinBoard::post`].
    pub async fn post_revocations(&self, list: &Signed<RevocationList>) -> Result<()> {
        let RevocationList { authority, version, .. } = list.unverified();
        self.put::<RevocationList>(authority, *version, vec![list.to_cbor()?]).await
    }

    /// What an authority posted last; none before all of its first bulletin is there.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], [`Error::TooLarge`] or [`Error::UnknownVersion`] if it is damaged; [`Error::Store`].
    pub async fn bulletin(&self, authority: &AuthorityId) -> Result<Option<Bulletin>> {
        let Some((parameters, previous)) = self.get::<ParametersStatement>(authority).await? else { return Ok(None) };
        let Some((revocations, None)) = self.get::<RevocationList>(authority).await? else { return Ok(None) };
        let Some((people, None)) = self.get::<PeopleMap>(authority).await? else { return Ok(None) };
        Ok(Some(Bulletin { parameters, revocations, people, previous }))
    }

    /// The revocation list that an authority posted last, alone; none if it posted none.
    ///
    /// # Errors
    ///
    /// As for [`BulletinBoard::bulletin`].
    pub async fn revocations(&self, authority: &AuthorityId) -> Result<Option<Signed<RevocationList>>> {
        Ok(self.get::<RevocationList>(authority).await?.map(|(list, _)| list))
    }

    async fn put<T: Posted>(&self, authority: &AuthorityId, version: Version, parts: Vec<Vec<u8>>) -> Result<()> {
        let place = self.place::<T>(authority);
        let note = version.0.to_be_bytes();
        for _ in 0..MOST_TRIES {
            let base = place.held_or_damaged().await?;
            let later = base.note().try_into().is_ok_and(|held| u64::from_be_bytes(held) > version.0);
            if later && self.has_later::<T>(authority, version).await? {
                return Err(Error::Rollback(T::WHAT));
            }
            let same = base.note() == note
                && base.named().len() == parts.len()
                && base.named().iter().zip(&parts).all(|(part, bytes)| part.is_of(bytes));
            if same {
                match place.parts(&base).await {
                    Ok(_) => return Ok(()),
                    Err(error) if error.is_damage() => {}
                    Err(error) => return Err(error),
                }
            }
            let next = parts.iter().cloned().map(Next::New).collect();
            if let Replaced::Done(_) = place.replace(base, next, |_| Ok(note.to_vec())).await? {
                return Ok(());
            }
        }
        Err(StoreError::busy("others are posting the same list all the while").into())
    }

    /// Whether the list itself says that it is later: a note that says so alone is damaged, or somebody planted it, and would
    /// keep every list out.
    async fn has_later<T: Posted>(&self, authority: &AuthorityId, version: Version) -> Result<bool> {
        match self.get::<T>(authority).await {
            Err(error) if error.is_damage() => Ok(false),
            held => Ok(held?.is_some_and(|(held, _)| held.unverified().version() > version)),
        }
    }

    /// A statement, and the one that lies beside it.
    async fn get<T: Posted>(&self, authority: &AuthorityId) -> Result<Option<(Signed<T>, Option<Signed<T>>)>> {
        let Some((_, parts)) = self.place::<T>(authority).read().await? else { return Ok(None) };
        let (first, rest) = parts.split_first().ok_or(Error::Malformed(T::WHAT))?;
        let read = |bytes: &[u8]| -> Result<Signed<T>> {
            let signed = Signed::<T>::from_cbor(bytes)?;
            if signed.unverified().authority() == authority { Ok(signed) } else { Err(Error::Malformed(T::WHAT)) }
        };
        Ok(Some((read(first)?, rest.first().map(|beside| read(beside)).transpose()?)))
    }

    fn place<T: Posted>(&self, authority: &AuthorityId) -> Large<'a> {
        Large::new(self.store, LargeKeys::of_authority(authority, T::NAME), T::LIMITS, T::WHAT)
    }
}

/// A statement that is posted.
trait Posted: Statement + Sync {
    /// What it lies under.
    const NAME: &'static str;
    const LIMITS: LargeLimits = LargeLimits { parts: 1, bytes: MAX_LIST as u64 };

    fn authority(&self) -> &AuthorityId;
    fn version(&self) -> Version;
}

impl Posted for ParametersStatement {
    const NAME: &'static str = "parameters";
    // Those before them lie beside.
    const LIMITS: LargeLimits = LargeLimits { parts: 2, bytes: 2 * Self::LIMIT as u64 };

    fn authority(&self) -> &AuthorityId {
        &self.authority
    }

    fn version(&self) -> Version {
        self.version
    }
}

impl Posted for RevocationList {
    const NAME: &'static str = "revocations";

    fn authority(&self) -> &AuthorityId {
        &self.authority
    }

    fn version(&self) -> Version {
        self.version
    }
}

impl Posted for PeopleMap {
    const NAME: &'static str = "people";

    fn authority(&self) -> &AuthorityId {
        &self.authority
    }

    fn version(&self) -> Version {
        self.version
    }
}

impl std::fmt::Debug for BulletinBoard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BulletinBoard").finish_non_exhaustive()
    }
}

/// How often a list that others are posting is posted again.
const MOST_TRIES: usize = 16;

//! Which ledger is whose: a ledger and a store that know each other.
//!
//! Each has a random id, and keeps the other's. The store is told first, by writing what was not there; then the ledger, by
//! an exchange of what it said before. Whoever dies in between leaves a store that names the ledger, and a ledger that names
//! none, or the store before: neither goes with the other yet, and to do it again ends it.

use super::entry::{opened, sealed};
use super::{Ledger, LedgerError};
use crate::error::{Error, Result};
use crate::store::space::BOUND;
use crate::store::{Each, Entry, Op, Outcome, Store, Tag, each, is_there, only};
use crate::wire::Reader;

/// The random id of a ledger, or of a store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id([u8; 16]);

/// What store and ledger say of each other.
pub(crate) struct Sides {
    /// What the store says, and which write that was.
    store: Option<(Tag, Bound)>,
    /// What the ledger says, and which write that was.
    ledger: (Tag, Identity),
}

/// What a store says of its ledger.
#[derive(Clone, PartialEq, Eq)]
struct Bound {
    store: Id,
    ledger: Id,
    line: Line,
}

/// What a ledger says of itself and its store.
#[derive(Clone, PartialEq, Eq)]
struct Identity {
    ledger: Id,
    bound: Option<(Id, Line)>,
}

/// The ledgers that were lost, one after the other, until this one came into the place of the last, the earliest first.
///
/// By their ids, and not by their number: of a store and its copy, each may have lost its ledger, and the ledger of one may
/// know nothing of what the other's knew.
#[derive(Clone, Default, PartialEq, Eq)]
struct Line(Vec<Id>);

/// How a store and a ledger stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Each names the other.
    Bound,
    /// The store names this ledger, which names none yet: a binding was begun.
    Begun,
    /// Neither names anybody.
    Free,
    /// The store names another ledger, this ledger none.
    StoreOfAnother,
    /// The store names nobody, or this ledger under another id than that of the store that the ledger names.
    LedgerOfAnother,
    /// The store names an earlier ledger of the same line: it is a copy from before the ledger was replaced.
    Earlier,
    /// Each names another.
    Strangers,
}

impl Line {
    /// That of whoever comes into the place of this ledger of the line.
    fn then(&self, lost: Id) -> Self {
        let all = self.0.iter().copied().chain([lost]);
        Self(all.skip((self.0.len() + 1).saturating_sub(MAX_LINE)).collect())
    }
}

impl Id {
    fn random() -> Result<Self> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Error::Randomness)?;
        Ok(Self(id))
    }
}

impl<'a> Ledger<'a> {
    /// Creates a ledger in an empty store, which is not the one that records lie in, nor restored with it. It refuses nothing
    /// yet: [bind](crate::repository::Repository::bind) it to a new store.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Occupied`] if a ledger lies there, or anything else: of several who create one at once, one does it.
    /// After [`Error::Store`] it may have been created: [open](Ledger::open) it then. [`Error::Randomness`].
    pub async fn create(store: &'a dyn Store) -> Result<Self> {
        if !store.keys("", "", 1).await?.is_empty() {
            return Err(LedgerError::Occupied.into());
        }
        let identity = Identity { ledger: Id::random()?, bound: None };
        let op = Op::Put { key: IDENTITY.to_owned(), value: identity.encode() };
        match store.apply(vec![op]).await?.as_slice() {
            [Outcome::Written(_)] => Ok(Self { store, id: identity.ledger }),
            _ => Err(LedgerError::Occupied.into()),
        }
    }

    /// The ledger in this store.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Missing`] if there is none; [`Error::Malformed`] if what it says of itself is damaged;
    /// [`Error::Store`].
    pub async fn open(store: &'a dyn Store) -> Result<Self> {
        let held = only(store, IDENTITY).await?.ok_or(LedgerError::Missing)?;
        Ok(Self { store, id: Identity::decode(&held.value)?.ledger })
    }

    /// Refuses a store that this ledger is not bound to.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; [`Error::Malformed`] if what one of the two says is damaged; [`Error::Store`].
    pub(crate) async fn check(&self, store: &dyn Store) -> Result<()> {
        let sides = self.sides(store).await?;
        match sides.relation(self) {
            Relation::Bound => Ok(()),
            // Else this would be said of a store that is the ledger's own.
            _ if self.lies_in(store).await? => Err(LedgerError::SameStore.into()),
            Relation::Begun | Relation::Free => Err(LedgerError::Unbound.into()),
            Relation::StoreOfAnother | Relation::Earlier | Relation::Strangers => Err(LedgerError::OtherLedger.into()),
            Relation::LedgerOfAnother => Err(LedgerError::OtherStore.into()),
        }
    }

    /// What a store and this ledger say of each other.
    pub(crate) async fn sides(&self, store: &dyn Store) -> Result<Sides> {
        let said = only(store, BOUND).await?;
        let said = said.map(|held| Ok::<_, Error>((held.tag, Bound::decode(&held.value)?))).transpose()?;
        let Entry { tag, value } = only(self.store, IDENTITY).await?.ok_or(LedgerError::Missing)?;
        let identity = Identity::decode(&value)?;
        // Another ledger was put into its place.
        if identity.ledger != self.id {
            return Err(LedgerError::Missing.into());
        }
        Ok(Sides { store: said, ledger: (tag, identity) })
    }

    /// What lies under these keys, if this ledger is still there: where it is gone, and nothing lies, nothing is known.
    pub(super) async fn held(&self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        let asked: Vec<String> = std::iter::once(IDENTITY.to_owned()).chain(keys.iter().cloned()).collect();
        let mut held = self.store.get(&asked).await?.into_iter();
        let identity = held.next().flatten().ok_or(LedgerError::Missing)?;
        if Identity::decode(&identity.value)?.ledger != self.id {
            return Err(LedgerError::Missing.into());
        }
        Ok(held.collect())
    }

    /// Whether something lies under this key, damaged or not, if this ledger is still there.
    pub(super) async fn has(&self, key: String) -> Result<bool> {
        let held = self.look(&[IDENTITY.to_owned(), key]).await?;
        Ok(held.last().is_some_and(|held| !matches!(held, Ok(None))))
    }

    /// Refuses a store that this ledger is not in any more: that it lists nothing says nothing.
    pub(super) async fn is_there(&self) -> Result<()> {
        self.look(&[IDENTITY.to_owned()]).await.map(drop)
    }

    /// What lies under these keys, each by itself, the ledger's own first; where that is damaged, it is taken for this one's.
    async fn look(&self, keys: &[String]) -> Result<Vec<Each<Entry>>> {
        let held = each(self.store, keys).await?;
        match held.first() {
            Some(Ok(Some(own))) if Identity::decode(&own.value).is_ok_and(|own| own.ledger != self.id) => {
                Err(LedgerError::Missing.into())
            }
            Some(Ok(Some(_)) | Err(_)) => Ok(held),
            Some(Ok(None)) | None => Err(LedgerError::Missing.into()),
        }
    }

    /// Whether a ledger lies in this store; not where a view of it does not show that.
    pub(crate) async fn lies_in(&self, store: &dyn Store) -> Result<bool> {
        Ok(is_there(store, &[IDENTITY.to_owned()]).await.is_ok_and(|held| held.contains(&true)))
    }

    /// Whether it knows of nothing yet.
    pub(crate) async fn is_blank(&self) -> Result<bool> {
        let keys = self.store.keys("", "", 2).await?;
        Ok(keys.iter().all(|key| key == IDENTITY))
    }

    /// Has store and ledger name each other. Says whether it is done; if not, somebody else changed what one of them says.
    pub(crate) async fn tie(&self, store: &dyn Store, sides: Sides) -> Result<bool> {
        let Sides { store: said, ledger: (tag, identity) } = sides;
        let (before, said) = said.map_or((None, None), |(tag, said)| (Some(tag), Some(said)));
        let mine = identity.store();
        // A store that named another ledger stays what it is; one that is restored is another than that of before, and so is
        // a copy from before the ledger was replaced, which may have the store's own id.
        let id = match &said {
            Some(said) if said.ledger == self.id || mine.is_none() => said.store,
            _ => Id::random()?,
        };
        let line = match (identity.bound, &said) {
            (Some((_, line)), _) => line,
            (None, Some(said)) if said.ledger == self.id => said.line.clone(),
            (None, Some(said)) => said.line.then(said.ledger),
            (None, None) => Line::default(),
        };
        let bound = Bound { store: id, ledger: self.id, line: line.clone() };
        let mut written = None;
        if said.as_ref() != Some(&bound) {
            let (key, value) = (BOUND.to_owned(), bound.encode());
            let op = match before {
                None => Op::Put { key, value },
                Some(tag) => Op::Swap { key, tag, value },
            };
            match store.apply(vec![op]).await?.pop() {
                Some(Outcome::Written(tag)) => written = Some(tag),
                _ => return Ok(false),
            }
        }
        if mine == Some(id) {
            return Ok(true);
        }
        let next = Identity { ledger: self.id, bound: Some((id, line)) };
        let op = Op::Swap { key: IDENTITY.to_owned(), tag, value: next.encode() };
        if matches!(self.store.apply(vec![op]).await?.as_slice(), [Outcome::Written(_)]) {
            return Ok(true);
        }
        // Bound to another store meanwhile: this one stays free, or its own ledger's.
        if let Some(tag) = written
            && self.sides(store).await?.ledger.1.store() != Some(id)
        {
            let key = BOUND.to_owned();
            let back = match said {
                None => Op::Delete { key, tag },
                Some(said) => Op::Swap { key, tag, value: said.encode() },
            };
            store.apply(vec![back]).await?;
        }
        Ok(false)
    }

    pub(super) fn is_identity(&self, key: &str, value: &[u8]) -> bool {
        key == IDENTITY && Identity::decode(value).is_ok()
    }
}

impl Sides {
    pub(crate) fn relation(&self, ledger: &Ledger<'_>) -> Relation {
        let said = self.store.as_ref().map(|(_, said)| said);
        match (said, &self.ledger.1.bound) {
            (None, None) => Relation::Free,
            (None, Some(_)) => Relation::LedgerOfAnother,
            (Some(said), bound) if said.ledger == ledger.id => match bound {
                None => Relation::Begun,
                Some((store, _)) if *store == said.store => Relation::Bound,
                Some(_) => Relation::LedgerOfAnother,
            },
            (Some(_), None) => Relation::StoreOfAnother,
            (Some(said), Some((_, Line(lost)))) if lost.contains(&said.ledger) => Relation::Earlier,
            (Some(_), Some(_)) => Relation::Strangers,
        }
    }
}

impl Bound {
    fn encode(&self) -> Vec<u8> {
        sealed(BOUND, &[&self.store.0[..], &self.ledger.0, &self.line.encode()].concat())
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = opened(BOUND, bytes)?;
        let (store, ledger) = (Id(*reader.array()?), Id(*reader.array()?));
        let line = Line::decode(&mut reader)?;
        reader.finish()?;
        Ok(Self { store, ledger, line })
    }
}

impl Identity {
    fn store(&self) -> Option<Id> {
        self.bound.as_ref().map(|(store, _)| *store)
    }

    fn encode(&self) -> Vec<u8> {
        let bound = self.bound.as_ref().map(|(store, line)| [&store.0[..], &line.encode()].concat());
        let bound = bound.unwrap_or_default();
        sealed(IDENTITY, &[&self.ledger.0[..], &bound].concat())
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = opened(IDENTITY, bytes)?;
        let ledger = Id(*reader.array()?);
        let bound = if reader.clone().rest().is_empty() {
            None
        } else {
            Some((Id(*reader.array()?), Line::decode(&mut reader)?))
        };
        reader.finish()?;
        Ok(Self { ledger, bound })
    }
}

impl Line {
    fn encode(&self) -> Vec<u8> {
        // INVARIANT: there are at most `MAX_LINE`.
        let count = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        std::iter::once(count).chain(self.0.iter().flat_map(|id| id.0)).collect()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let count = reader.u8()?;
        (0..count).map(|_| Ok(Id(*reader.array()?))).collect::<Result<_>>().map(Self)
    }
}

/// Most lost ledgers that are remembered: the earliest is forgotten first.
const MAX_LINE: usize = 255;
/// What a ledger says of itself.
const IDENTITY: &str = "identity";

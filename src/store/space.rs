//! The key space: every kind of entry there is, and how its keys are made and read.
//!
//! ```text
//! content/owner/record                              latest content and the older ones; replaced by an amendment
//! past/owner/record/revision                        the contents of an earlier revision
//! envelope/owner/compartment/record/content         replaced by a re-encryption
//! wrap/owner/compartment/record/root                replaced by a rewrap
//! body/owner/compartment/record/root/number         one segment of a body; never replaced
//! replaced/owner/compartment/record/root            a note: wrap and body of that root are needed no more
//! consent/owner/compartment/place                   never replaced
//! stale/owner/compartment                           a note: records came out of a backup under older keys
//! job/owner/compartment/key/pass/name               how far a job is
//! quarantine/owner/compartment/key/pass/name/hash   the key of an entry that a job could not move
//! restoring                                         a note: a backup is being restored
//! bound                                             the id of this store, and of its ledger
//! authority/authority/name/head                     what a large value is made of; replaced
//! authority/authority/name/part/id/number           one segment of a part of it; never replaced
//! ```
//!
//! `content` and `root` are hashes in base64url without padding, `hash` is SHA-256 of the key that is the value,
//! `revision` and the numbers of `place` have 20 decimal digits, `number` has two. Every key down to `quarantine` begins with
//! its kind and its owner, so that whatever goes through an owner's entries ([`Kind::ALL`]) leaves none out.
//!
//! The keys of an authority belong to no owner: no erasure touches them, and no backup holds them. Of these, `name` is
//! `state`, `parameters`, `revocations` or `people`, `id` is 16 bytes in base64url, and `number` has four digits. The keys of a
//! ledger stand in `ledger`, which has a store of its own.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::id::{AuthorityId, CompartmentId, Hash, KeyId, OwnerId, RecordId, Revision};

/// A kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Consent,
    Wrap,
    Content,
    Past,
    Envelope,
    Body,
    Replaced,
    Stale,
    Job,
    Quarantine,
}

/// There while a backup is being restored: of half a store, nothing is served.
pub(crate) const RESTORING: &str = "restoring";

/// What a store says of its ledger. It is about the store that it lies in, and part of no backup.
pub(crate) const BOUND: &str = "bound";

impl Kind {
    /// All of them; what gives keys first, so that an erasure that is cut off has deleted that.
    pub(crate) const ALL: [Self; 10] = [
        Self::Consent,
        Self::Wrap,
        Self::Content,
        Self::Past,
        Self::Envelope,
        Self::Body,
        Self::Replaced,
        Self::Stale,
        Self::Job,
        Self::Quarantine,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Wrap => "wrap",
            Self::Content => "content",
            Self::Past => "past",
            Self::Envelope => "envelope",
            Self::Body => "body",
            Self::Replaced => "replaced",
            Self::Stale => "stale",
            Self::Job => "job",
            Self::Quarantine => "quarantine",
        }
    }

    /// Whether it is part of a backup. Jobs begin anew, and the notes are about the store that they lie in.
    pub(crate) const fn is_kept(self) -> bool {
        match self {
            Self::Consent | Self::Wrap | Self::Content | Self::Past | Self::Envelope | Self::Body => true,
            Self::Replaced | Self::Stale | Self::Job | Self::Quarantine => false,
        }
    }

    /// Of which kind a key is.
    pub(crate) fn of(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.strip(key).is_some())
    }

    /// What follows the kind in a key of this kind.
    fn strip(self, key: &str) -> Option<&str> {
        key.strip_prefix(self.name())?.strip_prefix('/')
    }

    /// What all keys of this kind begin with.
    pub(crate) fn prefix(self) -> String {
        format!("{}/", self.name())
    }

    /// What those of an owner begin with.
    pub(crate) fn of_owner(self, owner: &OwnerId) -> String {
        format!("{}/{owner}/", self.name())
    }

    /// What those of a compartment begin with, if the kind belongs to one.
    pub(crate) fn of_compartment(self, owner: &OwnerId, compartment: &CompartmentId) -> String {
        format!("{}/{owner}/{compartment}/", self.name())
    }
}

/// The key of a record's first piece.
pub(crate) fn content(owner: &OwnerId, record: &RecordId) -> String {
    format!("{}{record}", Kind::Content.of_owner(owner))
}

/// Whose the first piece under this key is.
pub(crate) fn content_of(key: &str) -> Option<(OwnerId, RecordId)> {
    let (owner, record) = Kind::Content.strip(key)?.split_once('/')?;
    Some((OwnerId::new(owner).ok()?, RecordId::new(record).ok()?))
}

/// What the keys of a record's earlier revisions begin with.
pub(crate) fn all_past(owner: &OwnerId, record: &RecordId) -> String {
    format!("{}{record}/", Kind::Past.of_owner(owner))
}

pub(crate) fn past(owner: &OwnerId, record: &RecordId, revision: Revision) -> String {
    format!("{}{:020}", all_past(owner, record), revision.0)
}

/// Which record, and which revision of it, lies under this key.
pub(crate) fn past_of(key: &str) -> Option<(OwnerId, RecordId, Revision)> {
    let (owner, rest) = Kind::Past.strip(key)?.split_once('/')?;
    let (record, revision) = rest.split_once('/')?;
    let number = revision.parse().ok().filter(|number| format!("{number:020}") == revision)?;
    Some((OwnerId::new(owner).ok()?, RecordId::new(record).ok()?, Revision(number)))
}

/// Where the pieces of a record's part lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartKeys<'a> {
    pub(crate) owner: &'a OwnerId,
    pub(crate) compartment: &'a CompartmentId,
    pub(crate) record: &'a RecordId,
}

impl PartKeys<'_> {
    fn key(&self, kind: Kind, hash: &Hash) -> String {
        format!("{}{}/{}", kind.of_compartment(self.owner, self.compartment), self.record, text(hash))
    }

    pub(crate) fn envelope(&self, content: &Hash) -> String {
        self.key(Kind::Envelope, content)
    }

    pub(crate) fn wrap(&self, root: &Hash) -> String {
        self.key(Kind::Wrap, root)
    }

    pub(crate) fn replaced(&self, root: &Hash) -> String {
        self.key(Kind::Replaced, root)
    }

    /// What the keys of a body's segments begin with.
    pub(crate) fn body(&self, root: &Hash) -> String {
        format!("{}/", self.key(Kind::Body, root))
    }

    pub(crate) fn segment(&self, root: &Hash, number: usize) -> String {
        format!("{}{number:02}", self.body(root))
    }
}

/// Whose part a piece is of, and the hash in its key: of an envelope the content's, of the others the root of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartPiece {
    pub(crate) owner: OwnerId,
    pub(crate) compartment: CompartmentId,
    pub(crate) record: RecordId,
    pub(crate) hash: Hash,
}

impl PartPiece {
    /// Reads the key of an envelope, a wrap, a note of what was replaced, or a segment of a body.
    pub(crate) fn read(key: &str) -> Option<(Kind, Self)> {
        let (kind, names) = part_names(key)?;
        let (owner, compartment) = (OwnerId::new(names.owner).ok()?, CompartmentId::new(names.compartment).ok()?);
        Some((kind, Self { owner, compartment, record: RecordId::new(names.record).ok()?, hash: names.hash }))
    }

    pub(crate) fn keys(&self) -> PartKeys<'_> {
        PartKeys { owner: &self.owner, compartment: &self.compartment, record: &self.record }
    }
}

/// As [`PartPiece`], before its ids are checked.
struct PartNames<'a> {
    owner: &'a str,
    compartment: &'a str,
    record: &'a str,
    hash: Hash,
}

fn part_names(key: &str) -> Option<(Kind, PartNames<'_>)> {
    let kind = Kind::of(key)?;
    let mut names = key.split('/').skip(1);
    let (owner, compartment, record) = (names.next()?, names.next()?, names.next()?);
    let hash = hash_in(names.next()?)?;
    let ends = match kind {
        Kind::Envelope | Kind::Wrap | Kind::Replaced => names.next().is_none(),
        Kind::Body => names.next().is_some_and(|number| number.len() == 2) && names.next().is_none(),
        _ => false,
    };
    ends.then_some((kind, PartNames { owner, compartment, record, hash }))
}

/// Whose part the wrap under this key is: the record, of an owner and a compartment that the walk through them knows.
pub(crate) fn wrap_of(key: &str) -> Option<RecordId> {
    let (kind, names) = part_names(key)?;
    if kind == Kind::Wrap { RecordId::new(names.record).ok() } else { None }
}

/// Owner, compartment and record of a part's piece, as they stand in its key.
pub(crate) fn place(key: &str) -> Option<&str> {
    let rest = key.split_once('/')?.1;
    let (end, _) = rest.match_indices('/').nth(2)?;
    rest.get(..end)
}

/// The key of a consent by its place among all to the compartment.
pub(crate) fn consent(owner: &OwnerId, compartment: &CompartmentId, (under, base, version): (u64, u64, u64)) -> String {
    format!("{}{under:020}.{base:020}.{version:020}", Kind::Consent.of_compartment(owner, compartment))
}

/// Which compartment an entry is of, by its key, for kinds that belong to one.
pub(crate) fn compartment_of(key: &str) -> Option<(OwnerId, CompartmentId)> {
    let mut names = key.split('/').skip(1);
    Some((OwnerId::new(names.next()?).ok()?, CompartmentId::new(names.next()?).ok()?))
}

/// The key of the note that a compartment's records lie under older keys than they may have before a restore.
pub(crate) fn stale(owner: &OwnerId, compartment: &CompartmentId) -> String {
    format!("{}{compartment}", Kind::Stale.of_owner(owner))
}

/// What the keys of all jobs to a compartment key begin with, and of what they left.
pub(crate) fn jobs(kind: Kind, (owner, compartment, key): (&OwnerId, &CompartmentId, KeyId)) -> String {
    format!("{}{}/", kind.of_compartment(owner, compartment), key.to_text())
}

/// Where the key of an entry that could not be moved is put, for a job whose own key is that.
pub(crate) fn quarantine(prefix: &str, key: &str) -> String {
    format!("{prefix}{}", Base64UrlUnpadded::encode_string(&Sha256::digest(key)))
}

/// The keys of a large value: its head, and the segments of its parts.
#[derive(Debug, Clone)]
pub(crate) struct LargeKeys(String);

impl LargeKeys {
    /// What an authority keeps, or publishes, under this name.
    pub(crate) fn of_authority(authority: &AuthorityId, name: &'static str) -> Self {
        Self(format!("authority/{authority}/{name}"))
    }

    pub(crate) fn head(&self) -> String {
        format!("{}/head", self.0)
    }

    /// What the keys of all parts begin with.
    pub(crate) fn parts(&self) -> String {
        format!("{}/part/", self.0)
    }

    /// What the keys of a part's segments begin with.
    pub(crate) fn part(&self, id: &[u8; 16]) -> String {
        format!("{}{}/", self.parts(), Base64UrlUnpadded::encode_string(id))
    }

    pub(crate) fn segment(&self, id: &[u8; 16], number: u64) -> String {
        format!("{}{number:04}", self.part(id))
    }

    /// What the keys of the part begin with that this one is a segment of.
    pub(crate) fn part_of(&self, key: &str) -> Option<String> {
        let (id, number) = key.strip_prefix(&self.parts())?.split_once('/')?;
        let whole = !id.is_empty() && !number.is_empty() && !number.contains('/');
        whole.then(|| format!("{}{id}/", self.parts()))
    }
}

fn text(hash: &Hash) -> String {
    Base64UrlUnpadded::encode_string(hash.as_bytes())
}

fn hash_in(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    let whole = Base64UrlUnpadded::decode(text, &mut hash).map(<[u8]>::len) == Ok(32);
    whole.then_some(Hash(hash))
}

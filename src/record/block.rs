//! What a part says about who wrote and who sealed it, under the part's key.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::content::Rho;
use super::{MAX_FIELDS, author::By};
use crate::error::{Error, Result};
use crate::id::{DeviceId, Hash, Revision};
use crate::identity::Signature;
use crate::seal::{FieldPath, MAX_PATH};
use crate::wire::{Reader, Writer};

/// The author's block, in the body: `ρ (32) ‖ by ‖ u16 n ‖ n × (u16 length ‖ path ‖ u64 revision)`, paths ascending, each
/// revision older than the content's.
pub(super) struct AuthorBlock {
    pub(super) rho: Rho,
    pub(super) by: By,
    pub(super) older: BTreeMap<FieldPath, Revision>,
}

/// The sealer's block, in the envelope: `author's signature (64) ‖ 0`; or, where somebody else sealed the part anew, `‖ by
/// ‖ hash of the envelope that the author signed (32) ‖ sealer's signature (64)`.
#[derive(Clone)]
pub(super) struct SealerBlock {
    /// Of the content and of the first envelope.
    pub(super) author: Signature,
    pub(super) resealed: Option<Resealed>,
}

#[derive(Clone)]
pub(super) struct Resealed {
    pub(super) by: By,
    /// The hash of the envelope that the author signed.
    pub(super) first: Hash,
    /// Of the envelope that is here.
    pub(super) signature: Signature,
}

impl AuthorBlock {
    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>> {
        // Never grows, since a buffer that was outgrown would leave ρ behind.
        let paths: usize = self.older.keys().map(|path| path.as_str().len() + 10).sum();
        let mut w = Writer::with_capacity(34 + self.by.size() + paths, &[]);
        w.bytes(self.rho.as_slice());
        self.by.encode(&mut w)?;
        w.u16(u16::try_from(self.older.len()).map_err(|_| Error::TooLarge("number of fields"))?);
        for (path, revision) in &self.older {
            let path = path.as_str().as_bytes();
            w.u16(u16::try_from(path.len()).map_err(|_| Error::TooLarge("field path"))?).bytes(path).u64(revision.0);
        }
        Ok(Zeroizing::new(w.finish()))
    }

    /// Whatever is wrong with it, its author did it: one who holds the part's key.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, WHAT);
        let rho = Zeroizing::new(*r.array()?);
        let by = By::decode(&mut r)?.ok_or(Error::Malformed(WHAT))?;
        let mut older = BTreeMap::new();
        for _ in 0..count(&mut r)? {
            let length = usize::from(r.u16()?).min(MAX_PATH + 1);
            let path = str::from_utf8(r.take(length)?).map_err(|_| Error::Malformed(WHAT))?;
            let path = FieldPath::new(path).map_err(|_| Error::Malformed(WHAT))?;
            let ascends = older.last_key_value().is_none_or(|(last, _)| *last < path);
            if !ascends {
                return Err(Error::Malformed(WHAT));
            }
            older.insert(path, Revision(r.u64()?));
        }
        r.finish()?;
        Ok(Self { rho, by, older })
    }
}

fn count(r: &mut Reader<'_>) -> Result<usize> {
    let count = usize::from(r.u16()?);
    if count > MAX_FIELDS { Err(Error::Malformed(WHAT)) } else { Ok(count) }
}

impl SealerBlock {
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut w = Writer::new(self.author.as_bytes());
        match &self.resealed {
            None => {
                w.u8(0);
            }
            Some(Resealed { by, first, signature }) => {
                by.encode(&mut w)?;
                w.bytes(first.as_bytes()).bytes(signature.as_bytes());
            }
        }
        Ok(w.finish())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, WHAT);
        let author = Signature::from(*r.array()?);
        let resealed = match By::decode(&mut r)? {
            None => None,
            Some(by) => Some(Resealed { by, first: Hash(*r.array()?), signature: Signature::from(*r.array()?) }),
        };
        r.finish()?;
        Ok(Self { author, resealed })
    }
}

impl By {
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Credential(credential) => 3 + credential.len(),
            Self::Device(device) => 2 + device.as_str().len(),
        }
    }

    /// What the content's root says of the author.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut w = Writer::with_capacity(self.size(), &[]);
        self.encode(&mut w)?;
        Ok(w.finish())
    }

    /// `1 ‖ u16 length ‖ credential`, or `2 ‖ u8 length ‖ device id`.
    fn encode(&self, w: &mut Writer) -> Result<()> {
        match self {
            Self::Credential(credential) => {
                let length = u16::try_from(credential.len()).map_err(|_| Error::TooLarge("credential"))?;
                w.u8(1).u16(length).bytes(credential);
            }
            Self::Device(device) => {
                let length = u8::try_from(device.as_str().len()).map_err(|_| Error::TooLarge("id"))?;
                w.u8(2).u8(length).bytes(device.as_str().as_bytes());
            }
        }
        Ok(())
    }

    /// None for `0`.
    fn decode(r: &mut Reader<'_>) -> Result<Option<Self>> {
        match r.u8()? {
            0 => Ok(None),
            1 => {
                let length = usize::from(r.u16()?);
                Ok(Some(Self::Credential(r.take(length)?.to_vec())))
            }
            2 => {
                let length = usize::from(r.u8()?);
                let device = str::from_utf8(r.take(length)?).map_err(|_| Error::Malformed(WHAT))?;
                let device = DeviceId::new(device).map_err(|_| Error::Malformed(WHAT))?;
                Ok(Some(Self::Device(device)))
            }
            _ => Err(Error::UnknownVersion(WHAT)),
        }
    }
}

const WHAT: &str = "author's or sealer's block";

#[cfg(test)]
mod tests {
    use super::*;

    fn author(by: By) -> AuthorBlock {
        let older = [("/a", 1), ("/b/0", 2)].map(|(path, n)| (FieldPath::new(path).unwrap(), Revision(n)));
        AuthorBlock { rho: Zeroizing::new([1; 32]), by, older: older.into() }
    }

    fn bys() -> [By; 2] {
        let device = DeviceId::new("phone").unwrap();
        [By::Credential(vec![7; 300]), By::Device(device)]
    }

    #[test]
    fn a_block_is_read_whole_or_not_at_all() {
        for by in bys() {
            let bytes = author(by.clone()).encode().unwrap();
            let block = AuthorBlock::decode(&bytes).unwrap();
            assert_eq!((&block.by, block.older.len()), (&by, 2));
            assert_eq!(*block.encode().unwrap(), *bytes);
            assert!((0..bytes.len()).all(|n| AuthorBlock::decode(&bytes[..n]).is_err()));
            assert!(AuthorBlock::decode(&[&bytes[..], &[0]].concat()).is_err());

            let resealed = Resealed { by, first: Hash([3; 32]), signature: [4; 64].into() };
            for resealed in [None, Some(resealed)] {
                let bytes = SealerBlock { author: [2; 64].into(), resealed }.encode().unwrap();
                assert_eq!(SealerBlock::decode(&bytes).unwrap().encode().unwrap(), bytes);
                assert!((0..bytes.len()).all(|n| SealerBlock::decode(&bytes[..n]).is_err()));
                assert!(SealerBlock::decode(&[&bytes[..], &[0]].concat()).is_err());
            }
        }
    }

    #[test]
    fn an_authors_block_names_an_author_and_its_paths_ascend() {
        let bytes = author(bys()[1].clone()).encode().unwrap();
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.to_vec();
            bytes[at] = byte;
            AuthorBlock::decode(&bytes).err()
        };
        assert_eq!(with(32, 0), Some(Error::Malformed(WHAT)));
        assert_eq!(with(32, 3), Some(Error::UnknownVersion(WHAT)));
        let path = bytes.windows(2).position(|pair| pair == b"/a").unwrap() + 1;
        assert_eq!(with(path, b'a'), None);
        assert_eq!(with(path, b'c'), Some(Error::Malformed(WHAT)));
        assert_eq!(with(path, b'~'), Some(Error::Malformed(WHAT)));
    }
}

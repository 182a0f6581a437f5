//! The blocks of a part that say who wrote it and who sealed it.

use zeroize::Zeroizing;

use super::aead;
use super::field::SealedField;
use super::key::fill_random;
use super::label;
use super::part::PartKey;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash};

/// Which block; each has a key and a header of its own.
#[derive(Clone, Copy)]
pub(crate) enum Block {
    Author,
    Sealer,
}

impl Block {
    fn labels(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Author => (label::AUTHOR_KEY, label::AUTHOR_BLOCK),
            Self::Sealer => (label::SEALER_KEY, label::SEALER_BLOCK),
        }
    }

    /// Enough for a usual credential, so that it looks like the name of a device; and for whoever sealed a part anew, so
    /// that it looks like nobody.
    fn pad(self) -> usize {
        match self {
            Self::Author => 1024,
            Self::Sealer => 512,
        }
    }
}

impl PartKey {
    /// Seals a block. It is padded with zeros to a multiple of [`Block::pad`] bytes, behind its length in four bytes: the
    /// lengths of names and attributes would tell who wrote.
    pub(crate) fn seal_block(&self, block: Block, place: (&Hash, &CompartmentId), text: &[u8]) -> Result<SealedField> {
        let length = u32::try_from(text.len()).map_err(|_| Error::TooLarge("block"))?;
        let padded = (text.len() + 4).next_multiple_of(block.pad());
        let mut data = Zeroizing::new(Vec::with_capacity(padded));
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(text);
        data.resize(padded, 0);

        let mut iv = [0; aead::IV];
        fill_random(&mut iv)?;
        let (key, header) = block.labels();
        let tag = aead::seal(&*self.0.subkey(&[key])?, &iv, &header_of(header, place), &mut data)?;
        Ok(SealedField { data: std::mem::take(&mut *data), iv, tag })
    }

    /// Opens a block and takes the padding off, which must be exact.
    pub(crate) fn open_block(
        &self,
        block: Block,
        place: (&Hash, &CompartmentId),
        sealed: &SealedField,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let (key, header) = block.labels();
        let mut text = Zeroizing::new(sealed.data.clone());
        aead::open(&*self.0.subkey(&[key])?, &sealed.iv, &header_of(header, place), &mut text, &sealed.tag)?;
        let padded = text.len();
        let (length, rest) = text.split_first_chunk::<4>().ok_or(Error::CannotOpen)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Error::CannotOpen)?;
        let (_, padding) = rest.split_at_checked(length).ok_or(Error::CannotOpen)?;
        if padded != (length + 4).next_multiple_of(block.pad()) || padding.iter().any(|&byte| byte != 0) {
            return Err(Error::CannotOpen);
        }
        text.copy_within(4..length + 4, 0);
        text.truncate(length);
        Ok(text)
    }
}

fn header_of(label: &[u8], (content, compartment): (&Hash, &CompartmentId)) -> Vec<u8> {
    let compartment = compartment.as_str().as_bytes();
    // Ids have at most 128 bytes.
    let length = u16::try_from(compartment.len()).unwrap_or(u16::MAX);
    [label, &content.0, &length.to_be_bytes(), compartment].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{Dek, Salt};

    #[test]
    fn a_block_opens_in_its_place_and_shows_its_length_to_a_multiple_only() {
        let (part, _) = PartKey::fresh(&Dek::generate().unwrap(), &Salt::generate().unwrap()).unwrap();
        let (content, other) = (Hash([1; 32]), Hash([2; 32]));
        let (a, b) = (CompartmentId::new("a").unwrap(), CompartmentId::new("b").unwrap());
        let sealer = |length| part.seal_block(Block::Sealer, (&content, &a), &vec![7; length]).unwrap().data().len();
        assert_eq!([0, 508, 509].map(sealer), [512, 512, 1024]);
        for (length, padded) in [(0, 1024), (1, 1024), (1020, 1024), (1021, 2048), (2600, 3072)] {
            let text = vec![7; length];
            let sealed = part.seal_block(Block::Author, (&content, &a), &text).unwrap();
            assert_eq!(sealed.data().len(), padded);
            assert_eq!(*part.open_block(Block::Author, (&content, &a), &sealed).unwrap(), text);
            for (block, place) in
                [(Block::Sealer, (&content, &a)), (Block::Author, (&other, &a)), (Block::Author, (&content, &b))]
            {
                assert_eq!(part.open_block(block, place, &sealed).err(), Some(Error::CannotOpen));
            }
        }
    }

    /// Whoever holds the key can write any padding; a second encoding of the same block is refused all the same.
    #[test]
    fn padding_has_one_form() {
        let (part, _) = PartKey::fresh(&Dek::generate().unwrap(), &Salt::generate().unwrap()).unwrap();
        let place = (&Hash([1; 32]), &CompartmentId::new("a").unwrap());
        let (key, header) = Block::Author.labels();
        let opened = |mut data: Vec<u8>| {
            let header = header_of(header, place);
            let tag = aead::seal(&part.0.subkey(&[key]).unwrap(), &[0; 12], &header, &mut data).unwrap();
            part.open_block(Block::Author, place, &SealedField { data, iv: [0; 12], tag }).map(|text| text.len())
        };
        let with = |length: u32, padded: usize| {
            let mut data = length.to_be_bytes().to_vec();
            data.resize(padded, 0);
            data
        };
        assert_eq!(opened(with(9, 1024)), Ok(9));
        let mut dirty = with(9, 1024);
        dirty[1023] = 1;
        for bad in [
            vec![],
            vec![0; 3],
            with(0, 4),
            with(9, 1023),
            with(9, 2048),
            with(1021, 1024),
            with(u32::MAX, 1024),
            dirty,
        ] {
            assert_eq!(opened(bad), Err(Error::CannotOpen));
        }
    }
}

//! Everything random in a consent, derived from its compartment key: whoever has the key makes the consent's slots and its
//! sealed terms again, and sees whether they are what was signed.
//!
//! Two values are the same only if everything that they are used with is: the key, the consent, its terms, the place, the
//! recipient, what is authenticated, and what is sealed. So no ephemeral key and no salt ever serves two texts.

use super::key::{Cek, Prk, Salt};
use super::label;
use crate::error::{Error, Result};
use crate::id::{CompartmentId, Hash, OwnerId};
use crate::secret::Secret;

/// What a derived value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The ephemeral key pair of a sealed slot.
    Ephemeral,
    /// The message in a capsule.
    Message,
    /// The salt of the wrap beside a capsule.
    WrapSalt,
    /// The salt of a slot.
    SlotSalt,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Ephemeral => label::SLOT_EPHEMERAL,
            Self::Message => label::SLOT_MESSAGE,
            Self::WrapSalt => label::SLOT_WRAP_SALT,
            Self::SlotSalt => label::SLOT_SALT,
        }
    }
}

/// All that a slot is bound to.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// The context of the slot, with its place.
    pub(crate) context: &'a [u8],
    /// The hash of the sealed terms.
    pub(crate) terms: &'a Hash,
    /// HPKE's info, or the context of the capsule.
    pub(crate) info: &'a [u8],
    /// What AES-GCM authenticates.
    pub(crate) aad: &'a [u8],
    /// The recipient's key and nothing, or the id of the public parameters and the hash of the tree.
    pub(crate) recipient: [&'a [u8]; 2],
    /// What is sealed.
    pub(crate) plaintext: &'a [u8],
}

/// Derives for the slots of one consent.
pub(crate) struct SlotSecrets(Prk);

impl SlotSecrets {
    /// From the compartment key and its salt.
    pub(crate) fn new(cek: &Cek, salt: &Salt) -> Self {
        Self(Prk::extract(salt.as_bytes(), cek.expose()))
    }

    /// `HKDF[salt](CEK, label ‖ lp(context ‖ terms) ‖ lp(info) ‖ lp(AAD) ‖ lp(recipient) ‖ lp(plaintext))`.
    pub(crate) fn secret(&self, purpose: Purpose, inputs: &Inputs<'_>) -> Result<Secret<[u8; 32]>> {
        let Inputs { context, terms, info, aad, recipient: [key, tree], plaintext } = *inputs;
        self.derive(purpose.label(), &[&[context, terms.as_bytes()], &[info], &[aad], &[key, tree], &[plaintext]])
    }

    /// As [`SlotSecrets::secret`], for a value that is public.
    pub(crate) fn salt(&self, purpose: Purpose, inputs: &Inputs<'_>) -> Result<Salt> {
        self.secret(purpose, inputs).map(|secret| Salt(*secret.expose()))
    }

    /// What sealed slots are sorted by: `HKDF[salt](CEK, label ‖ lp(context ‖ terms) ‖ lp(key))`.
    pub(crate) fn order(&self, context: &[u8], terms: &Hash, key: &[u8]) -> Result<[u8; 32]> {
        let order = self.derive(label::SLOT_ORDER, &[&[context, terms.as_bytes()], &[key]])?;
        Ok(*order.expose())
    }

    /// Each group is one text with its length before it.
    fn derive(&self, label: &[u8], groups: &[&[&[u8]]]) -> Result<Secret<[u8; 32]>> {
        let lengths = groups.iter().map(|group| {
            let length = group.iter().map(|part| part.len()).fold(0, usize::saturating_add);
            u16::try_from(length).map(u16::to_be_bytes).map_err(|_| Error::TooLarge("slot"))
        });
        let lengths = lengths.collect::<Result<Vec<_>>>()?;
        let mut info = vec![label];
        for (group, length) in groups.iter().zip(&lengths) {
            info.push(length);
            info.extend_from_slice(group);
        }
        let derived = self.0.subkey(&info)?;
        Ok(Secret::build(|bytes| bytes.copy_from_slice(derived.as_slice())))
    }
}

/// The salt of a compartment key's commitment: `HKDF[32 zero bytes](CEK, CEK_SALT ‖ lp(owner) ‖ lp(compartment))`.
pub(crate) fn cek_salt(cek: &Cek, owner: &OwnerId, compartment: &CompartmentId) -> Result<Salt> {
    let secrets = SlotSecrets(Prk::extract(&[0; 32], cek.expose()));
    let salt = secrets.derive(label::CEK_SALT, &[&[owner.as_str().as_bytes()], &[compartment.as_str().as_bytes()]])?;
    Ok(Salt(*salt.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSES: [Purpose; 4] = [Purpose::Ephemeral, Purpose::Message, Purpose::WrapSalt, Purpose::SlotSalt];

    fn cek(byte: u8) -> Cek {
        Cek::from_secret(Secret::new([byte; 32]))
    }

    fn inputs(terms: &Hash) -> Inputs<'_> {
        Inputs { context: b"context", terms, info: b"info", aad: b"aad", recipient: [b"key", b""], plaintext: b"text" }
    }

    /// The whole of it, spelled out.
    #[test]
    fn a_derived_value_is_one_block_of_hkdf_over_everything_that_it_is_used_with() {
        let info = [
            &b"chartseal-1 slot message\x00\x27context"[..],
            &[9; 32],
            b"\x00\x04info\x00\x03aad\x00\x07pidtree\x00\x04text",
        ];
        let expected = Prk::extract(&[2; 32], &[1; 32]).subkey(&[&info.concat()]).unwrap();
        let terms = Hash([9; 32]);
        let inputs = Inputs { recipient: [b"pid", b"tree"], ..inputs(&terms) };
        let secrets = SlotSecrets::new(&cek(1), &Salt([2; 32]));
        assert_eq!(secrets.secret(Purpose::Message, &inputs).unwrap().expose()[..], expected[..]);
    }

    #[test]
    fn no_two_uses_give_one_value() {
        let (terms, other) = (Hash([9; 32]), Hash([8; 32]));
        let base = inputs(&terms);
        let each = [
            base,
            Inputs { context: b"kontext", ..base },
            Inputs { terms: &other, ..base },
            Inputs { info: b"into", ..base },
            Inputs { aad: b"add", ..base },
            Inputs { aad: b"", ..base },
            Inputs { recipient: [b"kex", b""], ..base },
            Inputs { recipient: [b"key", b"tree"], ..base },
            Inputs { plaintext: b"test", ..base },
            // What moves from one to the next.
            Inputs { info: b"infoa", aad: b"ad", ..base },
            Inputs { aad: b"aadk", recipient: [b"ey", b""], ..base },
            Inputs { recipient: [b"keyt", b""], plaintext: b"ext", ..base },
        ];
        let mut seen = std::collections::BTreeSet::new();
        let mut count = 0;
        for (key, salt) in [(1, 2), (2, 2), (1, 3)] {
            let secrets = SlotSecrets::new(&cek(key), &Salt([salt; 32]));
            for (inputs, purpose) in each.iter().flat_map(|inputs| PURPOSES.map(|purpose| (inputs, purpose))) {
                seen.insert(*secrets.secret(purpose, inputs).unwrap().expose());
                count += 1;
            }
            for (context, terms, key) in
                [(b"c", &terms, b"k"), (b"d", &terms, b"k"), (b"c", &other, b"k"), (b"c", &terms, b"l")]
            {
                seen.insert(secrets.order(context, terms, key).unwrap());
                count += 1;
            }
        }
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn the_salt_of_a_key_is_of_its_owner_and_compartment() {
        let salt = |key, owner: &str, compartment: &str| {
            cek_salt(&cek(key), &owner.parse().unwrap(), &compartment.parse().unwrap()).unwrap().0
        };
        let all = [salt(1, "a", "bc"), salt(2, "a", "bc"), salt(1, "ab", "c"), salt(1, "a", "b"), salt(1, "b", "bc")];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
        assert_eq!(salt(1, "a", "bc"), all[0]);
    }

    /// A length has two bytes.
    #[test]
    fn what_no_slot_can_hold_is_refused() {
        let terms = Hash([9; 32]);
        let tree = vec![0; 65_536];
        let inputs = Inputs { recipient: [b"", &tree], ..inputs(&terms) };
        let secrets = SlotSecrets::new(&cek(1), &Salt([2; 32]));
        assert_eq!(secrets.secret(Purpose::Message, &inputs).map(drop), Err(Error::TooLarge("slot")));
    }
}

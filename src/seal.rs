//! Keys, wraps and fields: every derivation label and every header that AES-GCM authenticates.
//!
//! Key layers, each wrapping the next:
//!
//! - [`SharedKey`]: what the KEM gives to every key that satisfies a policy;
//! - [`Cek`]: the compartment key, one per owner, compartment and generation;
//! - the DEK: one per part of a record, drawn afresh for each;
//! - a subkey for each field, derived from the DEK and the field's path.
//!
//! # Formulas
//!
//! `HKDF` is HKDF-SHA-256 ([RFC 5869]), `AEAD` is AES-256-GCM ([NIST SP 800-38D]), `lp(x)` is the length of `x` in two
//! bytes, big-endian, then `x`; numbers are eight bytes, big-endian.
//!
//! ```text
//! commitment(DEK) = HKDF[salt, "chartseal-1 dek commit"](DEK, 32)
//! commitment(CEK) = HKDF[salt, "chartseal-1 cek commit"](CEK, 32)
//! wrap(DEK)       = salt ‖ AEAD[HKDF[salt, "chartseal-1 dek wrap key"](CEK, 32), iv = 0](DEK)
//! wrap(CEK)       = salt ‖ AEAD[HKDF[salt, "chartseal-1 cek wrap key"](shared key, 32), iv = 0](CEK)
//! field           = AEAD[HKDF[salt, "chartseal-1 field key " ‖ path](DEK, 32), random iv](value)
//! sealed terms    = salt ‖ AEAD[HKDF[salt, "chartseal-1 terms key"](CEK, 32), iv = 0](text)
//! author's block  = AEAD[HKDF[salt, "chartseal-1 author key"](DEK, 32), random iv](block)
//! sealer's block  = AEAD[HKDF[salt, "chartseal-1 sealer key"](DEK, 32), random iv](block)
//! ```
//!
//! Nothing in a consent is drawn at random but its CEK. Salts, and what capsules and sealed slots are made from:
//!
//! ```text
//! salt of the CEK    = HKDF[32 zero bytes, "chartseal-1 cek salt" ‖ lp(owner) ‖ lp(compartment)](CEK, 32)
//! salt of the terms  = HKDF[32 zero bytes, "chartseal-1 terms salt" ‖ lp(header) ‖ text](CEK, 32)
//! place of a slot    = HKDF[salt of the CEK, "chartseal-1 slot order" ‖ lp(context ‖ terms hash) ‖ lp(key)](CEK, 32)
//! the rest of a slot = HKDF[salt of the CEK, label ‖ lp(context ‖ terms hash) ‖ lp(info) ‖ lp(AAD) ‖ lp(recipient)
//!                      ‖ lp(CEK)](CEK, 32)
//! ```
//!
//! Headers that are authenticated with them:
//!
//! ```text
//! wrap(DEK)  "chartseal-1 dek wrap: " ‖ lp(owner) ‖ lp(record) ‖ lp(compartment) ‖ generation ‖ key id
//! wrap(CEK)  "chartseal-1 cek wrap: " ‖ the caller's context
//! field      "chartseal-1 field: " ‖ lp(owner) ‖ lp(record) ‖ lp(schema) ‖ lp(compartment) ‖ lp(path) ‖ revision
//! author     "chartseal-1 author block: " ‖ content hash ‖ lp(compartment)
//! sealer     "chartseal-1 sealer block: " ‖ content hash ‖ lp(compartment)
//! ```
//!
//! # Security
//!
//! AES-GCM does not commit to its key: one ciphertext can be made that opens, to different plaintexts, under two keys.
//! So a commitment to the DEK is compared, in constant time, before any field is opened; the type that opens fields
//! cannot be had without that comparison.
//!
//! A wrap's AES-GCM key is derived from a salt and used once, so its IV is zero: a DEK's wrap has 32 fresh random bytes,
//! and everything in a consent has a salt that is derived from the compartment key and all that is sealed (`derived`), so
//! that whoever has the key can make it again. A field's IV is 96 random bits under the field's own key: a field may be
//! sealed again 2^32 times under one DEK before the chance of a repeated IV reaches 2^-33.
//!
//! [RFC 5869]: https://www.rfc-editor.org/rfc/rfc5869
//! [NIST SP 800-38D]: https://doi.org/10.6028/NIST.SP.800-38D

mod aead;
mod block;
mod derived;
mod field;
mod header;
mod key;
mod part;
mod path;
mod state;
mod terms;
#[cfg(test)]
mod two_keys;
mod wrap;

pub(crate) use block::Block;
pub(crate) use derived::{Inputs, Purpose, SlotSecrets, cek_salt};
pub use field::{MAX_FIELD, SealedField};
pub(crate) use header::{FieldHeader, WrapHeader};
pub use key::{Cek, Commitment, Salt, SharedKey};
pub(crate) use key::{Dek, fill_random};
pub(crate) use part::PartKey;
pub use path::{FieldPath, MAX_PATH};
pub(crate) use state::{StateKey, StatePiece};
#[cfg(test)]
pub(crate) use terms::seal_terms_with;
pub(crate) use terms::{
    TERMS_OVERHEAD, ceiling_salt, custodian_seeds, open_terms, recovery_seeds, seal_terms, write_seed,
};
pub use wrap::{WrappedKey, unwrap_cek, wrap_cek};
pub(crate) use wrap::{cek_wrap_header, unwrap_dek, wrap_cek_with, wrap_dek};

/// The suite that this version of the crate reads and writes: HKDF-SHA-256, AES-256-GCM, the labels below.
pub const SUITE: &str = "chartseal-1";

/// The table of labels. No label begins with another, so no derivation or header can be taken for one of a different
/// kind, whatever follows the label.
///
/// Names set aside for what is to come, not to be used for anything else: `chartseal-1 stream ` (followed by a stream's
/// id, under a DEK) and `chartseal-1 write` (the seed of a compartment's write key, under a CEK).
pub(crate) mod label {
    /// HKDF info: commitment to a DEK.
    pub(crate) const DEK_COMMIT: &[u8] = b"chartseal-1 dek commit";
    /// HKDF info: commitment to a CEK.
    pub(crate) const CEK_COMMIT: &[u8] = b"chartseal-1 cek commit";
    /// HKDF info: the key that wraps one DEK once.
    pub(crate) const DEK_WRAP_KEY: &[u8] = b"chartseal-1 dek wrap key";
    /// HKDF info: the key that wraps one CEK once.
    pub(crate) const CEK_WRAP_KEY: &[u8] = b"chartseal-1 cek wrap key";
    /// HKDF info: the key of one field; the path follows.
    pub(crate) const FIELD_KEY: &[u8] = b"chartseal-1 field key ";
    /// Header of a wrapped DEK.
    pub(crate) const DEK_WRAP: &[u8] = b"chartseal-1 dek wrap: ";
    /// Header of a wrapped CEK.
    pub(crate) const CEK_WRAP: &[u8] = b"chartseal-1 cek wrap: ";
    /// Header of a field.
    pub(crate) const FIELD: &[u8] = b"chartseal-1 field: ";

    /// Signed: a person's public keys, on enrolment, by the person.
    pub(crate) const SIGN_ENROLMENT: &[u8] = b"chartseal-1 sign enrolment: ";
    /// Signed: a credential, by an authority.
    pub(crate) const SIGN_CREDENTIAL: &[u8] = b"chartseal-1 sign credential: ";
    /// Signed: public parameters, by an authority.
    pub(crate) const SIGN_PARAMETERS: &[u8] = b"chartseal-1 sign parameters: ";
    /// Signed: a revocation list, by an authority.
    pub(crate) const SIGN_REVOCATIONS: &[u8] = b"chartseal-1 sign revocations: ";
    /// Signed: the map from ids to person numbers, by an authority.
    pub(crate) const SIGN_PEOPLE: &[u8] = b"chartseal-1 sign people: ";
    /// Signed: a device list, by an owner's root key.
    pub(crate) const SIGN_DEVICES: &[u8] = b"chartseal-1 sign devices: ";
    /// Signed: a consent, by an owner's device.
    pub(crate) const SIGN_CONSENT: &[u8] = b"chartseal-1 sign consent: ";
    /// Signed: a head, by an owner's device.
    pub(crate) const SIGN_HEAD: &[u8] = b"chartseal-1 sign head: ";
    /// Signed: a mandate, by an owner's device.
    pub(crate) const SIGN_MANDATE: &[u8] = b"chartseal-1 sign mandate: ";
    /// Signed: a referral, by who refers.
    pub(crate) const SIGN_REFERRAL: &[u8] = b"chartseal-1 sign referral: ";
    /// Signed: the end of a referral, by who referred.
    pub(crate) const SIGN_REFERRAL_END: &[u8] = b"chartseal-1 sign end of referral: ";
    /// Signed: a person's wish not to have access, by the person.
    pub(crate) const SIGN_DECLINE: &[u8] = b"chartseal-1 sign decline: ";
    /// HKDF info: the seed of a custodian's signing key, under a master key.
    pub(crate) const CUSTODIAN_SIGNING: &[u8] = b"chartseal-1 custodian signing";
    /// HKDF info: the seed of a custodian's sealing key, under a master key.
    pub(crate) const CUSTODIAN_SEALING: &[u8] = b"chartseal-1 custodian sealing";
    /// Signed: a recovery arrangement, by an owner's root key.
    pub(crate) const SIGN_ARRANGEMENT: &[u8] = b"chartseal-1 sign arrangement: ";
    /// Signed: a change of root key, by the old one or by a recovery key.
    pub(crate) const SIGN_ROOT_CHANGE: &[u8] = b"chartseal-1 sign root change: ";
    /// Signed: a veto of such a change, by a device.
    pub(crate) const SIGN_VETO: &[u8] = b"chartseal-1 sign veto: ";
    /// Signed: that an owner's records are to be erased, by a root key.
    pub(crate) const SIGN_ERASURE: &[u8] = b"chartseal-1 sign erasure: ";
    /// HKDF info: the seed of a recovery key's signing key.
    pub(crate) const RECOVERY_SIGNING: &[u8] = b"chartseal-1 recovery signing";
    /// HKDF info: the seed of a recovery key's sealing key.
    pub(crate) const RECOVERY_SEALING: &[u8] = b"chartseal-1 recovery sealing";
    /// Hashed: who shares a recovery key.
    pub(crate) const GUARDIANSHIP: &[u8] = b"chartseal-1 guardianship: ";
    /// HPKE info: a share of a recovery key, to a guardian.
    pub(crate) const HPKE_SHARE: &[u8] = b"chartseal-1 hpke share: ";
    /// Hashed: how far a mandate goes.
    pub(crate) const CEILING: &[u8] = b"chartseal-1 ceiling: ";
    /// HKDF info: the salt of that hash.
    pub(crate) const CEILING_SALT: &[u8] = b"chartseal-1 salt of a ceiling";
    /// Signed: the content of a record, by its author.
    pub(crate) const SIGN_CONTENT: &[u8] = b"chartseal-1 sign content: ";
    /// Signed: the envelope of a part, by whoever sealed it.
    pub(crate) const SIGN_ENVELOPE: &[u8] = b"chartseal-1 sign envelope: ";
    /// Hashed to an owner id: the first root key.
    pub(crate) const OWNER_ID: &[u8] = b"chartseal-1 owner id: ";
    /// Hashed: a slot of a consent.
    pub(crate) const SLOT: &[u8] = b"chartseal-1 slot: ";
    /// Hashed: the sealed terms of a consent.
    pub(crate) const TERMS: &[u8] = b"chartseal-1 terms: ";
    /// HKDF info: the key of a consent's terms.
    pub(crate) const TERMS_KEY: &[u8] = b"chartseal-1 terms key";
    /// HKDF info: the salt of a consent's terms.
    pub(crate) const TERMS_SALT: &[u8] = b"chartseal-1 terms salt";
    /// HKDF info: the salt of a compartment key's commitment.
    pub(crate) const CEK_SALT: &[u8] = b"chartseal-1 cek salt";
    /// HKDF info: the seed of the ephemeral key pair of a sealed slot.
    pub(crate) const SLOT_EPHEMERAL: &[u8] = b"chartseal-1 slot ephemeral";
    /// HKDF info: the message in the capsule of a policy slot.
    pub(crate) const SLOT_MESSAGE: &[u8] = b"chartseal-1 slot message";
    /// HKDF info: the salt of the wrap in a policy slot.
    pub(crate) const SLOT_WRAP_SALT: &[u8] = b"chartseal-1 slot wrap salt";
    /// HKDF info: the salt of a slot.
    pub(crate) const SLOT_SALT: &[u8] = b"chartseal-1 slot salt";
    /// HKDF info: where a sealed slot stands.
    pub(crate) const SLOT_ORDER: &[u8] = b"chartseal-1 slot order";
    /// HKDF info: the seed of a compartment's write key pair.
    pub(crate) const WRITE: &[u8] = b"chartseal-1 write";
    /// HKDF info: the key of the author's block in a part.
    pub(crate) const AUTHOR_KEY: &[u8] = b"chartseal-1 author key";
    /// HKDF info: the key of the sealer's block of an envelope.
    pub(crate) const SEALER_KEY: &[u8] = b"chartseal-1 sealer key";
    /// Header of the author's block.
    pub(crate) const AUTHOR_BLOCK: &[u8] = b"chartseal-1 author block: ";
    /// Header of the sealer's block.
    pub(crate) const SEALER_BLOCK: &[u8] = b"chartseal-1 sealer block: ";
    /// HMAC and hashes of the roots in a record's content.
    pub(crate) const CONTENT_ROOT: &[u8] = b"chartseal-1 content root: ";
    /// Hashed: the IVs and tags of a part.
    pub(crate) const ENVELOPE_ROOT: &[u8] = b"chartseal-1 envelope root: ";
    /// HPKE info: a user key, to its holder.
    pub(crate) const HPKE_USER_KEY: &[u8] = b"chartseal-1 hpke user key: ";
    /// HPKE info: a compartment key, to a device, a named person or a custodian.
    pub(crate) const HPKE_SLOT: &[u8] = b"chartseal-1 hpke slot: ";
    /// HPKE info: a DEK, to a compartment's write key.
    pub(crate) const HPKE_WRITE: &[u8] = b"chartseal-1 hpke write: ";
    /// HKDF info: the key of one piece of an authority's state.
    pub(crate) const AUTHORITY_KEY: &[u8] = b"chartseal-1 authority key";
    /// Header of an authority's keys and versions.
    pub(crate) const AUTHORITY_STATE: &[u8] = b"chartseal-1 authority state: ";
    /// Header of the people that an authority remembers, by the thousand.
    pub(crate) const AUTHORITY_SHARD: &[u8] = b"chartseal-1 authority shard: ";
    /// Context of a capsule in a slot.
    pub(crate) const SLOT_CONTEXT: &[u8] = b"chartseal-1 slot context: ";

    /// SHAKE256: the stream of an authority's secret exponent, for a seed.
    pub(crate) const KEM_SETUP: &[u8] = b"chartseal kem v1 setup";
    /// SHAKE256: the stream of a user key's exponent, for a seed.
    pub(crate) const KEM_ISSUE: &[u8] = b"chartseal kem v1 issue";
    /// SHAKE256: coins, pad and key of a capsule.
    pub(crate) const KEM_CAPSULE: &[u8] = b"chartseal kem v1 FABEO-CP BLS12-381 SHAKE256";
    /// HMAC: an attribute whose name is blinded.
    pub(crate) const KEM_BLIND: &[u8] = b"chartseal blind v1";
    /// Domain separation tag (RFC 9380, section 3.1): attributes, hashed to G1.
    pub(crate) const KEM_ATTRIBUTE: &[u8] = b"CHARTSEAL-V01-ATTRIBUTE-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";
    /// Domain separation tag: the point B, hashed to G1. Another one than that of attributes, so that none is B.
    pub(crate) const KEM_B: &[u8] = b"CHARTSEAL-V01-B-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";

    #[cfg(test)]
    pub(crate) const ALL: &[&[u8]] = &[
        DEK_COMMIT,
        CEK_COMMIT,
        DEK_WRAP_KEY,
        CEK_WRAP_KEY,
        FIELD_KEY,
        DEK_WRAP,
        CEK_WRAP,
        FIELD,
        b"chartseal-1 stream ",
        SIGN_ENROLMENT,
        SIGN_CREDENTIAL,
        SIGN_PARAMETERS,
        SIGN_REVOCATIONS,
        SIGN_PEOPLE,
        SIGN_DEVICES,
        SIGN_CONSENT,
        SIGN_HEAD,
        SIGN_MANDATE,
        SIGN_REFERRAL,
        SIGN_REFERRAL_END,
        SIGN_DECLINE,
        CUSTODIAN_SIGNING,
        CUSTODIAN_SEALING,
        SIGN_ARRANGEMENT,
        SIGN_ROOT_CHANGE,
        SIGN_VETO,
        SIGN_ERASURE,
        RECOVERY_SIGNING,
        RECOVERY_SEALING,
        GUARDIANSHIP,
        HPKE_SHARE,
        CEILING,
        CEILING_SALT,
        SIGN_CONTENT,
        SIGN_ENVELOPE,
        OWNER_ID,
        SLOT,
        TERMS,
        TERMS_KEY,
        TERMS_SALT,
        CEK_SALT,
        SLOT_EPHEMERAL,
        SLOT_MESSAGE,
        SLOT_WRAP_SALT,
        SLOT_SALT,
        SLOT_ORDER,
        WRITE,
        AUTHOR_KEY,
        SEALER_KEY,
        AUTHOR_BLOCK,
        SEALER_BLOCK,
        CONTENT_ROOT,
        ENVELOPE_ROOT,
        HPKE_USER_KEY,
        HPKE_SLOT,
        HPKE_WRITE,
        AUTHORITY_KEY,
        AUTHORITY_STATE,
        AUTHORITY_SHARD,
        SLOT_CONTEXT,
        KEM_SETUP,
        KEM_ISSUE,
        KEM_CAPSULE,
        KEM_BLIND,
        KEM_ATTRIBUTE,
        KEM_B,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_begins_with_another() {
        for (i, one) in label::ALL.iter().enumerate() {
            // Those of the KEM have its own version.
            let known = [SUITE.as_bytes(), b"chartseal kem v1 ", b"chartseal blind v1", b"CHARTSEAL-V01-"];
            assert!(known.iter().any(|name| one.starts_with(name)));
            for (j, two) in label::ALL.iter().enumerate() {
                assert!(i == j || !one.starts_with(two), "{i} {j}");
            }
        }
    }
}

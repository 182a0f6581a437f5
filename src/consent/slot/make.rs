//! Making slots from the compartment key and nothing else, so that whoever has it can make them again and compare.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{Context, PolicySlot, Slot, SlotContent};
use crate::consent::statement::ConsentStatement;
use crate::error::Result;
use crate::id::{Hash, Version};
use crate::identity::SealingPublic;
use crate::kem::{self, PublicParameters};
use crate::policy::AccessTree;
use crate::seal::{Cek, Inputs, Purpose, Salt, SlotSecrets, cek_wrap_header, wrap_cek_with};

/// Makes the slots of one consent.
pub(crate) struct SlotMaker<'a> {
    context: &'a Context,
    terms: Hash,
    cek: &'a Cek,
    secrets: SlotSecrets,
}

impl<'a> SlotMaker<'a> {
    /// For a consent with these sealed terms.
    pub(crate) fn new(context: &'a Context, terms: Hash, (cek, salt): (&'a Cek, &Salt)) -> Self {
        Self { context, terms, cek, secrets: SlotSecrets::new(cek, salt) }
    }

    pub(crate) fn again(context: &'a Context, statement: &ConsentStatement, cek: &'a Cek) -> Self {
        Self::new(context, statement.terms, (cek, &statement.salt))
    }

    pub(crate) fn policy(&self, index: usize, public: &PublicParameters, tree: &AccessTree) -> Result<Slot> {
        let context = self.context.of_slot(index)?;
        // A tree may be longer than a length of two bytes says.
        let hashed = Sha256::digest(tree.as_bytes());
        let inputs = Inputs {
            context: &context,
            terms: &self.terms,
            info: &context,
            aad: &cek_wrap_header(&context),
            recipient: [public.pid(), &hashed],
            plaintext: self.cek.expose(),
        };
        let message = self.secrets.secret(Purpose::Message, &inputs)?;
        let (capsule, shared) = kem::encapsulate_with(public, tree, &context, &message)?;
        let salt = self.secrets.salt(Purpose::WrapSalt, &inputs)?;
        let content = SlotContent::Policy(PolicySlot {
            authority: public.authority().clone(),
            parameters: Version(public.version()),
            tree: tree.as_bytes().to_vec(),
            capsule: capsule.as_bytes().to_vec(),
            key: wrap_cek_with(&shared, &context, self.cek, &salt)?,
        });
        Ok(Slot { salt: self.secrets.salt(Purpose::SlotSalt, &inputs)?, content })
    }

    pub(crate) fn sealed(&self, index: usize, to: &SealingPublic) -> Result<Slot> {
        let (context, info) = (self.context.of_slot(index)?, self.context.info(index)?);
        let inputs = Inputs {
            context: &context,
            terms: &self.terms,
            info: &info,
            aad: &[],
            recipient: [to.as_bytes(), &[]],
            plaintext: self.cek.expose(),
        };
        let ephemeral = self.secrets.secret(Purpose::Ephemeral, &inputs)?;
        let content = SlotContent::Sealed(to.seal_with(ephemeral, &info, &[], self.cek.expose())?);
        Ok(Slot { salt: self.secrets.salt(Purpose::SlotSalt, &inputs)?, content })
    }

    /// The holders of sealed slots in the order of these, which says nothing of them to who has no compartment key.
    pub(crate) fn ordered(&self, holders: BTreeSet<SealingPublic>) -> Result<Vec<SealingPublic>> {
        let place =
            |key| Ok((self.secrets.order(self.context.of_terms(), &self.terms, SealingPublic::as_bytes(&key))?, key));
        let mut holders = holders.into_iter().map(place).collect::<Result<Vec<_>>>()?;
        holders.sort_unstable();
        Ok(holders.into_iter().map(|(_, key)| key).collect())
    }
}

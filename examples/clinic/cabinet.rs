//! The record server's folder: a capsule for each section, a JSON file for each resource.

use std::fs;
use std::path::{Path, PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding};
use chartseal::kem::{self, Capsule, PublicParameters, UserKey};
use chartseal::policy::AccessTree;
use chartseal::seal::{Cek, Commitment, Salt, WrappedKey, unwrap_cek, wrap_cek};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::sections::Section;

pub(crate) struct Cabinet {
    root: PathBuf,
    patient: String,
}

/// What stands beside the records of a section: the way to its compartment key, for whoever satisfies the policy.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    salt: Salt,
    commitment: Commitment,
    tree: String,
    capsule: String,
    key: WrappedKey,
}

impl Cabinet {
    /// An empty cabinet, in place of what an earlier run left.
    pub(crate) fn create(folder: &Path, patient: &str) -> Result<Self, Failure> {
        let cabinet = Self::at(folder, patient);
        for section in Section::ALL {
            let path = cabinet.root.join(section.name());
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
            fs::create_dir_all(&path)?;
        }
        Ok(cabinet)
    }

    pub(crate) fn at(folder: &Path, patient: &str) -> Self {
        Self { root: folder.join(patient), patient: patient.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// Draws a compartment key and puts it behind the policy.
    pub(crate) fn put_slot(
        &self,
        public: &PublicParameters,
        tree: &AccessTree,
        section: Section,
    ) -> Result<Cek, Failure> {
        let (cek, salt) = (Cek::generate()?, Salt::generate()?);
        let commitment = cek.commit(&salt)?;
        let context = self.context(section, &commitment);
        let (capsule, shared) = kem::encapsulate(public, tree, &context)?;
        let key = wrap_cek(&shared, &context, &cek)?;
        let base64 = Base64UrlUnpadded::encode_string;
        let (tree, capsule) = (base64(tree.as_bytes()), base64(capsule.as_bytes()));
        let slot = Slot { salt, commitment, tree, capsule, key };
        fs::write(self.slot(section), serde_json::to_string(&slot)?)?;
        Ok(cek)
    }

    /// The compartment key, if the user key satisfies the policy.
    pub(crate) fn open_slot(&self, key: &UserKey, section: Section) -> Result<Cek, Failure> {
        let slot: Slot = serde_json::from_str(&fs::read_to_string(self.slot(section))?)?;
        let bytes = |text: &str| Base64UrlUnpadded::decode_vec(text).map_err(|error| error.to_string());
        let tree = AccessTree::decode(&bytes(&slot.tree)?)?;
        let capsule = Capsule::decode(&tree, &bytes(&slot.capsule)?)?;
        let context = self.context(section, &slot.commitment);
        let shared = kem::decapsulate(key, &tree, &context, &capsule)?;
        let cek = unwrap_cek(&shared, &context, &slot.key)?;
        cek.verify(&slot.salt, &slot.commitment)?;
        Ok(cek)
    }

    pub(crate) fn put(&self, section: Section, i: usize, json: &str) -> Result<(), Failure> {
        Ok(fs::write(self.file(section, i), json)?)
    }

    pub(crate) fn get(&self, section: Section, i: usize) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.file(section, i))?)
    }

    /// What a slot is for: it opens in no other place.
    fn context(&self, section: Section, commitment: &Commitment) -> Vec<u8> {
        let place = format!("clinic example/{}/{}/", self.patient, section.name());
        [place.as_bytes(), commitment.as_bytes()].concat()
    }

    fn slot(&self, section: Section) -> PathBuf {
        self.root.join(section.name()).join("slot.json")
    }

    fn file(&self, section: Section, i: usize) -> PathBuf {
        self.root.join(section.name()).join(format!("{i:04}.json"))
    }
}

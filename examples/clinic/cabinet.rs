//! The record server's folder: a patient's device list, a consent for each section, a JSON file for each resource.

use std::fs;
use std::path::{Path, PathBuf};

use chartseal::consent::{DeviceList, StoredConsent};

use crate::Failure;
use crate::sections::Section;

pub(crate) struct Cabinet {
    root: PathBuf,
}

impl Cabinet {
    /// An empty cabinet, in place of what an earlier run left.
    pub(crate) fn create(folder: &Path, patient: &str) -> Result<Self, Failure> {
        let cabinet = Self { root: folder.join(patient) };
        for section in Section::ALL {
            let path = cabinet.root.join(section.name());
            if path.exists() {
                fs::remove_dir_all(&path)?;
            }
            fs::create_dir_all(&path)?;
        }
        Ok(cabinet)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    pub(crate) fn put_devices(&self, devices: &DeviceList) -> Result<(), Failure> {
        Ok(fs::write(self.root.join("devices.json"), devices.to_json()?)?)
    }

    pub(crate) fn devices(&self) -> Result<DeviceList, Failure> {
        Ok(DeviceList::from_json(&fs::read_to_string(self.root.join("devices.json"))?)?)
    }

    pub(crate) fn put_consent(&self, section: Section, consent: &StoredConsent) -> Result<(), Failure> {
        Ok(fs::write(self.consent_file(section), consent.to_json()?)?)
    }

    pub(crate) fn consent(&self, section: Section) -> Result<StoredConsent, Failure> {
        Ok(StoredConsent::from_json(&fs::read_to_string(self.consent_file(section))?)?)
    }

    pub(crate) fn put(&self, section: Section, i: usize, json: &str) -> Result<(), Failure> {
        Ok(fs::write(self.file(section, i), json)?)
    }

    pub(crate) fn get(&self, section: Section, i: usize) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.file(section, i))?)
    }

    fn consent_file(&self, section: Section) -> PathBuf {
        self.root.join(section.name()).join("consent.json")
    }

    fn file(&self, section: Section, i: usize) -> PathBuf {
        self.root.join(section.name()).join(format!("{i:04}.json"))
    }
}

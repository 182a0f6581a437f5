//! A chart: a bundle, its resources by section, and each of them as a record.

use chartseal::Secret;
use chartseal::fhir::{Bundle, Entry, Resource};
use chartseal::id::{CompartmentId, Generation, OwnerId, RecordId, SchemaId};
use chartseal::record::{Record, RecordContext, SealedRecord};
use chartseal::seal::Cek;

use crate::Failure;
use crate::people::Patient;
use crate::sections::{Section, sections};

pub(crate) struct Chart {
    pub(crate) patient: &'static Patient,
    bundle: Bundle<'static>,
    sections: Vec<Section>,
}

impl Chart {
    pub(crate) fn read(patient: &'static Patient) -> Result<Self, Failure> {
        let bundle = Bundle::parse(patient.chart)?;
        let sections = sections(&bundle)?;
        Ok(Self { patient, bundle, sections })
    }

    pub(crate) fn len(&self) -> usize {
        self.sections.len()
    }

    /// The resources of a section, with their places in the bundle.
    pub(crate) fn resources(&self, section: Section) -> impl Iterator<Item = (usize, &Entry<'static>)> {
        let entries = self.bundle.entries().iter().zip(&self.sections).enumerate();
        entries.filter(move |(_, (_, found))| **found == section).map(|(i, (entry, _))| (i, entry))
    }

    /// Seals a resource: a field for each of its members, and one for the text between them. Gives the JSON to store.
    pub(crate) fn seal(&self, section: Section, i: usize, entry: &Entry<'_>, cek: &Cek) -> Result<String, Failure> {
        let resource = entry.split()?;
        let mut record = Record::new(self.context(section, i, resource.resource_type())?);
        for (path, value) in resource.fields() {
            record = record.field(path, value)?;
        }
        Ok(record.seal(cek, GENERATION)?.to_json()?)
    }

    /// Opens a stored resource and puts its text together again.
    pub(crate) fn open(&self, section: Section, i: usize, stored: &str, cek: &Cek) -> Result<Secret<String>, Failure> {
        let sealed = SealedRecord::from_json(stored)?;
        let kind = sealed.context().schema.as_str().rsplit('/').next().unwrap_or_default();
        // The store may serve another record in this one's place: what was asked for has to be what came.
        if *sealed.context() != self.context(section, i, kind)? {
            return Err(format!("the file of record {i} holds another").into());
        }
        let view = sealed.into_view(cek)?;
        Ok(Resource::join(view.iter().map(|(path, value)| (path.as_str(), value)))?)
    }

    fn context(&self, section: Section, i: usize, kind: &str) -> Result<RecordContext, Failure> {
        Ok(RecordContext {
            owner: OwnerId::new(self.patient.name)?,
            record: RecordId::new(format!("resource-{i}"))?,
            schema: SchemaId::new(format!("fhir/R4/{kind}"))?,
            compartment: CompartmentId::new(section.name())?,
        })
    }
}

const GENERATION: Generation = Generation(1);

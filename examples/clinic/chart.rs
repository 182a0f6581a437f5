//! A patient's chart: a bundle, its resources by section, and each of them as a record.

use chartseal::Secret;
use chartseal::consent::Access;
use chartseal::fhir::{Bundle, Entry, Resource};
use chartseal::id::{CompartmentId, DeviceId, OwnerId, RecordId, SchemaId};
use chartseal::owner::{Device, Owner};
use chartseal::record::{Author, Place, Record, Remembering, SealedRecord};

use crate::Failure;
use crate::people::{ISSUED, NOW, Patient};
use crate::sections::{Section, sections};

pub(crate) struct Chart {
    pub(crate) patient: &'static Patient,
    pub(crate) owner: Owner,
    pub(crate) phone: Device,
    bundle: Bundle<'static>,
    sections: Vec<Section>,
}

impl Chart {
    pub(crate) fn read(patient: &'static Patient) -> Result<Self, Failure> {
        let bundle = Bundle::parse(patient.chart)?;
        let sections = sections(&bundle)?;
        let (owner, phone) = Owner::generate_with_device(DeviceId::new("phone")?, ISSUED)?;
        Ok(Self { patient, owner, phone, bundle, sections })
    }

    pub(crate) fn id(&self) -> &OwnerId {
        self.owner.id()
    }

    pub(crate) fn len(&self) -> usize {
        self.sections.len()
    }

    /// The resources of a section, with their places in the bundle.
    pub(crate) fn resources(&self, section: Section) -> impl Iterator<Item = (usize, &Entry<'static>)> {
        let entries = self.bundle.entries().iter().zip(&self.sections).enumerate();
        entries.filter(move |(_, (_, found))| **found == section).map(|(i, (entry, _))| (i, entry))
    }
}

/// Seals a resource: a field for each of its members, and one for the text between them. Gives the JSON to store.
pub(crate) fn seal<'a>(
    place: impl Into<Place<'a>>,
    i: usize,
    entry: &Entry<'_>,
    author: &Author<'_>,
) -> Result<String, Failure> {
    let resource = entry.split()?;
    let schema = SchemaId::new(format!("fhir/R4/{}", resource.resource_type()))?;
    let mut record = Record::new(name(i)?, schema).part(place)?;
    for (path, value) in resource.fields() {
        record = record.field(path, value)?;
    }
    Ok(record.seal(author, NOW)?.to_json()?)
}

/// Opens a stored resource and puts its text together again.
pub(crate) fn open(
    i: usize,
    stored: &str,
    access: &Access,
    reader: &mut Remembering<'_>,
) -> Result<Secret<String>, Failure> {
    let sealed = SealedRecord::from_json(stored)?;
    // The store may serve another record in this one's place: what was asked for has to be what came.
    if (sealed.owner(), sealed.record()) != (access.owner(), &name(i)?) {
        return Err(format!("the file of record {i} holds another").into());
    }
    let view = reader.into_view(sealed, &[access])?;
    // Those of this section: what somebody wrote under the same names in another is not of this resource.
    let values = view.values(access.compartment()).ok_or("the section is not there")?;
    Ok(Resource::join(values.iter().map(|(path, value)| (path.as_str(), value)))?)
}

/// The record of the resource at a place in the bundle.
pub(crate) fn name(i: usize) -> Result<RecordId, Failure> {
    Ok(RecordId::new(format!("resource-{i}"))?)
}

/// The compartment of a section.
pub(crate) fn compartment(section: Section) -> Result<CompartmentId, Failure> {
    Ok(CompartmentId::new(section.name())?)
}

//! What a reader can do who holds the compartment key and its part's keys: the forger's computations, step by step.

use std::time::Duration;

mod late;
mod owners;
mod revisions;

use super::author::By;
use super::block::{AuthorBlock, SealerBlock};
use super::envelope::{Part, WrapKey, field_header, revision_of};
use super::*;
use crate::authority::{Authority, Issued, Trust};
use crate::consent::Access;
use crate::error::Unknown;
use crate::id::DeviceId;
use crate::identity::{Identity, Signature};
use crate::owner::{Device, Owner};
use crate::pin::PinStore;
use crate::seal::{Block, Dek, PartKey, WrapHeader, label, unwrap_dek, wrap_dek};

const NOW: Time = Time::at(1_775_000_000);

type Unsealed = (Fields, AuthorBlock, (Signature, Hash));

struct World {
    trust: Trust,
    ada: (Identity, Issued),
    mallory: (Identity, Issued),
    alice: Owner,
    phone: Device,
    access: Access,
}

fn world() -> World {
    let mut hospital = Authority::setup("st-olave".parse().unwrap(), NOW).unwrap();
    let mut person = |id: &str, attributes: &str| {
        let identity = Identity::generate(id.parse().unwrap()).unwrap();
        hospital.enrol(&identity.enrol().unwrap()).unwrap();
        let until = NOW.plus(Duration::from_secs(1000));
        let issued = hospital.issue(identity.id(), &attributes.parse().unwrap(), NOW, until, NOW).unwrap();
        (identity, issued)
    };
    let ada = person("dr-ada", "role:doctor");
    let mallory = person("dr-mallory", "role:doctor");
    let mut trust = Trust::new(Duration::MAX);
    trust.add(hospital.anchor()).unwrap();
    trust.update(&hospital.publish(NOW).unwrap(), &mut PinStore::default(), NOW).unwrap();
    let (alice, phone) = Owner::generate_with_device(DeviceId::new("phone").unwrap(), NOW).unwrap();
    let consent = phone.consent(alice.devices(), "cardiology".parse().unwrap());
    let (_, access) = consent.write(&trust, hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    World { trust, ada, mallory, alice, phone, access }
}

impl World {
    fn author<'a>(&self, (identity, issued): &'a (Identity, Issued)) -> Author<'a> {
        Author::new(identity, &issued.credential).unwrap()
    }

    fn sealed(&self, id: &str, value: &str) -> SealedRecord {
        let record = Record::new(id.parse().unwrap(), "clinic/encounter".parse().unwrap());
        let record = record.part(&self.access).unwrap().field("/diagnosis", value).unwrap();
        record.seal(&self.author(&self.ada), NOW).unwrap()
    }

    /// The next version, under a new compartment key.
    fn rotated(&self) -> Access {
        let sharing = self.phone.sharing(self.alice.devices(), &self.trust, &self.access);
        sharing.rotate().unwrap().seal(NOW).unwrap().1
    }

    fn open(&self, record: &SealedRecord) -> Result<View> {
        // As whoever gets it from a store.
        let record = SealedRecord::from_cbor(&record.to_cbor().unwrap())?;
        Reader::new(&self.trust, NOW).devices(self.alice.devices().clone()).open(&record, &[&self.access])
    }

    /// What a reader gets out of a part: its values, its author's block with ρ, and what its author signed.
    fn unsealed(&self, record: &SealedRecord) -> Unsealed {
        let reader = Reader::new(&self.trust, NOW).devices(self.alice.devices().clone());
        reader.unsealed(record, 0, &self.access).unwrap()
    }

    /// A part under a key of the forger's choice, with everything in its place, signed by `sealer` as `by`.
    fn part(
        &self,
        content: &Content,
        (fields, block, signed): Unsealed,
        (sealer, by): (&Author<'_>, Option<By>),
    ) -> Part {
        let hash = content::hash_of(&content.message().unwrap());
        let entry = content.parts[0].clone();
        let draft = Draft::new(content, (entry, &block), fields).unwrap();
        let forger = Author { key: sealer.key, ..Author::device(&self.phone, self.alice.devices()).unwrap() };
        let forger = Author { by: by.clone().unwrap_or(sealer.by.clone()), ..forger };
        let sealer = Sealer { author: &forger, time: NOW, before: Some(signed) };
        let mut part = draft.finish((content, hash), &block, &sealer, &(&self.access).into()).unwrap();
        if by.is_none() {
            // As if the author had sealed it.
            let dek = part.wrap.open(&self.access, content).unwrap();
            let key = part.envelope.statement.part_key(&dek).unwrap();
            let block = SealerBlock { author: signed.0, resealed: None }.encode().unwrap();
            part.envelope.sealer = key.seal_block(Block::Sealer, (&hash, self.access.compartment()), &block).unwrap();
        }
        part
    }
}

#[test]
fn nobody_writes_in_anothers_name() {
    let world = world();
    let [ada, mallory] = [world.author(&world.ada), world.author(&world.mallory)];
    let record = || {
        let record = Record::new("r".parse().unwrap(), "s".parse().unwrap()).part(&world.access).unwrap();
        record.field("/diagnosis", "Z99").unwrap()
    };
    // Mallory's own words under his own name pass.
    assert!(world.open(&record().seal(&mallory, NOW).unwrap()).is_ok());
    let forged = Author { key: mallory.key, ..ada };
    assert_eq!(world.open(&record().seal(&forged, NOW).unwrap()).unwrap_err(), Error::Forged("content"));
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    let forged = Author { key: mallory.key, ..phone };
    assert_eq!(world.open(&record().seal(&forged, NOW).unwrap()).unwrap_err(), Error::Forged("content"));
}

#[test]
fn a_signature_does_not_move_to_other_values() {
    let world = world();
    let mallory = world.author(&world.mallory);
    let mut record = world.sealed("r", "I21.4");
    let genuine = record.clone();
    // Ada's content, ρ and signature; other values; an envelope in whatever name.
    for by in [None, Some(mallory.by.clone()), Some(By::Device(world.phone.id().clone()))] {
        let (_, block, signed) = world.unsealed(&genuine);
        let fields = Fields::from([(FieldPath::new("/diagnosis").unwrap(), Zeroizing::new(b"Z99".to_vec()))]);
        record.parts[0] = world.part(&record.content, (fields, block, signed), (&mallory, by));
        assert!(matches!(world.open(&record).unwrap_err(), Error::Forged(_) | Error::NotAllowed));
    }
    // Not even the owner's device makes ada say something else.
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    let (_, block, signed) = world.unsealed(&genuine);
    let fields = Fields::from([(FieldPath::new("/diagnosis").unwrap(), Zeroizing::new(b"Z99".to_vec()))]);
    record.parts[0] = world.part(&record.content, (fields, block, signed), (&phone, Some(phone.by.clone())));
    assert_eq!(world.open(&record).unwrap_err(), Error::Forged("content"));
}

/// Whoever may write there, too, and knows all that the author knew, signs the very same content.
#[test]
fn nobody_takes_anothers_words_for_his_own() {
    let world = world();
    let mut record = world.sealed("r", "I21.4");
    let hash = record.hash().unwrap();
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    for thief in [world.author(&world.mallory), phone] {
        let (fields, block, _) = world.unsealed(&world.sealed("r", "I21.4"));
        let honest = record.content.parts[0].clone();
        let block = AuthorBlock { by: thief.by.clone(), ..block };
        let draft = Draft::new(&record.content, (honest, &block), fields).unwrap();
        let sealer = Sealer { author: &thief, time: NOW, before: None };
        let place = Place::from(&world.access);
        record.parts[0] = draft.finish((&record.content, hash), &block, &sealer, &place).unwrap();
        assert_eq!(world.open(&record).unwrap_err(), Error::Forged("content"));
    }
}

#[test]
fn only_the_author_or_a_device_of_the_owner_seals() {
    let world = world();
    let mallory = world.author(&world.mallory);
    let mut record = world.sealed("r", "I21.4");
    let other = DeviceId::new("other").unwrap();
    let cases = [
        (None, Error::Forged("content")),
        (Some(mallory.by.clone()), Error::NotAllowed),
        (Some(world.author(&world.ada).by), Error::NotAllowed),
        (Some(By::Device(world.phone.id().clone())), Error::Forged("envelope")),
        (
            Some(By::Device(other.clone())),
            Error::Unknown(Unknown::Device { owner: record.owner().clone(), device: other }),
        ),
    ];
    for (by, expected) in cases {
        let unsealed = world.unsealed(&record);
        let forged =
            SealedRecord { parts: vec![world.part(&record.content, unsealed, (&mallory, by))], ..record.clone() };
        assert_eq!(world.open(&forged).unwrap_err(), expected);
    }
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    let unsealed = world.unsealed(&record);
    record.parts[0] = world.part(&record.content, unsealed, (&phone, Some(phone.by.clone())));
    let view = world.open(&record).unwrap();
    assert!(matches!(&view.parts()[0].writer, Writer::Person { person, .. } if person.as_str() == "dr-ada"));
}

/// A device may seal again, and has every key and the author's signature for it; the words stay the author's.
#[test]
fn a_resealers_changed_byte_is_found() {
    let world = world();
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    let record = world.sealed("r", "I21.4");
    for (value, expected) in [("I21.4", None), ("I21.5", Some(Error::Forged("content")))] {
        let (mut fields, block, signed) = world.unsealed(&record);
        fields.values_mut().for_each(|held| *held = value.as_bytes().to_vec().into());
        let part = world.part(&record.content, (fields, block, signed), (&phone, Some(phone.by.clone())));
        let resealed = SealedRecord { parts: vec![part], ..record.clone() };
        assert_eq!(world.open(&resealed).err(), expected);
    }
}

#[test]
fn a_signature_does_not_move_to_another_content() {
    let world = world();
    let record = world.sealed("r", "I21.4");
    let mallory = world.author(&world.mallory);
    let alterations: [fn(&mut Content); 5] = [
        |content| content.record = "other".parse().unwrap(),
        |content| content.schema = "other".parse().unwrap(),
        |content| content.time = NOW.minus(Duration::from_secs(1)),
        |content| content.parts[0].consent.0 += 1,
        |content| {
            content.revision.0 += 1;
            content.parts[0].revision.0 += 1;
            content.previous = Some(Hash([0; 32]));
        },
    ];
    for (i, alter) in alterations.into_iter().enumerate() {
        let mut content = record.content.clone();
        alter(&mut content);
        let unsealed = world.unsealed(&record);
        let part = world.part(&content, unsealed, (&mallory, None));
        let forged = SealedRecord { content, older: Vec::new(), parts: vec![part] };
        assert!(matches!(world.open(&forged).unwrap_err(), Error::Forged("content") | Error::Expired(_)), "{i}");
    }
}

#[test]
fn revisions_of_fields_are_signed() {
    let world = world();
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    let record = world.sealed("r", "I21.4");
    let ada = world.author(&world.ada);
    let record = reader.amend(&record, &[&world.access]).unwrap().field("/more", "1").unwrap().seal(&ada, NOW).unwrap();
    let path = FieldPath::new("/diagnosis").unwrap();
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    let claims: [fn(&mut Older, FieldPath); 3] = [
        |older, path| assert!(older.remove(&path).is_some()),
        |older, path| assert!(older.insert(path, Revision(9)).is_some()),
        |older, _| assert!(older.insert(FieldPath::new("/absent").unwrap(), Revision(0)).is_none()),
    ];
    for claim in claims {
        let (fields, mut block, signed) = world.unsealed(&record);
        assert_eq!(revision_of(&block.older, &path, Revision(1)), Revision(0));
        claim(&mut block.older, path.clone());
        let part = world.part(&record.content, (fields, block, signed), (&phone, Some(phone.by.clone())));
        let forged = SealedRecord { parts: vec![part], ..record.clone() };
        assert_eq!(world.open(&forged).unwrap_err(), Error::Forged("content"));
    }
}

/// An author who hands each reader another key under the same signatures.
#[test]
fn one_part_has_one_key() {
    let world = world();
    let mut record = world.sealed("r", "I21.4");
    let header =
        WrapHeader::new(record.owner(), record.record(), world.access.compartment(), record.parts[0].wrap.key());
    let other = wrap_dek(world.access.cek(), &header.unwrap(), &Dek::generate().unwrap()).unwrap();
    record.parts[0].wrap.key = WrapKey::Symmetric(other);
    assert_eq!(world.open(&record).unwrap_err(), Error::CannotOpen);
}

/// A wrap that somebody else than the author wrote, to the write key, opens if it holds the right key: it says nothing.
/// With another key in it, or anything else than a key, it does not.
#[test]
fn a_written_wrap_holds_the_committed_key_or_nothing() {
    let world = world();
    let record = world.sealed("r", "I21.4");
    let dek = record.parts[0].wrap.open(&world.access, &record.content).unwrap();
    let header =
        WrapHeader::new(record.owner(), record.record(), world.access.compartment(), record.parts[0].wrap.key());
    let header = header.unwrap();
    let with = |message: &[u8]| {
        let sealed = world.access.write_key().seal(label::HPKE_WRITE, header.as_bytes(), message).unwrap();
        let mut record = record.clone();
        record.parts[0].wrap.key = WrapKey::Written(sealed);
        world.open(&record)
    };
    assert!(with(dek.expose()).is_ok());
    for bad in [&[7; 32][..], &dek.expose()[..31], &[dek.expose().as_slice(), &[0]].concat(), b""] {
        assert_eq!(with(bad).unwrap_err(), Error::CannotOpen);
    }
}

/// Whoever holds the part's key can write blocks that are no blocks.
#[test]
fn a_block_that_is_none_is_refused_without_harm() {
    let world = world();
    let record = world.sealed("r", "I21.4");
    let part = &record.parts[0];
    let dek = part.wrap.open(&world.access, &record.content).unwrap();
    let key = part.envelope.statement.part_key(&dek).unwrap();
    let place = (&part.envelope.statement.content, world.access.compartment());
    let author = key.open_block(Block::Author, place, &part.body.author).unwrap();
    let sealer = key.open_block(Block::Sealer, place, &part.envelope.sealer).unwrap();
    assert!(SealerBlock::decode(&sealer).unwrap().resealed.is_none());
    let with = |block: Block, text: &[u8]| {
        let sealed = key.seal_block(block, place, text).unwrap();
        let mut record = record.clone();
        let part = &mut record.parts[0];
        match block {
            Block::Sealer => part.envelope.sealer = sealed,
            Block::Author => {
                part.body.author = sealed;
                part.envelope.statement.root = part.body.root().unwrap();
            }
        }
        world.open(&record)
    };
    assert!(with(Block::Sealer, &sealer).is_ok());
    // Another envelope than the signed one, since the author's block has another IV.
    assert_eq!(with(Block::Author, &author).unwrap_err(), Error::Forged("content"));
    for (block, text) in [(Block::Author, &author), (Block::Sealer, &sealer)] {
        for length in (0..text.len()).step_by(7) {
            assert!(with(block, &text[..length]).is_err(), "{length}");
        }
        assert!(with(block, &[text.as_slice(), &[0]].concat()).is_err());
    }
}

/// A field sealed under the part's key in the place of another, with the author's signatures.
#[test]
fn a_value_that_the_author_did_not_sign_is_not_shown() {
    let world = world();
    let mut record = world.sealed("r", "I21.4");
    let dek = record.parts[0].wrap.open(&world.access, &record.content).unwrap();
    let part = &mut record.parts[0];
    let key = part.envelope.statement.part_key(&dek).unwrap();
    let mut header = field_header(&record.content, world.access.compartment()).unwrap();
    let path = FieldPath::new("/diagnosis").unwrap();
    let old = part.body.fields[&path].clone();
    // The forger keeps the IV and finds a plaintext; that the tag differs shows already in the envelope's root.
    let mut value = Zeroizing::new(b"Z99.9".to_vec());
    let forged = key.seal(&mut header, (&path, Revision(0)), *old.iv(), &mut value).unwrap();
    part.body.fields.insert(path, forged);
    assert_eq!(world.open(&record).unwrap_err(), Error::CannotOpen);
    let part = &mut record.parts[0];
    part.envelope.statement.root = part.body.root().unwrap();
    assert_eq!(world.open(&record).unwrap_err(), Error::Forged("content"));
}

/// Whoever is shut out kept the compartment key, and computes by hand on what the store holds after the rewrap: no label in
/// the clear stands in the way, only the cipher.
#[test]
fn the_old_compartment_key_opens_no_wrap_under_the_new_one() {
    let world = world();
    let (old, new) = (&world.access, world.rotated());
    let mut record = world.sealed("r", "I21.4");
    record.rewrap(old, &new).unwrap();
    let WrapKey::Symmetric(wrapped) = &record.parts[0].wrap.key else { panic!() };
    let header = |key| WrapHeader::new(record.owner(), record.record(), old.compartment(), key).unwrap();
    let [before, after] = [old, &new].map(|access| (access.generation(), access.key_id()));
    assert!(unwrap_dek(new.cek(), &header(after), wrapped).is_ok());
    assert!(unwrap_dek(new.cek(), &header((after.0, before.1)), wrapped).is_err());
    for key in [before, after] {
        assert_eq!(unwrap_dek(old.cek(), &header(key), wrapped).err(), Some(Error::CannotOpen));
    }
}

/// She kept a part's own key, and tries it on later bodies without the comparison of commitments.
#[test]
fn the_old_key_of_a_part_opens_what_was_rewrapped_and_neither_an_edit_nor_what_was_sealed_again() {
    let world = world();
    let (old, new) = (&world.access, world.rotated());
    let before = world.sealed("r", "I21.4");
    let dek = before.parts[0].wrap.open(old, &before.content).unwrap();
    let opens = |record: &SealedRecord, dek: &Dek| {
        let Part { envelope, body, .. } = &record.parts[0];
        let (key, _) = PartKey::fresh(dek, &envelope.statement.salt).unwrap();
        let mut header = field_header(&record.content, old.compartment()).unwrap();
        let path = FieldPath::new("/diagnosis").unwrap();
        let revision = record.content.revision;
        key.open(&mut header, (&path, revision), &body.fields[&path]).is_ok()
    };
    let reader = Reader::new(&world.trust, NOW).devices(world.alice.devices().clone());
    let mut rewrapped = before.clone();
    rewrapped.rewrap(old, &new).unwrap();
    let phone = Author::device(&world.phone, world.alice.devices()).unwrap();
    let resealed = reader.reseal(&rewrapped, (&new, &new), &phone, NOW).unwrap();
    let edit = reader.amend(&rewrapped, &[&new]).unwrap().field("/diagnosis", "Z99").unwrap();
    let edited = edit.seal(&world.author(&world.ada), NOW).unwrap();
    assert_eq!([&before, &rewrapped, &resealed, &edited].map(|record| opens(record, &dek)), [true, true, false, false]);
    for record in [&resealed, &edited] {
        assert!(opens(record, &record.parts[0].wrap.open(&new, &record.content).unwrap()));
    }
}

impl World {
    /// What one who may write signs, whatever this crate would say to it: the parts of `content` beside the new one are
    /// kept.
    fn revision(&self, base: &SealedRecord, content: Content, fields: &[(&str, &str)], older: Older) -> SealedRecord {
        let path = |path: &str| FieldPath::new(path).unwrap();
        let fields = fields.iter().map(|(at, value)| (path(at), Zeroizing::new(value.as_bytes().to_vec())));
        let mallory = self.author(&self.mallory).danger_unchecked();
        let parts = vec![(Place::from(&self.access), fields.collect(), older)];
        let (content, parts) = seal_parts(content, parts, &mallory).unwrap();
        let mut kept = base.parts.clone();
        kept.retain(|part| {
            parts.iter().all(|new| new.envelope.statement.compartment != part.envelope.statement.compartment)
        });
        kept.extend(parts);
        kept.sort_by(|a, b| a.envelope.statement.compartment.cmp(&b.envelope.statement.compartment));
        let mut older: Vec<Content> = base.older.iter().chain([&base.content]).cloned().collect();
        older.retain(|older| content.names_a_part_of(older));
        SealedRecord { content, older, parts: kept }
    }

    /// The next content after a record, in which the part at hand is to be written anew.
    fn next(&self, base: &SealedRecord) -> Content {
        let mut parts = base.content.parts.clone();
        parts.retain(|part| part.compartment != *self.access.compartment());
        let revision = Revision(base.revision().0 + 1);
        Content { revision, previous: Some(base.hash().unwrap()), parts, ..base.content.clone() }
    }

    /// With a second part, in a compartment that the forger cannot read.
    fn two_parts(&self) -> (SealedRecord, Access) {
        let consent = self.phone.consent(self.alice.devices(), "psychiatry".parse().unwrap());
        let write = &self.trust;
        let hospital = "st-olave".parse().unwrap();
        let (_, other) = consent.write(write, &hospital, "role:doctor").unwrap().seal(NOW).unwrap();
        let record = Record::new("r".parse().unwrap(), "clinic/encounter".parse().unwrap());
        let record = record.part(&self.access).unwrap().field("/diagnosis", "I21.4").unwrap();
        let record = record.part(&other).unwrap().field("/note", "n").unwrap();
        (record.seal(&self.author(&self.ada), NOW).unwrap(), other)
    }
}

//! Writes the files of `tests/vectors/life`.

use std::time::Duration;

use crate::support::branches::Branches;
use crate::support::case::hex;
use crate::support::waiting::block_on;
use crate::support::world::{NOW, World, YEAR, after};
use base64ct::{Base64UrlUnpadded, Encoding};
use chartseal::authority::Reason;
use chartseal::backup;
use chartseal::consent::{ConsentBuilder, Decline, DeviceList, Mandate, Referral, ReferralEnd, Removal};
use chartseal::id::Time;
use chartseal::identity::Identity;
use chartseal::owner::recovery::RecoveryKey;
use chartseal::owner::{Device, Owner, Recovery};
use chartseal::pin::PinStore;
use chartseal::repository::{Put, Repository};
use chartseal::store::{MemoryStore, Store};

use super::Folder;

const WEEK: u64 = 7 * 86_400;

/// The two forms; the text is the body of the case.
macro_rules! forms {
    ($object:literal, $headers:expr, $value:expr) => {{
        let value = $value;
        let cbor = hex(&value.to_cbor().unwrap());
        format!("object: {}\n{}cbor: {cbor}\n\n{}\n", $object, $headers, value.to_json().unwrap())
    }};
}

macro_rules! statement {
    ($object:literal, $value:expr) => {{
        let value = $value;
        let (cbor, hash) = (hex(&value.to_cbor().unwrap()), hex(value.hash().unwrap().as_bytes()));
        format!("object: {}\ncbor: {cbor}\nhash: {hash}\n\n{}\n", $object, value.to_json().unwrap())
    }};
}

pub(crate) fn write_all() {
    let folder = Folder::anew("life");
    events(&folder);
    consents(&folder);
    backups(&folder);
    lists(&folder);
    let mut hospital = World::new().hospital;
    hospital.rotate(after(10)).unwrap();
    folder.write("bulletin_previous", &forms!("bulletin", "", hospital.publish(after(100)).unwrap()));
}

/// What a doctor and an owner say.
fn events(folder: &Folder) {
    let world = World::new();
    let credential = world.trust.credential(&world.ada.issued.credential, NOW).unwrap();
    let specialist = world.trust.credential(&world.nurse.issued.credential, NOW).unwrap();
    let (by, owner) = ((&world.ada.identity, &credential), world.alice.id());
    let sections = ["cardiology", "laboratory"].map(|section| section.parse().unwrap());
    let referral = Referral::refer(by, owner, sections, &specialist, (after(WEEK), NOW)).unwrap();
    folder.write("referral_end", &statement!("end of referral", ReferralEnd::end(by, &referral, NOW).unwrap()));
    folder.write("referral", &statement!("referral", referral));
    let decline = Decline::decline(by, owner, &"cardiology".parse().unwrap(), NOW).unwrap();
    folder.write("decline", &statement!("decline", decline));
    folder.write("erasure", &statement!("erasure", world.alice.erase(after(WEEK), NOW).unwrap()));
}

/// A consent that excludes people for each cause, a mandate, and both kinds of heads.
fn consents(folder: &Folder) {
    let mut world = World::new();
    let section = "a".parse().unwrap();
    let start = world.phone.consent(world.devices(), "a".parse().unwrap());
    let number = world.lab.issued.credential.unverified().number;
    let policy = format!("role:doctor and not user:{number} or role:nurse and not user:{number}");
    let start = start.read(&world.trust, world.hospital.id(), &policy).unwrap();
    let (first, access) = start.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    folder.write("device_head", &statement!("head", world.phone.head(&world.live(&first), NOW).unwrap()));
    let credential = world.trust.credential(&world.ada.issued.credential, NOW).unwrap();
    let decline = Decline::decline((&world.ada.identity, &credential), world.alice.id(), &section, NOW).unwrap();
    let new = Identity::generate(world.nurse.identity.id().clone()).unwrap();
    world.hospital.replace_keys(&new.enrol().unwrap(), NOW, Reason::Compromised, NOW).unwrap();
    let issued = world.hospital.issue(new.id(), &"role:nurse".parse().unwrap(), NOW, after(YEAR), NOW).unwrap();
    world.publish();
    world.known_elsewhere("dr-who");
    let (stolen, new) = (&world.nurse.issued.credential, world.trust.credential(&issued.credential, NOW).unwrap());
    let sharing = |access| world.phone.sharing(world.devices(), &world.trust, access);
    let (_, access, _) = sharing(&access).grant_policy(world.hospital.id(), "dept:icu").unwrap().seal(NOW).unwrap();
    let (_, access, _) = sharing(&access).revoke("dr-who".parse().unwrap()).unwrap().seal(NOW).unwrap();
    let (_, access, _) = sharing(&access).revoke("lab-7".parse().unwrap()).unwrap().seal(NOW).unwrap();
    let (_, access, _) = sharing(&access).replace_key(&[stolen], &new).unwrap().seal(NOW).unwrap();
    let declined = decline.accept(&credential, NOW).unwrap();
    let (stored, access, _) = sharing(&access).decline(&declined).unwrap().seal(NOW).unwrap();
    let exclusions = access.terms().exclusions.iter().map(|one| serde_json::to_string(one).unwrap());
    let headers = format!(
        "list: {}\ndevice: {}\nexclusions: {}\nread: {}\nwrite: {}\n",
        hex(&world.alice.list().to_cbor().unwrap()),
        hex(world.phone.to_secret_bytes().expose()),
        exclusions.collect::<Vec<_>>().join(" "),
        access.read_policies()[0].1,
        access.write_policies()[0].1
    );
    folder.write("consent_that_excludes", &forms!("consent", headers, stored));

    let service = Identity::generate("service".parse().unwrap()).unwrap();
    let start = world.phone.consent(world.devices(), "a".parse().unwrap()).custodian(&service.public()).unwrap();
    let (_, access) = start.write(&world.trust, world.hospital.id(), "role:doctor").unwrap().seal(NOW).unwrap();
    let mandate = world.phone.mandate((world.devices(), &access), &service.public(), after(YEAR), NOW).unwrap();
    let next = Mandate::consent(&mandate, &service, world.devices()).unwrap();
    let next = ConsentBuilder::after(next, &access).unwrap().same_terms(&world.trust).unwrap();
    let (stored, _) = next.seal(after(10)).unwrap();
    let live = stored.verify(world.devices(), &section, &PinStore::default(), after(10)).unwrap();
    folder.write("custodian_head", &statement!("head", live.custodian_head(&service, after(10)).unwrap()));
    folder.write("mandate", &statement!("mandate", mandate));
}

fn backups(folder: &Folder) {
    let world = World::new();
    let (store, (consent, access)) = (MemoryStore::new(), world.consent("a", "role:doctor"));
    let repository = Repository::new(&store);
    assert_eq!(block_on(repository.put_consent(&consent)).unwrap(), Put::Done);
    let record = crate::support::stored::sealed(&world, &access, "r");
    assert_eq!(block_on(repository.put(&record)).unwrap(), Put::Done);
    folder.write("backup", &backed_up(&store));
    let (branches, store) = (Branches::new(), MemoryStore::new());
    for (stored, _) in [&branches.first, &branches.custodians, &branches.own] {
        assert_eq!(block_on(Repository::new(&store).put_consent(stored)).unwrap(), Put::Done);
    }
    folder.write("backup_of_two_branches", &backed_up(&store));
}

fn backed_up(store: &MemoryStore) -> String {
    let mut stream = Vec::new();
    let written = block_on(backup::write(store, &mut stream)).unwrap();
    assert!(written.damaged.is_empty());
    let keys = block_on(store.keys("", "", 99)).unwrap().join(" ");
    let stream = Base64UrlUnpadded::encode_string(&stream);
    format!("object: backup\nentries: {}\nkeys: {keys}\n\n{stream}\n", written.entries)
}

/// An owner arranges her recovery, is brought back by her guardians, and changes her root key herself; and lists in which
/// somebody changed something. The shares are those of her guardians.
fn lists(folder: &Folder) {
    let (mut owner, phone) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let parents = Device::generate("parents".parse().unwrap()).unwrap();
    owner.add_device_until(&parents.public(), after(1000), NOW).unwrap();
    let key = RecoveryKey::generate().unwrap();
    let guardians = ["sister", "friend", "notary"].map(|name| name.parse().unwrap());
    let (plan, shares) = key.share(2, guardians.into()).unwrap();
    let recovery = |key: &RecoveryKey| Recovery { key: key.public(), delay: Duration::from_secs(WEEK), plan: None };
    owner.arrange_recovery(&[Recovery { plan: Some(&plan), ..recovery(&key) }], NOW).unwrap();
    let arranged = owner.list().clone();
    let new = Device::generate("new".parse().unwrap()).unwrap();
    let back = key
        .succeed(owner.devices(), &[("phone".parse().unwrap(), Removal::Lost { since: NOW })], &new.public(), NOW)
        .unwrap();
    let recovered = back.list().clone();
    folder.write("veto", &statement!("veto", phone.veto(owner.devices(), &recovered).unwrap()));
    let twice = back.change_root(after(1)).unwrap();

    let write = |name: &str, now: Time, expect: &str, list: &DeviceList| {
        let headers = format!("owner: {}\nnow: {}\nexpect: {expect}\n", owner.id(), now.as_secs());
        folder.write(name, &forms!("device list", headers, list));
    };
    let late = after(WEEK + 1);
    write("list_arranged", NOW, "version 3", &arranged);
    write("list_recovered", late, "version 4", &recovered);
    write("list_recovered_too_early", after(WEEK), "change of root key is not valid at this time", &recovered);
    write("list_changed_twice", late, "version 5", twice.list());
    write(
        "list_of_a_time_to_come",
        NOW.minus(Duration::from_secs(301)),
        "device list is not valid at this time",
        &arranged,
    );
    let (mut tidy, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    for id in ["tablet", "watch"] {
        tidy.add_device(&Device::generate(id.parse().unwrap()).unwrap().public(), NOW).unwrap();
    }
    tidy.remove_device(&"tablet".parse().unwrap(), Removal::Retired, after(2)).unwrap();
    tidy.remove_device(&"watch".parse().unwrap(), Removal::Lost { since: after(1) }, after(2)).unwrap();
    let headers = format!("owner: {}\nnow: {}\nexpect: version 5\n", tidy.id(), after(2).as_secs());
    folder.write("list_with_devices_that_are_gone", &forms!("device list", headers, tidy.list()));

    let json = twice.list().to_json().unwrap();
    let (head, rest) = json.split_once(",\"succession\":[").unwrap();
    let (links, tail) = rest.rsplit_once(']').unwrap();
    let (first, second) = links.split_once(",{\"change\":").unwrap();
    let second = format!("{{\"change\":{second}");
    let (change, by) = first.split_once(",\"by\":").unwrap();
    let altered = |name: &str, unsigned: &str, links: &[&str]| {
        let links = if links.is_empty() { String::new() } else { format!(",\"succession\":[{}]", links.join(",")) };
        let list = DeviceList::from_json(&format!("{head}{links}{tail}")).unwrap();
        write(name, late, &format!("{unsigned} is not signed by the key that it names"), &list);
    };
    altered("list_without_its_changes", "device list", &[]);
    altered("list_without_the_last_change", "device list", &[first]);
    altered("list_with_changes_in_the_wrong_order", "device list", &[&second, first]);
    altered("list_with_a_change_that_nobody_may_make", "change of root key", &[&format!("{change}}}"), &second]);
    // Somebody else's, who arranged it for herself.
    let (mut other, _) = Owner::generate_with_device("phone".parse().unwrap(), NOW).unwrap();
    let others =
        other.arrange_recovery(&[recovery(&RecoveryKey::generate().unwrap())], NOW).unwrap().to_json().unwrap();
    let (_, others) = others.split_once("\"recovery\":[").unwrap();
    let (others, _) = others.split_once(']').unwrap();
    assert_ne!(by, format!("{others}}}"));
    let link = format!("{change},\"by\":{others}}}");
    altered("list_with_anothers_arrangement", "recovery arrangement", &[&link, &second]);

    let public = key.public();
    let mut headers = format!("plan: {}\n", hex(plan.hash().unwrap().as_bytes()));
    headers += &format!("code: {}\n", key.code().expose());
    headers += &format!("signing: {}\n", hex(public.signing.as_bytes()));
    headers += &format!("sealing: {}\n", hex(public.sealing.as_bytes()));
    for (share, n) in shares.iter().zip(1..) {
        headers += &format!("share {n}: {}\n", hex(share.to_secret_bytes().unwrap().expose()));
    }
    folder.write("shares", &forms!("shares", headers, plan));
}

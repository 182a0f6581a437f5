//! The hospital and its staff: credentials, keys, and what everybody knows of them.

use chartseal::authority::{Authority, Credential, REVOCATION_LIMIT, Trust};
use chartseal::identity::Identity;
use chartseal::kem::UserKey;
use chartseal::pin::PinStore;
use chartseal::policy::{Attributes, Month, PersonNumber, Policy};

use crate::Failure;
use crate::people::{ISSUED, LABORATORY, MEMBERS, Member, NOW};

pub(crate) struct Hospital {
    pub(crate) authority: Authority,
    pub(crate) trust: Trust,
    pub(crate) staff: Vec<Staff>,
    pub(crate) laboratory: Staff,
}

/// One member with what lies on the member's own device.
pub(crate) struct Staff {
    pub(crate) member: &'static Member,
    pub(crate) identity: Identity,
    pub(crate) credential: Credential,
    pub(crate) key: UserKey,
    pub(crate) pins: PinStore,
    number: PersonNumber,
}

impl Hospital {
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut authority = Authority::setup("st-olave".parse()?, ISSUED)?;
        let mut trust = Trust::new(REVOCATION_LIMIT);
        trust.add(authority.anchor())?;
        let mut hired = Vec::new();
        for member in MEMBERS.iter().chain([&LABORATORY]) {
            let identity = Identity::generate(member.id.parse()?)?;
            hired.push((member, authority.enrol(&identity.enrol()?)?, identity));
        }
        trust.update(&authority.publish(ISSUED)?, &mut PinStore::default(), ISSUED)?;

        let mut staff = Vec::new();
        for (member, number, identity) in hired {
            let attributes: Attributes = member.attributes.parse()?;
            let issued = authority.issue(identity.id(), &attributes, ISSUED, member.until, ISSUED)?;
            let key = identity.accept(&issued, &trust, ISSUED)?;
            let credential = issued.credential;
            staff.push(Staff { member, identity, credential, key, pins: PinStore::default(), number });
        }
        let laboratory = staff.pop().ok_or("the laboratory was hired last")?;
        // The list of a year ago tells nobody who is still trusted today.
        trust.update_revocations(&authority.renew_revocations(NOW)?, &mut PinStore::default(), NOW)?;
        Ok(Self { authority, trust, staff, laboratory })
    }

    /// What a policy says in plain to a member of staff, in the month of the consents.
    pub(crate) fn admits(&self, policy: &str, staff: &Staff) -> Result<bool, Failure> {
        let text = format!("({policy}) and valid-until >= 2024-01");
        let policy = Policy::parse_with(&text, self.trust.resolve(self.authority.id()))?;
        let attributes: Attributes = staff.member.attributes.parse()?;
        let attributes = attributes.with_person(staff.number)?.with_valid_until(Month::at(staff.member.until)?)?;
        Ok(policy.satisfied_by(&attributes))
    }

    /// A member, and the trust and time that the member checks with.
    pub(crate) fn member(&mut self, id: &str) -> Result<&mut Staff, Failure> {
        Ok(self.staff.iter_mut().find(|staff| staff.member.id == id).ok_or("nobody of that name")?)
    }
}

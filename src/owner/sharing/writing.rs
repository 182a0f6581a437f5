//! Who may write: the same verbs as for reading.

use super::{Change, Sharing};
use crate::consent::{Action, ConsentBuilder};
use crate::error::Result;
use crate::id::AuthorityId;

impl<'a> Sharing<'a> {
    /// Lets those write, by the attributes of an authority, who satisfy the present policy for writing or this one, but for
    /// whom the present one excludes as a whole. Whoever is excluded from the consent stays so. The compartment key stays.
    ///
    /// Who writes need not read. What she wrote counts for as long as readers know this consent, or a later one.
    ///
    /// ```
    /// # use chartseal::{Error, authority::{Authority, REVOCATION_LIMIT, Trust}, id::Time, owner::Owner, pin::PinStore};
    /// # let now = Time::at(1_775_000_000);
    /// # let mut hospital = Authority::setup("st-olave".parse()?, now)?;
    /// # let (mut trust, mut pins) = (Trust::new(REVOCATION_LIMIT), PinStore::default());
    /// # trust.add(hospital.anchor())?;
    /// # trust.update(&hospital.publish(now)?, &mut pins, now)?;
    /// # let (alice, phone) = Owner::generate_with_device("phone".parse()?, now)?;
    /// let first = phone.consent(alice.devices(), "notes".parse()?).write(&trust, hospital.id(), "role:doctor")?;
    /// let (_, access) = first.seal(now)?;
    /// let change = phone.sharing(alice.devices(), &trust, &access).grant_writing(hospital.id(), "role:nurse")?;
    /// let (_, next, receipt) = change.seal(now)?;
    /// assert_eq!(next.terms().write[0].policy, "role:doctor or role:nurse");
    /// assert!(receipt.to_string().contains("may write"));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::write`]; [`Error::ApiMisuse`](crate::Error::ApiMisuse) if the policy is for somebody by number
    /// who is excluded.
    pub fn grant_writing(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        let builder = self.next()?.reseal()?.write_also(self.trust, authority, policy)?;
        let builder = builder.same_writing(self.trust, |other| other != authority)?;
        let builder = builder.same_reading(self.trust, |_| true)?.same_exclusions(|_| true)?;
        Ok(self.change(builder.same_people(|_| true)?))
    }

    /// Puts another policy for writing in the place of an authority's, under a new compartment key: a guarded
    /// [`Repository`](crate::repository::Repository) takes nothing any more that is written under the old one. Whoever was
    /// excluded by name, declined, or had her keys stolen stays out; whom the present policy excludes by number does not.
    /// What was written before stands.
    ///
    /// # Errors
    ///
    /// As [`ConsentBuilder::write`].
    pub fn restrict_writing(self, authority: &AuthorityId, policy: &str) -> Result<Change<'a>> {
        Ok(self.change(self.without_writing(authority)?.write(self.trust, authority, policy)?))
    }

    /// Lets nobody write any more by the attributes of an authority, under a new compartment key. The owner's devices always
    /// may. What was written before stands.
    ///
    /// # Errors
    ///
    /// None that a caller can bring about.
    pub fn revoke_writing(self, authority: &AuthorityId) -> Result<Change<'a>> {
        Ok(self.change(self.without_writing(authority)?))
    }

    /// The terms as they are, but for one authority's policy for writing.
    fn without_writing(&self, authority: &AuthorityId) -> Result<ConsentBuilder<'a>> {
        let builder = self.next()?.same_writing(self.trust, |other| other != authority)?;
        let builder = builder.same_reading(self.trust, |_| true)?;
        builder.same_exclusions(|one| !one.is_of_policy(authority, Action::Write))?.same_people(|_| true)
    }
}

//! What a consent will say: policies, who is excluded from them, and what is remembered of the versions before.

use std::collections::BTreeSet;

use super::ConsentBuilder;
use crate::authority::Trust;
use crate::consent::exclusion::{Action, Exclusion, excluded};
use crate::consent::preview::UnenforcedExclusion;
use crate::consent::referral::Referred;
use crate::consent::terms::{ConsumedStatement, PastWriting, Reading, Terms, Writing};
use crate::error::{Error, Result, Unknown};
use crate::id::{AuthorityId, Hash, PersonId, Time};
use crate::kem::PublicParameters;
use crate::policy::{Month, ParseError, ParseErrorKind, PersonNumber, Policy};

/// A policy as it was said.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) trust: &'a Trust,
    pub(super) authority: AuthorityId,
    pub(super) policy: Policy,
    /// What the caller wrote; none if it is taken over.
    pub(super) said: Option<String>,
}

impl ConsentBuilder<'_> {
    /// The terms as they will stand, and the exclusions that are not enforced everywhere.
    pub(super) fn terms(&self, now: Time) -> Result<(Terms, Vec<UnenforcedExclusion>)> {
        self.check_known()?;
        let (exclusions, unenforced) = self.exclusions(now);
        if self.people.iter().chain(&self.custodian).any(|named| exclusions.iter().any(|one| one.names(&named.person)))
        {
            return Err(Error::ApiMisuse("a person is named and excluded at once"));
        }
        let before = self.after.map(|before| &before.terms);
        let month = Month::at(now)?.count();
        let mut read = Vec::with_capacity(self.read.len());
        for draft in &self.read {
            let (authority, policy) = (draft.authority.clone(), draft.policy.to_string());
            let stood = |reading: &Reading| (&reading.authority, &reading.policy) == (&authority, &policy);
            let reading = Reading { authority: authority.clone(), policy: policy.clone(), month };
            if !before.is_some_and(|before| before.read.iter().any(stood)) {
                draft.admits_somebody(Action::Read, &exclusions)?;
                if draft.blamed(reading.sealed_policy(&exclusions))?.is_none() {
                    return Err(Error::ApiMisuse("the policy is for earlier months alone"));
                }
            }
            read.push(reading);
        }
        let mut write = Vec::with_capacity(self.write.len());
        for draft in &self.write {
            let writing = Writing { authority: draft.authority.clone(), policy: draft.policy.to_string() };
            if !before.is_some_and(|before| before.write.contains(&writing)) {
                draft.admits_somebody(Action::Write, &exclusions)?;
            }
            write.push(writing);
        }
        let terms = Terms {
            read,
            write,
            owner_keys: self.owner_keys()?,
            people: self.people.clone(),
            custodian: self.custodian.clone(),
            exclusions,
            past: self.after.map_or_else(Vec::new, |before| {
                let which = (before.statement.devices, before.version(), before.base);
                PastWriting::after(&before.terms, which, (before.issued_at(), before.not_after()))
            }),
            consumed: self.consumed(now),
            ceiling: self.ceiling()?.map(Box::new),
        };
        Ok((terms, unenforced))
    }

    /// An exclusion by a name that nobody has shuts nobody out, and looks as if it did.
    fn check_known(&self) -> Result<()> {
        let drafts = || self.read.iter().chain(&self.write);
        for person in &self.said_by_name {
            let here = self.after.is_some_and(|before| before.terms.knows(person));
            let mut trusts = drafts().map(|draft| draft.trust);
            if here || drafts().next().is_none() || trusts.any(|trust| trust.check_person(person).is_ok()) {
                continue;
            }
            let asked: BTreeSet<_> = drafts().flat_map(|draft| draft.trust.authorities()).cloned().collect();
            let asked = asked.into_iter().collect();
            return Err(Error::Unknown(Unknown::Person { person: person.clone(), asked }));
        }
        Ok(())
    }

    /// Who is excluded, with the numbers that the authorities of the policies here have for the names; and where they have
    /// none.
    fn exclusions(&self, now: Time) -> (Vec<Exclusion>, Vec<UnenforcedExclusion>) {
        // A custodian takes all of them over: to leave one out would be to go further than the mandate.
        let kept = self.exclusions.iter().filter(|one| self.mandate.is_some() || !one.is_over(now));
        let new = self.excluded.iter().filter(|new| !self.exclusions.iter().any(|one| one.says_what(new)));
        let new = new.map(|new| Exclusion { since: now, ..new.clone() });
        let (mut all, mut unenforced) = (BTreeSet::new(), Vec::new());
        for mut one in kept.cloned().chain(new) {
            for Draft { trust, authority, .. } in self.read.iter().chain(&self.write) {
                let Some(person) = &one.person else { continue };
                match (trust.resolve(authority)(person.as_str()), one.numbers.get(authority)) {
                    // What a mandate goes up to stays as it was said.
                    (Some(_), Some(_)) if self.mandate.is_some() => {}
                    (Some(number), _) => one.numbers.extend([(authority.clone(), number)]),
                    (None, Some(number))
                        if self.mandate.is_some() || !trust.is_anothers(authority, *number, person) => {}
                    // Nor does a number that a custodian gave to a name of nobody's stay, where it is somebody else's.
                    (None, _) => {
                        one.numbers.remove(authority);
                        let here = UnenforcedExclusion { authority: authority.clone(), person: person.clone() };
                        // It may be said of the read policy already.
                        if !unenforced.contains(&here) {
                            unenforced.push(here);
                        }
                    }
                }
            }
            all.insert(one);
        }
        (all.into_iter().collect(), unenforced)
    }

    /// What counts no more: with the referrals that brought those here who are named no more.
    pub(super) fn consumed(&self, now: Time) -> Vec<ConsumedStatement> {
        let before = self.after.map_or(&[][..], |before| &before.terms.people);
        let still = |hash: &Hash| {
            let mut people = self.people.iter().filter_map(|named| named.referred.as_ref());
            people.any(|referred| referred.referral == *hash)
        };
        let left = before.iter().filter_map(|named| named.referred.as_ref());
        let left = left.filter(|referred| !still(&referred.referral)).map(Referred::consumed);
        // Said or not, what counts no more stays so.
        let known = self.after.map_or(&[][..], |before| &before.terms.consumed);
        let all = self.consumed.iter().chain(known).cloned().chain(left);
        // A custodian takes all of them over: to leave one out would be to go further than the mandate.
        let all: BTreeSet<_> = all.filter(|consumed| self.mandate.is_some() || now <= consumed.until).collect();
        all.into_iter().collect()
    }
}

impl<'a> Draft<'a> {
    /// What is said anew for excluded people alone is a mistake.
    fn admits_somebody(&self, action: Action, exclusions: &[Exclusion]) -> Result<()> {
        let closed = self.policy.clone().excluding(&excluded(exclusions, action, &self.authority));
        let closed = closed.map(|_| ()).map_err(|error| match (&self.said, error.kind()) {
            (Some(said), ParseErrorKind::Unsatisfiable) => ParseError::of_all(ParseErrorKind::ExcludedAlone, said),
            _ => error,
        });
        self.blamed(closed.map_err(Error::Policy))
    }

    /// What is wrong with the policy as it is sealed is wrong with all that the caller wrote of it.
    fn blamed<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| match (&self.said, error) {
            (Some(said), Error::Policy(error)) => Error::Policy(ParseError::of_all(*error.kind(), said)),
            (_, error) => error,
        })
    }

    pub(super) fn parameters(&self) -> Result<&'a PublicParameters> {
        self.trust.known_parameters(&self.authority)
    }
}

/// A policy for those as well who satisfy the present one, and whom the present one excludes as a whole: they stay out.
/// `said` is what was written of the other one, `out` who is excluded already.
pub(super) fn widened(
    present: Policy,
    policy: Policy,
    (said, mut out): (&str, BTreeSet<PersonNumber>),
) -> Result<(Policy, Vec<PersonNumber>)> {
    let outright: Vec<_> = present.exclusions().filter(|number| present.excludes(*number)).collect();
    out.extend(&outright);
    if out.into_iter().any(|number| policy.names(number)) {
        return Err(Error::ApiMisuse("the policy is for a person who stays excluded"));
    }
    let wider = present.or(policy).map_err(|error| ParseError::of_all(*error.kind(), said))?;
    Ok((wider, outright))
}

/// A policy, and the people that it excludes by name: without them, as far as they are excluded beside everything else. An
/// exclusion of their own does that, and is taken back by itself.
pub(super) fn parse(
    trust: &Trust,
    authority: &AuthorityId,
    text: &str,
) -> Result<(Policy, Vec<(PersonId, PersonNumber)>)> {
    let resolve = trust.resolve(authority);
    let names = std::cell::RefCell::new(Vec::new());
    let policy = Policy::parse_with(text, |name| {
        let number = resolve(name)?;
        names.borrow_mut().push((PersonId::new(name).ok()?, number));
        Some(number)
    })?;
    let excluded: BTreeSet<_> = policy.exclusions().collect();
    let mut named = names.into_inner();
    named.retain(|(_, number)| excluded.contains(number));
    Ok((named.iter().fold(policy, |policy, (_, number)| policy.without_exclusion(*number)), named))
}

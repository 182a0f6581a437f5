//! What a consent will say: policies without the excluded, and what is remembered of the versions before.

use std::collections::BTreeSet;

use super::ConsentBuilder;
use crate::authority::Trust;
use crate::consent::preview::Uncovered;
use crate::consent::terms::{Barred, KeptOut, PastWriting, Reading, Spent, Terms, Verb, Writing};
use crate::error::{Error, Result};
use crate::id::{AuthorityId, Hash, PersonId, Time};
use crate::kem::PublicParameters;
use crate::policy::{Month, ParseErrorKind, PersonNumber, Policy};

/// A policy as it was given.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) trust: &'a Trust,
    pub(super) authority: AuthorityId,
    pub(super) policy: Policy,
    pub(super) source: Source,
}

/// Where a policy comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// It is said here, and excludes these as a whole, not for their names' sake.
    Said {
        /// Their numbers.
        excludes: BTreeSet<PersonNumber>,
    },
    /// The version before has it.
    Before,
}

impl Source {
    /// Of a policy, and those whom it excludes by name.
    pub(super) fn said(policy: &Policy, named: &[(PersonId, PersonNumber)]) -> Self {
        let by_number =
            |number: &PersonNumber| policy.excludes(*number) && named.iter().all(|(_, other)| other != number);
        Self::Said { excludes: policy.exclusions().filter(by_number).collect() }
    }
}

impl ConsentBuilder<'_> {
    /// The terms as they will stand, and the exclusions that cannot be carried out.
    pub(super) fn terms(&self, now: Time) -> Result<(Terms, Vec<Uncovered>)> {
        if self.people.iter().chain(&self.custodian).any(|named| self.excluded.contains(&named.person)) {
            return Err(Error::ApiMisuse("a person is named and excluded at once"));
        }
        let month = Month::at(now)?.count();
        let mut uncovered = Vec::new();
        let mut read = Vec::with_capacity(self.read.len());
        for draft in &self.read {
            if let Some(policy) = self.without_excluded(draft, Verb::Read, &mut uncovered)? {
                let policy = policy.to_string();
                read.push(Reading { authority: draft.authority.clone(), policy, month });
            }
        }
        let mut write = Vec::with_capacity(self.write.len());
        for draft in &self.write {
            if let Some(policy) = self.without_excluded(draft, Verb::Write, &mut uncovered)? {
                write.push(Writing { authority: draft.authority.clone(), policy: policy.to_string() });
            }
        }
        let terms = Terms {
            read,
            write,
            spent: self.spent(now),
            barred: self.barred()?,
            kept_out: self.kept_out(),
            people: self.people.clone(),
            custodian: self.custodian.clone(),
            excluded: self.excluded.iter().cloned().collect(),
            past: self.after.map_or_else(Vec::new, |before| {
                let which = (before.statement.devices, before.version(), before.base);
                PastWriting::after(&before.terms, which, (before.issued_at(), before.not_after()))
            }),
            ceiling: self.ceiling()?.map(Box::new),
        };
        Ok((terms, uncovered))
    }

    /// What counts no more: with the referrals that brought those here who are named no more.
    pub(super) fn spent(&self, now: Time) -> Vec<Spent> {
        let before = self.after.map_or(&[][..], |before| &before.terms.people);
        let still = |hash: &Hash| {
            let mut people = self.people.iter().filter_map(|named| named.referred.as_ref());
            people.any(|referred| referred.referral == *hash)
        };
        let left = before.iter().filter_map(|named| Some((named, named.referred.as_ref()?)));
        let left =
            left.filter(|(_, referred)| !still(&referred.referral)).map(|(named, referred)| referred.spent(named));
        // Said or not, what is spent stays so.
        let known = self.after.map_or(&[][..], |before| &before.terms.spent);
        let all = self.spent.iter().chain(known).cloned().chain(left);
        // A custodian takes all of them over: to leave one out would be to go further than the mandate.
        let all: BTreeSet<Spent> = all.filter(|spent| self.mandate.is_some() || now <= spent.until).collect();
        all.into_iter().collect()
    }

    /// Who was excluded by number before she is by name, or is kept out, for as long as she is.
    fn barred(&self) -> Result<Vec<Barred>> {
        let mut all = BTreeSet::new();
        let ceiling = self.ceiling()?;
        let none = Terms::default();
        let before = self.after.map_or(&none, |before| &before.terms);
        // What a custodian narrowed by number, the owner did not.
        let owners = ceiling.as_ref().map_or(before, |ceiling| &ceiling.terms);
        let kept_out = self.kept_out();
        let reading = self.read.iter().map(|draft| (Verb::Read, draft));
        let writing = self.write.iter().map(|draft| (Verb::Write, draft));
        for (from, Draft { trust, authority, source, .. }) in reading.chain(writing) {
            let resolve = trust.resolve(authority);
            let named = self.excluded.iter().filter_map(|person| resolve(person.as_str()));
            let kept = kept_out.iter().filter(|kept| (kept.from, &kept.authority) == (from, authority));
            let before_by_name: BTreeSet<_> =
                before.excluded.iter().filter_map(|person| resolve(person.as_str())).collect();
            for number in named.chain(kept.map(|kept| kept.number)) {
                let barred = Barred { authority: authority.clone(), number, from };
                let was = before.barred.contains(&barred);
                let for_a_reason = before_by_name.contains(&number) || barred.is_among(&before.kept_out);
                let said =
                    self.mandate.is_none() && matches!(source, Source::Said { excludes } if excludes.contains(&number));
                if was || said || (!for_a_reason && owners.excludes(&barred)?) {
                    all.insert(barred);
                }
            }
        }
        if self.mandate.is_some() {
            all.extend(before.barred.iter().cloned());
        }
        Ok(all.into_iter().collect())
    }

    /// Who is kept out by number: said or not, whoever was is, until let in.
    fn kept_out(&self) -> Vec<KeptOut> {
        let before = self.after.map_or(&[][..], |before| &before.terms.kept_out);
        let is_let_in = |kept: &&KeptOut| {
            let meant = self.let_in.as_ref();
            meant.is_some_and(|(authority, number, cause)| {
                (&kept.authority, kept.number, kept.cause) == (authority, *number, *cause)
            })
        };
        let before = before.iter().filter(|kept| !is_let_in(kept));
        self.kept_out.iter().chain(before).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A policy without those who are excluded by name here or under another authority, and those who are kept out.
    /// None if a policy of before is for them alone.
    fn without_excluded(
        &self,
        draft: &Draft<'_>,
        verb: Verb,
        uncovered: &mut Vec<Uncovered>,
    ) -> Result<Option<Policy>> {
        let resolve = draft.trust.resolve(&draft.authority);
        let kept_out = self.kept_out();
        let kept_out = kept_out.iter().filter(|kept| (kept.from, &kept.authority) == (verb, &draft.authority));
        let mut numbers: Vec<_> = kept_out.map(|kept| kept.number).collect();
        for person in &self.excluded {
            match resolve(person.as_str()) {
                Some(number) => numbers.push(number),
                None => {
                    let one = Uncovered { authority: draft.authority.clone(), person: person.clone() };
                    // It may be said of the read policy already.
                    if !uncovered.contains(&one) {
                        uncovered.push(one);
                    }
                }
            }
        }
        match draft.policy.clone().excluding(&numbers) {
            Err(error) if matches!(draft.source, Source::Before) && *error.kind() == ParseErrorKind::Unsatisfiable => {
                Ok(None)
            }
            policy => Ok(Some(policy?)),
        }
    }
}

impl<'a> Draft<'a> {
    pub(super) fn parameters(&self) -> Result<&'a PublicParameters> {
        self.trust.parameters(&self.authority).ok_or(Error::Unknown("public parameters"))
    }
}

/// A policy, and the people that it excludes by name.
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
    let named = names.into_inner().into_iter();
    Ok((policy, named.filter(|(_, number)| excluded.contains(number)).collect()))
}

//! Numbers, dates, months and person numbers: their text and their values.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::ParseErrorKind;
use super::tree::Numeric;
use crate::error::{Error, Result};
use crate::id::Time;
use crate::time::calendar::{calendar, day_number};

/// Dates are stored with this added to their day number, so that days before 1970 order before it.
const EPOCH: i64 = 1 << 31;
/// Day numbers of 0001-01-01 and 9999-12-31.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;

/// The dense 24-bit number that an authority gives each person for life.
///
/// ```
/// use chartseal::policy::PersonNumber;
///
/// assert_eq!(PersonNumber::new(17)?.to_string(), "#17");
/// assert!(PersonNumber::new(1 << 24).is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PersonNumber(u32);

impl PersonNumber {
    /// The largest person number, 2<sup>24</sup> − 1.
    pub const MAX: u32 = (1 << 24) - 1;

    /// Checks a number.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] above [`PersonNumber::MAX`].
    pub fn new(number: u32) -> Result<Self> {
        if number <= Self::MAX { Ok(Self(number)) } else { Err(Error::TooLarge("person number")) }
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for PersonNumber {
    type Error = Error;

    fn try_from(number: u32) -> Result<Self> {
        Self::new(number)
    }
}

impl From<PersonNumber> for u32 {
    fn from(number: PersonNumber) -> Self {
        number.0
    }
}

impl fmt::Display for PersonNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A calendar month from 1970-01 to 2311-04: the unit of `valid-until`.
///
/// ```
/// use chartseal::policy::Month;
///
/// assert_eq!(Month::new(2027, 3)?.to_string(), "2027-03");
/// assert!(Month::new(2027, 13).is_err());
/// assert!(Month::new(1969, 12).is_err());
/// # Ok::<(), chartseal::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u32);

impl Month {
    /// Checks a month, counted from 1 in its year.
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] outside 1970-01 to 2311-04.
    pub fn new(year: u32, month: u32) -> Result<Self> {
        let count = year.checked_sub(1970).and_then(|y| y.checked_mul(12)).and_then(|m| m.checked_add(month));
        match count.and_then(|count| count.checked_sub(1)) {
            Some(count) if (1..=12).contains(&month) && count <= Numeric::Month.max() => Ok(Self(count)),
            _ => Err(Error::ApiMisuse("a month must be from 1970-01 to 2311-04")),
        }
    }

    /// The month, in UTC, that a point in time lies in.
    ///
    /// ```
    /// use chartseal::{id::Time, policy::Month};
    ///
    /// assert_eq!(Month::at(Time::at(1_772_323_199))?, Month::new(2026, 2)?); // 2026-02-28T23:59:59Z
    /// assert_eq!(Month::at(Time::at(1_772_323_200))?, Month::new(2026, 3)?);
    /// assert!(Month::at(Time::MAX).is_err());
    /// # Ok::<(), chartseal::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ApiMisuse`] after 2311-04.
    pub fn at(time: Time) -> Result<Self> {
        let (year, month, _) = calendar(i64::try_from(time.as_secs() / 86_400).unwrap_or(i64::MAX / 2));
        Self::new(u32::try_from(year).unwrap_or(u32::MAX), u32::try_from(month).unwrap_or(u32::MAX))
    }

    /// Months since 1970-01.
    pub fn count(self) -> u32 {
        self.0
    }

    /// Its last second.
    pub(crate) fn end(self) -> Time {
        let next = i64::from(self.0) + 1;
        let days = day_number(1970 + next / 12, next % 12 + 1, 1);
        Time::MIN.plus(Duration::from_secs(u64::try_from(days * 86_400 - 1).unwrap_or(0)))
    }

    pub(super) fn from_count(count: u32) -> Self {
        Self(count.min(Numeric::Month.max()))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", 1970 + self.0 / 12, self.0 % 12 + 1)
    }
}

/// A value of one of the numeric kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    pub(super) kind: Numeric,
    pub(super) value: u32,
}

impl Literal {
    pub(super) fn parse(text: &str) -> Result<Self, ParseErrorKind> {
        let bytes = text.as_bytes();
        let digits = bytes.iter().all(u8::is_ascii_digit);
        if digits && !bytes.is_empty() {
            if text.len() > 1 && text.starts_with('0') {
                return Err(ParseErrorKind::InvalidLiteral);
            }
            let value = text.parse().map_err(|_| ParseErrorKind::OutOfRange)?;
            return Ok(Self { kind: Numeric::Number, value });
        }
        let formed =
            bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
        let part = |at: std::ops::Range<usize>| text.get(at).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        let (year, month) = (part(0..4), part(5..7));
        match text.len() {
            7 if formed => {
                if year == 0 || !(1..=12).contains(&month) {
                    return Err(ParseErrorKind::InvalidDate);
                }
                let month = Month::new(year, month).map_err(|_| ParseErrorKind::OutOfRange)?;
                Ok(Self { kind: Numeric::Month, value: month.0 })
            }
            10 if formed => {
                let day = part(8..10);
                if year == 0 || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
                    return Err(ParseErrorKind::InvalidDate);
                }
                Ok(Self { kind: Numeric::Date, value: from_day(day_number(year.into(), month.into(), day.into())) })
            }
            _ => Err(ParseErrorKind::InvalidLiteral),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Numeric::Number => write!(f, "{}", self.value),
            Numeric::Month => Month::from_count(self.value).fmt(f),
            Numeric::Person => write!(f, "#{}", self.value),
            Numeric::Date => {
                let (year, month, day) = calendar(i64::from(self.value) - EPOCH);
                write!(f, "{year:04}-{month:02}-{day:02}")
            }
        }
    }
}

/// The values that a key can hold, lowest and highest: for a date only the writable days.
pub(super) fn domain(kind: Numeric) -> (u32, u32) {
    match kind {
        Numeric::Date => (from_day(FIRST_DAY), from_day(LAST_DAY)),
        Numeric::Number | Numeric::Month | Numeric::Person => (0, kind.max()),
    }
}

fn from_day(day: i64) -> u32 {
    u32::try_from(day.saturating_add(EPOCH)).unwrap_or(u32::MAX)
}

fn days_in(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_calendar_counts_one_more_than_the_day_before_and_prints_back() {
        let mut expected = FIRST_DAY;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(day_number(year.into(), month.into(), day.into()), expected);
                    assert_eq!(calendar(expected), (year.into(), month.into(), day.into()));
                    expected += 1;
                }
            }
        }
        assert_eq!(expected - 1, LAST_DAY);
        assert_eq!(day_number(1970, 1, 1), 0);
        assert_eq!(day_number(2000, 2, 29), 11_016);
    }

    #[test]
    fn a_time_lies_in_the_month_of_its_day() {
        let time = |seconds| Time::from_secs(seconds).unwrap();
        for year in 1970..=2311 {
            for month in 1..=12 {
                let first = u64::try_from(day_number(i64::from(year), i64::from(month), 1)).unwrap() * 86_400;
                let last = first + u64::from(days_in(year, month)) * 86_400 - 1;
                let expected = Month::new(year, month);
                assert!(expected.as_ref().map_or(true, |month| month.end() == time(last)));
                assert_eq!((Month::at(time(first)), Month::at(time(last))), (expected.clone(), expected));
            }
        }
        assert!(Month::at(time(1 << 36)).is_err() && Month::at(Time::MAX).is_err());
    }

    #[test]
    fn a_literal_prints_back_and_orders_as_its_kind_does() {
        for text in ["0", "4294967295", "0001-01-01", "1899-12-31", "2024-02-29", "9999-12-31", "1970-01", "2311-04"] {
            assert_eq!(Literal::parse(text).unwrap().to_string(), text);
        }
        let value = |text| Literal::parse(text).unwrap().value;
        assert!(value("1969-12-31") < value("1970-01-01"));
        assert_eq!(value("1970-01-01"), 1 << 31);
        assert_eq!(value("2311-04"), 4095);
        assert_eq!(value("2026-01"), 672);
    }

    #[test]
    fn what_is_not_exactly_a_literal_is_refused() {
        use ParseErrorKind::{InvalidDate, InvalidLiteral, OutOfRange};
        for (text, kind) in [
            ("", InvalidLiteral),
            ("-1", InvalidLiteral),
            ("+1", InvalidLiteral),
            ("007", InvalidLiteral),
            ("00", InvalidLiteral),
            ("1.5", InvalidLiteral),
            ("1e3", InvalidLiteral),
            ("2026-1", InvalidLiteral),
            ("2026-1-01", InvalidLiteral),
            ("2026/01", InvalidLiteral),
            ("2026-01-01T00", InvalidLiteral),
            ("10000-01-01", InvalidLiteral),
            ("4294967296", OutOfRange),
            ("99999999999999999999999", OutOfRange),
            ("1969-12", OutOfRange),
            ("2311-05", OutOfRange),
            ("9999-12", OutOfRange),
            ("2026-00", InvalidDate),
            ("2026-13", InvalidDate),
            ("0000-01", InvalidDate),
            ("0000-12-31", InvalidDate),
            ("2026-02-29", InvalidDate),
            ("1900-02-29", InvalidDate),
            ("2026-04-31", InvalidDate),
            ("2026-01-00", InvalidDate),
        ] {
            assert_eq!(Literal::parse(text), Err(kind), "{text}");
        }
    }
}

//! Points in time, which are seconds and nothing else.

pub(crate) mod calendar;

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A point in time: whole seconds since 1970-01-01T00:00:00Z, up to the end of the year 9999. Nothing in this crate has a
/// clock; every check is told what time it is.
///
/// The bound catches the commonest slip of a host: milliseconds in the place of seconds. Taken for seconds, the
/// milliseconds of today lie some 56,000 years away, where everything has ended and every delay is over. So no value of
/// this type holds them, whether a host makes it or a statement carries it.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use chartseal::id::Time;
///
/// let now = Time::from(SystemTime::now());
/// assert!(Time::at(1_775_000_000) < now); // 2026-03-31
/// assert_eq!(Time::from_millis(1_775_000_000_999)?, Time::at(1_775_000_000));
/// assert!(Time::from_secs(1_775_000_000_999).is_err());
/// assert_eq!(Time::at(1_775_000_000).to_string(), "2026-03-31T23:33:20Z");
/// assert_eq!(now.plus(Duration::from_secs(60)).since(now), Duration::from_secs(60));
/// # Ok::<(), chartseal::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Time(u64);

impl Time {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);

    /// 9999-12-31T23:59:59Z.
    pub const MAX: Self = Self(253_402_300_799);

    /// So many seconds since 1970, up to the year 2106. It fits for times that are written down in a program, and the
    /// milliseconds of today do not compile.
    ///
    /// ```compile_fail
    /// let now = chartseal::id::Time::at(1_775_000_000_000);
    /// ```
    pub const fn at(seconds: u32) -> Self {
        // Widens; `From` is not const.
        Self(seconds as u64)
    }

    /// So many seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] beyond the year 9999: those are not seconds.
    pub const fn from_secs(seconds: u64) -> Result<Self> {
        if seconds <= Self::MAX.0 { Ok(Self(seconds)) } else { Err(Error::Malformed("time")) }
    }

    /// So many milliseconds since 1970, in whole seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] beyond the year 9999: those are not milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Result<Self> {
        Self::from_secs(milliseconds / 1000)
    }

    /// Seconds since 1970.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// The time so much later, [`Time::MAX`] at most. Parts of a second do not count.
    pub const fn plus(self, duration: Duration) -> Self {
        let later = self.0.saturating_add(duration.as_secs());
        if later <= Self::MAX.0 { Self(later) } else { Self::MAX }
    }

    /// The time so much earlier, [`Time::MIN`] at least. Parts of a second do not count.
    pub const fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }

    /// Whether it lies in the future, and not only by what the clock of whoever signed may be ahead.
    pub(crate) fn is_to_come(self, now: Self) -> bool {
        self > now.plus(CLOCK_SKEW)
    }

    /// How long ago `earlier` was at this time; nothing if it was not yet.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

/// By how much the clock of whoever signed may be ahead.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(300);

impl TryFrom<u64> for Time {
    type Error = Error;

    fn try_from(seconds: u64) -> Result<Self> {
        Self::from_secs(seconds)
    }
}

impl From<Time> for u64 {
    fn from(time: Time) -> Self {
        time.0
    }
}

/// A clock before 1970 says [`Time::MIN`], one beyond the year 9999 says [`Time::MAX`]: then nothing is valid yet, or
/// whatever has an end is over.
impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        Self::MIN.plus(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }
}

/// As RFC 3339 has it, in UTC.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = calendar::calendar(i64::try_from(days).unwrap_or(i64::MAX / 2));
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    #[test]
    fn no_time_lies_beyond_the_year_9999_however_it_is_made() {
        let end = Time::MAX.as_secs();
        assert_eq!(Time::from_secs(end), Ok(Time::MAX));
        for beyond in [end + 1, 1_775_000_000_000, u64::MAX] {
            assert_eq!(Time::from_secs(beyond), Err(Error::Malformed("time")), "{beyond}");
            let bytes = wire::to_cbor(&beyond, "number").unwrap();
            assert_eq!(wire::from_cbor::<Time>(&bytes, 16, "when"), Err(Error::Malformed("when")), "{beyond}");
            assert_eq!(wire::from_json::<Time>(&beyond.to_string(), 16, "when"), Err(Error::Malformed("when")));
        }
        assert_eq!(Time::from_millis(u64::MAX), Err(Error::Malformed("time")));
        for long in [Duration::from_secs(end), Duration::MAX] {
            assert_eq!((Time::at(1).plus(long), Time::at(1).minus(long)), (Time::MAX, Time::MIN));
        }
        let clocks =
            [SystemTime::UNIX_EPOCH - Duration::from_secs(1), SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)];
        assert_eq!(clocks.map(Time::from), [Time::MIN, Time::MAX]);
    }

    #[test]
    fn a_time_is_written_as_a_date_and_a_time_of_day() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_775_000_000, "2026-03-31T23:33:20Z"),
            (Time::MAX.as_secs(), "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Time::from_secs(seconds).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_time_is_one_number_in_both_forms() {
        for seconds in [0, 23, 1_775_000_000, Time::MAX.as_secs()] {
            let time = Time::from_secs(seconds).unwrap();
            let bytes = wire::to_cbor(&seconds, "number").unwrap();
            assert_eq!(wire::to_cbor(&time, "time").unwrap(), bytes);
            assert_eq!(wire::from_cbor(&bytes, 9, "time"), Ok(time));
            assert_eq!(serde_json::to_string(&time).unwrap(), seconds.to_string());
        }
    }
}

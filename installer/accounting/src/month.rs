//! Calendar months, UTC: what accounting is reported by.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::usage::Window;

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month that this second is in. Times that no calendar has count as 1970.
    pub fn of(second: i64) -> Self {
        let day = Timestamp::from_second(second)
            .map_or(date(1970, 1, 1), |time| TimeZone::UTC.to_datetime(time).date());
        Self { year: day.year(), month: day.month() }
    }

    /// Its number in a row of all months: 12 times the year, and 0 to 11.
    pub fn number(self) -> i64 {
        i64::from(self.year) * 12 + i64::from(self.month) - 1
    }

    /// The month of a number; 1970-01 for numbers that no month has.
    pub fn from_number(number: i64) -> Self {
        let year = i16::try_from(number.div_euclid(12)).ok();
        let month = i8::try_from(number.rem_euclid(12) + 1).ok();
        let made = year.zip(month).filter(|(y, m)| Date::new(*y, *m, 1).is_ok());
        made.map_or(Self { year: 1970, month: 1 }, |(year, month)| Self { year, month })
    }

    /// The month after it; the last one of the calendar is its own.
    #[must_use]
    pub fn next(self) -> Self {
        match (self.year, self.month) {
            (year, 12) if year < Date::MAX.year() => Self { year: year + 1, month: 1 },
            (year, 12) => Self { year, month: 12 },
            (year, month) => Self { year, month: month + 1 },
        }
    }

    /// Its first second, and the first one after it.
    pub fn window(self) -> Window {
        Window { from: self.first_second(), to: self.next().first_second() }
    }

    fn first_second(self) -> i64 {
        let first = Date::new(self.year, self.month, 1).unwrap_or(date(1970, 1, 1));
        first.to_zoned(TimeZone::UTC).map_or(0, |time| time.timestamp().as_second())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

//! Go's `time.Time`: a moment, the zone that it is shown in, and the calendar. Layouts are in
//! [`layout`] and [`parse`], zones in [`zone`], what templates may ask in [`object`].

mod layout;
mod object;
pub(crate) mod parse;
mod zone;

use std::rc::Rc;

pub(crate) use parse::{parse, quote};

/// Nanoseconds of a second.
pub(crate) const SECOND: i128 = 1_000_000_000;

/// A moment.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    /// Nanoseconds since 1970.
    pub(crate) nanoseconds: i128,
    pub(crate) place: Place,
}

/// Go's `time.Location`.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Utc,
    /// Where the machine stands: UTC, but Go tells it apart.
    Local,
    /// A name, which may be empty, and seconds east of UTC.
    Fixed(Rc<str>, i64),
    Zone(Rc<zone::Zone>),
}

impl Place {
    /// `time.LoadLocation`, with UTC for what it does not know.
    pub(crate) fn load(name: &str) -> Self {
        match name {
            "" | "UTC" => Self::Utc,
            "Local" => Self::Local,
            name => zone::find(name).map_or(Self::Utc, |zone| Self::Zone(Rc::new(zone))),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Utc | Self::Local => "UTC",
            Self::Fixed(name, _) => name,
            Self::Zone(zone) => &zone.name,
        }
    }

    /// What clocks show here at a moment, in seconds since 1970.
    fn at(&self, second: i64) -> zone::Kind {
        let plain = |name: &str, offset| zone::Kind {
            offset,
            is_summer: false,
            name: name.into(),
        };
        match self {
            Self::Utc | Self::Local => plain("UTC", 0),
            Self::Fixed(name, offset) => plain(name, *offset),
            Self::Zone(zone) => zone.at(second),
        }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A moment by the calendar, to the second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) weekday: usize,
    pub(crate) year_day: i64,
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Seconds since 1970 by the calendar.
fn civil(seconds: i64) -> Civil {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Civil {
        year,
        month,
        day,
        hour: rest / 3_600,
        minute: rest / 60 % 60,
        second: rest % 60,
        weekday: (days + 4).rem_euclid(7) as usize,
        year_day: days - days_from_civil(year, 1, 1) + 1,
    }
}

impl Time {
    /// A moment in UTC, from nanoseconds since 1970.
    pub(crate) fn new(nanoseconds: i128) -> Self {
        Self {
            nanoseconds,
            place: Place::Utc,
        }
    }

    /// The zero `time.Time`: the first of January of year 1.
    pub(crate) fn zero() -> Self {
        Self::new(-62_135_596_800 * SECOND)
    }

    /// A moment from seconds since 1970.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        Self::new(i128::from(seconds) * SECOND)
    }

    /// The same moment shown elsewhere.
    pub(crate) fn in_place(&self, place: Place) -> Self {
        Self {
            nanoseconds: self.nanoseconds,
            place,
        }
    }

    /// The moment so many nanoseconds later.
    pub(crate) fn plus(&self, nanoseconds: i128) -> Self {
        Self {
            nanoseconds: self.nanoseconds + nanoseconds,
            place: self.place.clone(),
        }
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self) -> i64 {
        i64::try_from(self.nanoseconds.div_euclid(SECOND)).unwrap_or_default()
    }

    fn kind(&self) -> zone::Kind {
        self.place.at(self.unix())
    }

    /// The nanoseconds of its second.
    fn fraction(&self) -> i64 {
        self.nanoseconds.rem_euclid(SECOND) as i64
    }

    /// What calendar and clocks show where it is shown.
    pub(crate) fn civil(&self) -> Civil {
        civil(self.unix().saturating_add(self.kind().offset))
    }
}

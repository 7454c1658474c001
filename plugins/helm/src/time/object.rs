//! What templates may ask of a time: the methods of Go's `time.Time`.

use std::rc::Rc;

use bulkhead_template::{IntType, Object, Param, Plain, Value, format};

use super::{Civil, MONTHS, Place, SECOND, Time, days_from_civil};

const TIME: Param = Param::Object("time.Time");
const DURATION: Param = Param::Named("time.Duration");

/// A value of a named integer type of the time package.
fn named(number: i64, name: &'static str) -> Value {
    Value::Int(number, IntType::Named(name, true))
}

fn long(number: i128) -> Value {
    Value::Int(number as i64, IntType::Int64)
}

impl Object for Time {
    fn type_name(&self) -> &str {
        "time.Time"
    }

    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<&'static [Param]> {
        Some(match name {
            "Unix" | "UnixMilli" | "UnixMicro" | "UnixNano" | "Year" | "Month" | "Day" | "Hour"
            | "Minute" | "Second" | "Nanosecond" | "YearDay" | "Weekday" | "UTC" | "Local"
            | "Location" | "String" | "GoString" | "IsZero" | "IsDST" | "MarshalText"
            | "MarshalJSON" | "Zone" | "Date" | "Clock" | "ISOWeek" | "ZoneBounds" => &[],
            "Format" => &[Param::String],
            "AddDate" => &[Param::Int, Param::Int, Param::Int],
            "Add" | "Round" | "Truncate" => &[DURATION],
            "After" | "Before" | "Compare" | "Equal" | "Sub" => &[TIME],
            "In" => &[Param::Object("*time.Location")],
            _ => return None,
        })
    }

    /// Go's fields: nanoseconds, seconds since the year 1, and where; that is nil for UTC.
    fn raw(&self) -> String {
        const YEAR_1: i64 = 62_135_596_800;
        let place = match self.place {
            Place::Utc => "<nil>",
            _ => format::ADDRESS,
        };
        format!("{{{} {} {place}}}", self.fraction(), self.unix() + YEAR_1)
    }

    fn bad_signature(&self, name: &str) -> Option<String> {
        let second = match name {
            "Zone" | "ISOWeek" => "int",
            "ZoneBounds" => "time.Time",
            "Date" | "Clock" => {
                return Some(format!(
                    "function {name} has 3 return values; should be 1 or 2"
                ));
            }
            _ => return None,
        };
        Some(format!(
            "invalid function signature for {name}: second return value should be error; is {second}"
        ))
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let civil = self.civil();
        let int = |at: usize| match arguments.get(at) {
            Some(Value::Int(number, _)) => *number,
            _ => 0,
        };
        let object = |time: Self| Value::Object(Rc::new(time));
        if let Some(other) = arguments.first().and_then(Self::of) {
            return Ok(self.compared(name, other));
        }
        Ok(match name {
            "Format" => {
                let layout = arguments.first().and_then(Value::as_str);
                self.format(layout.unwrap_or_default()).into()
            }
            "Unix" => long(i128::from(self.unix())),
            "UnixMilli" => long(self.nanoseconds.div_euclid(1_000_000)),
            "UnixMicro" => long(self.nanoseconds.div_euclid(1_000)),
            "UnixNano" => long(self.nanoseconds),
            "Year" => Value::int(civil.year),
            "Month" => named(civil.month, "time.Month"),
            "Day" => Value::int(civil.day),
            "Hour" => Value::int(civil.hour),
            "Minute" => Value::int(civil.minute),
            "Second" => Value::int(civil.second),
            "Nanosecond" => Value::int(self.fraction()),
            "YearDay" => Value::int(civil.year_day),
            "Weekday" => named(civil.weekday as i64, "time.Weekday"),
            "IsZero" => (self.nanoseconds == Self::zero().nanoseconds).into(),
            "IsDST" => self.kind().is_summer.into(),
            "String" => self.print().into(),
            "GoString" => self.go_syntax().into(),
            "MarshalText" => Value::Bytes(self.rfc3339().into_bytes().into()),
            "MarshalJSON" => Value::Bytes(format!("\"{}\"", self.rfc3339()).into_bytes().into()),
            "Location" => Value::Object(Rc::new(Location(self.place.clone()))),
            "UTC" => object(self.in_place(Place::Utc)),
            "Local" => object(self.in_place(Place::Local)),
            "In" => match arguments.first() {
                Some(Value::Object(place)) => match place.as_any().downcast_ref::<Location>() {
                    Some(place) => object(self.in_place(place.0.clone())),
                    None => return Err("time: missing Location in call to Time.In".to_owned()),
                },
                _ => return Err("time: missing Location in call to Time.In".to_owned()),
            },
            "Add" => object(self.plus(i128::from(int(0)))),
            "AddDate" => object(self.add_date(&civil, int(0), int(1), int(2))),
            _ => object(self.to_multiple(i128::from(int(0)), name == "Round")),
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn print(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }

    fn go_syntax(&self) -> String {
        let civil = self.civil();
        let place = match &self.place {
            Place::Utc => "time.UTC".to_owned(),
            Place::Local => "time.Local".to_owned(),
            other => format!(
                "time.Location({})",
                bulkhead_template::quote::quote(other.name())
            ),
        };
        format!(
            "time.Date({}, time.{}, {}, {}, {}, {}, {}, {place})",
            civil.year,
            MONTHS[(civil.month - 1) as usize],
            civil.day,
            civil.hour,
            civil.minute,
            civil.second,
            self.fraction()
        )
    }

    fn plain(&self) -> Plain {
        Plain::Value(self.rfc3339().into())
    }
}

impl Time {
    /// The time in a value.
    pub(crate) fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Object(object) => object.as_any().downcast_ref(),
            _ => None,
        }
    }

    fn rfc3339(&self) -> String {
        self.format("2006-01-02T15:04:05.999999999Z07:00")
    }

    fn compared(&self, name: &str, other: &Self) -> Value {
        let order = self.nanoseconds.cmp(&other.nanoseconds);
        match name {
            "After" => order.is_gt().into(),
            "Before" => order.is_lt().into(),
            "Equal" => order.is_eq().into(),
            "Compare" => Value::int(order as i64),
            _ => {
                let length = self.nanoseconds - other.nanoseconds;
                let length = length.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
                named(length as i64, "time.Duration")
            }
        }
    }

    /// `AddDate`: what is too many days for a month goes over into the next.
    fn add_date(&self, civil: &Civil, years: i64, months: i64, days: i64) -> Self {
        let months = civil.month - 1 + months;
        let year = civil.year + years + months.div_euclid(12);
        let day = days_from_civil(year, months.rem_euclid(12) + 1, 1) + civil.day - 1 + days;
        let clock = civil.hour * 3_600 + civil.minute * 60 + civil.second;
        let shown = day * 86_400 + clock;
        let mut offset = self.place.at(shown).offset;
        let again = self.place.at(shown - offset).offset;
        if again != offset {
            offset = again;
        }
        Self {
            nanoseconds: i128::from(shown - offset) * SECOND + i128::from(self.fraction()),
            place: self.place.clone(),
        }
    }

    /// `Round` and `Truncate`, which count from the zero time.
    fn to_multiple(&self, unit: i128, is_round: bool) -> Self {
        if unit <= 0 {
            return self.clone();
        }
        let rest = (self.nanoseconds - Self::zero().nanoseconds).rem_euclid(unit);
        if is_round && rest * 2 >= unit {
            self.plus(unit - rest)
        } else {
            self.plus(-rest)
        }
    }
}

/// `*time.Location`.
#[derive(Debug)]
struct Location(Place);

impl Object for Location {
    fn type_name(&self) -> &str {
        "*time.Location"
    }

    fn kind(&self) -> &str {
        "ptr"
    }

    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<&'static [Param]> {
        (name == "String").then_some(&[])
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(self.print().into())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn print(&self) -> String {
        self.0.name().to_owned()
    }

    fn plain(&self) -> Plain {
        Plain::Struct(Vec::new())
    }
}

//! JSON: the pieces come out of serde's own walk over the text.

use std::io::{self, BufRead, Read};

use serde::Deserialize as _;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Collection, Look, Meter, PieceError, Sink, Step};
use crate::yaml::YamlError;

pub(super) fn read(
    reader: impl BufRead,
    meter: Meter,
    sink: &mut impl Sink,
) -> Result<(), PieceError> {
    let metered = Metered {
        reader,
        meter: meter.clone(),
    };
    let mut deserializer = serde_json::Deserializer::from_reader(io::BufReader::new(metered));
    let mut walk = Walk {
        path: Vec::new(),
        sink,
        meter: &meter,
    };
    let read = Piece(&mut walk)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    read.map_err(|error| failed(error, &meter))
}

fn failed(error: serde_json::Error, meter: &Meter) -> PieceError {
    let line = error.line().max(1);
    if meter.is_over() {
        let allowed = meter.allowed;
        return PieceError::TooLarge { line, allowed };
    }
    if error.is_io() {
        return PieceError::Read(error.into());
    }
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    PieceError::Text(YamlError {
        line,
        column: error.column().max(1),
        message: text[..end].to_owned(),
    })
}

struct Metered<R> {
    reader: R,
    meter: Meter,
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.meter.add(count)?;
        Ok(count)
    }
}

struct Walk<'a, S> {
    path: Vec<Step>,
    sink: &'a mut S,
    meter: &'a Meter,
}

impl<S: Sink> Walk<'_, S> {
    fn take<E: serde::de::Error>(&mut self, value: Value) -> Result<(), E> {
        self.meter.reset();
        self.sink.take(&self.path, value).map_err(E::custom)
    }

    fn opens<E: serde::de::Error>(&mut self, collection: Collection) -> Result<Look, E> {
        self.sink.opens(&self.path, collection).map_err(E::custom)
    }

    /// Reads over what `rest` gives, uncounted.
    fn over<E>(&mut self, rest: impl FnOnce() -> Result<IgnoredAny, E>) -> Result<(), E> {
        self.meter.turn(false);
        rest()?;
        self.meter.turn(true);
        Ok(())
    }
}

struct Piece<'a, 'b, S>(&'a mut Walk<'b, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Piece<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Piece<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match self.0.opens(Collection::Mapping)? {
            Look::Inside => self.0.meter.reset(),
            Look::Whole => {
                let value = Value::deserialize(MapAccessDeserializer::new(map))?;
                return self.0.take(value);
            }
            Look::Over => return self.0.over(|| IgnoredAny.visit_map(map)),
        }
        while let Some(key) = map.next_key::<String>()? {
            self.0.path.push(Step::Key(key));
            map.next_value_seed(Piece(&mut *self.0))?;
            self.0.path.pop();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        match self.0.opens(Collection::List)? {
            Look::Inside => self.0.meter.reset(),
            Look::Whole => {
                let value = Value::deserialize(SeqAccessDeserializer::new(list))?;
                return self.0.take(value);
            }
            Look::Over => return self.0.over(|| IgnoredAny.visit_seq(list)),
        }
        for at in 0.. {
            self.0.path.push(Step::Item(at));
            let more = list.next_element_seed(Piece(&mut *self.0))?;
            self.0.path.pop();
            if more.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.0.take(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.0.take(Value::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.0.take(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.0.take(Value::from(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.0.take(Value::String(value.to_owned()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.take(Value::Null)
    }
}

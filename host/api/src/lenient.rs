//! Reading what others wrote: an empty text is an absent one, as in Go, and a status field of the
//! wrong type costs that field, not the object.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Reads an optional text; absent, null and empty are the same.
pub(crate) fn text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(T::from))
}

/// Leaves `false` out.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// A status, of which each field can be read for itself.
pub trait StatusFields: DeserializeOwned + Default {
    /// Returns the names of the fields that could not be read.
    ///
    /// What acts on a field must look here first: an inventory that could not be read is not an
    /// empty one.
    fn unreadable(&self) -> &[String];

    /// Sets the names of the fields that could not be read.
    fn set_unreadable(&mut self, names: Vec<String>);
}

/// Reads a status; fields that have the wrong type are left out and named in
/// [`StatusFields::unreadable`].
pub(crate) fn status<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: StatusFields,
{
    let value = Value::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(T::default());
    }
    Ok(T::deserialize(&value).unwrap_or_else(|_| field_by_field(value)))
}

fn field_by_field<T: StatusFields>(value: Value) -> T {
    let Value::Object(fields) = value else {
        return whole_unreadable();
    };
    let mut unreadable = Vec::new();
    let mut readable = Map::new();
    for (name, field) in fields {
        let alone = Value::Object(Map::from_iter([(name.clone(), field)]));
        match (T::deserialize(&alone), alone) {
            (Ok(_), Value::Object(field)) => readable.extend(field),
            _ => unreadable.push(name),
        }
    }
    match T::deserialize(Value::Object(readable)) {
        Ok(mut status) => {
            status.set_unreadable(unreadable);
            status
        }
        Err(_) => whole_unreadable(),
    }
}

fn whole_unreadable<T: StatusFields>() -> T {
    let mut status = T::default();
    status.set_unreadable(vec!["status".to_owned()]);
    status
}

//! Reads configuration from YAML the way Go's JSON decoder reads it: names match without regard to
//! case, null is nothing, unknown names and wrong types are errors in the same words.

use std::collections::BTreeMap;

use crate::error::{Error, Outcome, fail};
use crate::yaml::{self, Value};

/// How strictly a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Unknown names are errors, and a number is not a string: kustomization files.
    File,
    /// Unknown names are errors; a number may stand for a string.
    Exact,
    /// Unknown names are ignored; a number may stand for a string: configurations of plugins.
    Plugin,
    /// As `Plugin`, but read by Go's YAML decoder: names match exactly, a number may stand for any
    /// string, `yes` for true, and a null in a list is dropped.
    Yaml,
}

/// Where the reading is: the mode, the outermost type and the fields that led here.
#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    mode: Mode,
    /// Whether a number may stand for a string here.
    converts: bool,
    root: &'static str,
    path: Vec<String>,
}

/// Anything that can be read.
pub(crate) trait Decode: Sized {
    /// Reads a value.
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self>;
}

/// Reads a value of type `T` from YAML text; `root` is the name that errors give the type.
pub(crate) fn from_yaml<T: Decode>(text: &[u8], root: &'static str, mode: Mode) -> Outcome<T> {
    let value = yaml::to_json(text, mode == Mode::Exact)?;
    from_value(&value, root, mode)
}

/// Reads a value of type `T`.
pub(crate) fn from_value<T: Decode>(value: &Value, root: &'static str, mode: Mode) -> Outcome<T> {
    let result = T::decode(
        value,
        &Decoder {
            mode,
            converts: mode != Mode::File,
            root,
            path: Vec::new(),
        },
    );
    result.map_err(|error| match mode {
        Mode::File => error,
        Mode::Yaml => error.wrap("yaml: unmarshal errors"),
        _ => error.wrap("error unmarshaling JSON: while decoding JSON"),
    })
}

/// All names that any of our types knows, to find them without regard to case.
const NAMES: &[&str] = &[
    "allowKindChange",
    "allowNameChange",
    "annotationSelector",
    "annotations",
    "apiVersion",
    "bases",
    "behavior",
    "buildMetadata",
    "chartHome",
    "commonAnnotations",
    "commonLabels",
    "components",
    "configHome",
    "configMapGenerator",
    "configurations",
    "count",
    "crds",
    "create",
    "delimiter",
    "digest",
    "disableNameSuffixHash",
    "encoding",
    "env",
    "envs",
    "fieldPath",
    "fieldPaths",
    "fieldSpecs",
    "fieldref",
    "fields",
    "files",
    "generatorOptions",
    "generators",
    "group",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "imageTags",
    "images",
    "immutable",
    "includeSelectors",
    "includeTemplates",
    "includeVolumeClaimTemplates",
    "index",
    "kind",
    "labelSelector",
    "labels",
    "legacySortOptions",
    "literals",
    "metadata",
    "name",
    "namePrefix",
    "nameReference",
    "nameSuffix",
    "namespace",
    "newName",
    "newTag",
    "objref",
    "openapi",
    "options",
    "order",
    "orderFirst",
    "orderLast",
    "pairs",
    "patch",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "path",
    "reject",
    "replacements",
    "replicas",
    "resources",
    "secretGenerator",
    "select",
    "sortOptions",
    "source",
    "sourceValue",
    "tagSuffix",
    "target",
    "targets",
    "templateLabels",
    "transformers",
    "type",
    "validators",
    "varReference",
    "vars",
    "version",
    "volumeClaimTemplateLabels",
];

impl Decoder {
    /// Calls `field` for every field of a mapping; it returns false for a name that it does not know.
    pub(crate) fn fields(
        &self,
        value: &Value,
        mut field: impl FnMut(&str, &Value, &Decoder) -> Outcome<bool>,
    ) -> Outcome<()> {
        let fields = match value {
            Value::Null => return Ok(()),
            Value::Object(fields) => fields,
            other => return Err(self.mismatch(other, "struct")),
        };
        for (name, value) in fields {
            if field(name, value, &self.below(name))? {
                continue;
            }
            let folded = NAMES
                .iter()
                .find(|known| *known != name && known.eq_ignore_ascii_case(name));
            let known = match folded {
                Some(known) if self.mode != Mode::Yaml => field(known, value, &self.below(known))?,
                _ => false,
            };
            if !known && !matches!(self.mode, Mode::Plugin | Mode::Yaml) {
                return Err(self.unknown(name));
            }
        }
        Ok(())
    }

    /// The same place in a struct that Go embeds: there its JSON decoder never takes a number for a
    /// string.
    pub(crate) fn embedded(&self) -> Decoder {
        Decoder {
            converts: self.mode == Mode::Yaml,
            ..self.clone()
        }
    }

    fn below(&self, name: &str) -> Decoder {
        let mut below = self.clone();
        below.path.push(name.to_owned());
        below
    }

    fn unknown(&self, name: &str) -> Box<Error> {
        let mut error = fail!(
            KustomizationInvalid,
            "json: unknown field {}",
            crate::error::go_quote(name)
        );
        let mut path = self.path.clone();
        path.push(name.to_owned());
        error.field = Some(path.join("."));
        let near = NAMES.iter().find(|known| is_near(known, name));
        if let Some(near) = near {
            error = error.advise(format!(
                "remove the field, or write `{near}` if that was meant"
            ));
        }
        error
    }

    /// The error for a value of the wrong type.
    pub(crate) fn mismatch(&self, value: &Value, wanted: &str) -> Box<Error> {
        let got = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let place = if self.path.is_empty() {
            "value".to_owned()
        } else {
            format!("struct field {}.{}", self.root, self.path.join("."))
        };
        let mut error = fail!(
            KustomizationInvalid,
            "json: cannot unmarshal {got} into Go {place} of type {wanted}"
        );
        error.field = Some(self.path.join(".")).filter(|path| !path.is_empty());
        error
    }
}

/// Whether two names differ by one letter, or by an `s` at the end.
fn is_near(known: &str, name: &str) -> bool {
    let (a, b) = (known.to_ascii_lowercase(), name.to_ascii_lowercase());
    let (a, b) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    if b.len() < 4 || a.len() - b.len() > 1 {
        return false;
    }
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let skip = usize::from(a.len() == b.len());
    a.as_bytes().get(same + 1..) == b.as_bytes().get(same + skip..)
}

impl Decode for Value {
    fn decode(value: &Value, _: &Decoder) -> Outcome<Self> {
        Ok(value.clone())
    }
}

impl Decode for String {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Null => Ok(String::new()),
            Value::Bool(_) | Value::Number(_) if at.converts => Ok(yaml::json_text(value)),
            other => Err(at.mismatch(other, "string")),
        }
    }
}

impl Decode for bool {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        match value {
            Value::Bool(flag) => Ok(*flag),
            Value::Null => Ok(false),
            Value::String(text) if at.mode == Mode::Yaml => {
                bool_of_word(text).ok_or_else(|| at.mismatch(value, "bool"))
            }
            other => Err(at.mismatch(other, "bool")),
        }
    }
}

/// The words that YAML 1.1 has for a bool and YAML 1.2 has not.
fn bool_of_word(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

impl Decode for i64 {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        match value {
            Value::Null => Ok(0),
            Value::Number(number) => number.as_i64().ok_or_else(|| at.mismatch(value, "int")),
            other => Err(at.mismatch(other, "int")),
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => items
                .iter()
                .filter(|item| at.mode != Mode::Yaml || !item.is_null())
                .map(|item| T::decode(item, at))
                .collect(),
            other => Err(at.mismatch(other, "[]string")),
        }
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        if value.is_null() {
            Ok(None)
        } else {
            T::decode(value, at).map(Some)
        }
    }
}

impl<T: Decode> Decode for BTreeMap<String, T> {
    fn decode(value: &Value, at: &Decoder) -> Outcome<Self> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), T::decode(value, &at.below(name))?)))
                .collect(),
            other => Err(at.mismatch(other, "map[string]string")),
        }
    }
}

/// Declares a type that is read field by field: `name => member` for each. Those under `embedded`
/// are in a struct that Go embeds.
macro_rules! decode_fields {
    (
        $type:ty { $($name:literal => $($member:ident).+),* $(,)? }
        $(embedded { $($inner:literal => $inner_member:ident),* $(,)? })?
    ) => {
        impl $crate::decode::Decode for $type {
            fn decode(
                value: &$crate::yaml::Value,
                at: &$crate::decode::Decoder,
            ) -> $crate::error::Outcome<Self> {
                let mut out = Self::default();
                at.fields(value, |name, value, at| {
                    match name {
                        $($name => out.$($member).+ = $crate::decode::Decode::decode(value, at)?,)*
                        $($($inner => {
                            out.$inner_member = $crate::decode::Decode::decode(value, &at.embedded())?;
                        })*)?
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                Ok(out)
            }
        }
    };
}
pub(crate) use decode_fields;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_one_letter_is_near() {
        assert!(is_near("resources", "resource"));
        assert!(is_near("resources", "resaurces"));
        assert!(!is_near("images", "imagination"));
        assert!(!is_near("name", "namespace"));
    }

    #[test]
    fn names_are_sorted_so_that_the_list_stays_readable() {
        assert!(NAMES.is_sorted());
    }
}

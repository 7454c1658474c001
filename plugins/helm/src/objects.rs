//! What templates see besides values: the files of their chart.

use std::rc::Rc;

use bulkhead_template::{Object, Param, Plain, Value, bytes};

use crate::chart::File;
use crate::glob::Glob;
use crate::{encoding, paths, yaml};

/// `.Files`: the files of a chart that are no templates.
#[derive(Debug)]
pub(crate) struct ChartFiles {
    files: std::collections::BTreeMap<String, Rc<[u8]>>,
}

impl ChartFiles {
    pub(crate) fn new(files: &[File]) -> Self {
        let entry = |file: &File| (file.name.clone(), file.data.clone());
        Self {
            files: files.iter().map(entry).collect(),
        }
    }

    fn get(&self, name: &str) -> Rc<[u8]> {
        self.files
            .get(name)
            .cloned()
            .unwrap_or_else(|| Rc::from([]))
    }

    /// The texts as YAML by the last parts of their names, encoded by `encode`.
    fn flat(&self, encode: fn(&[u8]) -> String) -> Value {
        let entry = |(name, data): (&String, &Rc<[u8]>)| {
            (paths::base(name).into(), Value::from(encode(data)))
        };
        let map = Value::map(self.files.iter().map(entry).collect());
        let text = yaml::write(&map).unwrap_or_default();
        text.strip_suffix('\n').unwrap_or(&text).into()
    }

    fn lines(&self, name: &str) -> Value {
        let data = self.get(name);
        if data.is_empty() {
            return Value::strings(Vec::<String>::new());
        }
        let text = bytes::to_text(&data);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Value::strings(text.split('\n'))
    }
}

impl Object for ChartFiles {
    fn type_name(&self) -> &str {
        "engine.files"
    }

    fn kind(&self) -> &str {
        "map"
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(Value::Bytes(self.get(name)))
    }

    fn method(&self, name: &str) -> Option<&'static [Param]> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(&[Param::String]),
            "AsConfig" | "AsSecrets" => Some(&[]),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let argument = arguments
            .first()
            .and_then(Value::as_str)
            .unwrap_or_default();
        Ok(match name {
            "Get" => bytes::to_text(&self.get(argument)).into_owned().into(),
            "GetBytes" => Value::Bytes(self.get(argument)),
            "Lines" => self.lines(argument),
            "AsConfig" => self.flat(|data| bytes::to_text(data).into_owned()),
            "AsSecrets" => self.flat(encoding::base64),
            _ => {
                let glob = Glob::new(argument);
                let matches = |name: &str| glob.as_ref().is_none_or(|glob| glob.matches(name));
                let found = self.files.iter().filter(|(name, _)| matches(name));
                let files = found
                    .map(|(name, data)| (name.clone(), data.clone()))
                    .collect();
                Value::Object(Rc::new(Self { files }))
            }
        })
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let entry =
            |(name, data): (&String, &Rc<[u8]>)| (name.as_str().into(), Value::Bytes(data.clone()));
        Some(self.files.iter().map(entry).collect())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn truth(&self) -> bool {
        !self.files.is_empty()
    }

    fn is_stringer(&self) -> bool {
        false
    }

    fn print(&self) -> String {
        let entry = |(name, data): (&String, &Rc<[u8]>)| {
            format!(
                "{name}:{}",
                bulkhead_template::format::text(&Value::Bytes(data.clone()))
            )
        };
        let entries: Vec<String> = self.files.iter().map(entry).collect();
        format!("map[{}]", entries.join(" "))
    }

    fn plain(&self) -> Plain {
        let entry =
            |(name, data): (&String, &Rc<[u8]>)| (name.as_str().into(), Value::Bytes(data.clone()));
        Plain::Value(Value::map(self.files.iter().map(entry).collect()))
    }
}

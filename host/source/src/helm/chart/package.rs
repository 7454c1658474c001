//! Packs a chart as `helm package` does, always with the same bytes for the same chart.
//!
//! The order of the files is Helm's; subcharts become folders below `charts/`, sorted by name in what
//! was read. Times are 0 where Helm takes the clock's or the file's.

use std::io::{self, Write};

use bulkhead_api::yaml;
use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};
use tar::{EntryType, Header};

use super::{Chart, Lock, VALUES};
use crate::helm::{HelmError, gojson};

/// What Helm writes into the gzip header: readers may know its charts by it.
const EXTRA: &[u8] = b"rr\x28\x00aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";

impl Chart {
    /// Packs the chart and its subcharts.
    ///
    /// # Guarantees
    /// The same chart gives the same bytes, on every machine and at any time.
    ///
    /// # Errors
    /// [`HelmError::Invalid`] if it is none, after changes; [`HelmError::Limit`] past `chart_bytes`.
    pub fn package(&self, limits: &crate::helm::Limits) -> Result<Vec<u8>, HelmError> {
        let place = self.place();
        let mut checked = self.metadata.clone();
        checked
            .check()
            .map_err(|fault| HelmError::invalid(&place, fault.text()))?;
        self.check_schema()?;
        let gzip = GzBuilder::new()
            .extra(EXTRA)
            .comment("Helm")
            .operating_system(255)
            .write(Vec::new(), Compression::default());
        let mut builder = tar::Builder::new(gzip);
        let packed = self
            .append(&mut builder, "")
            .and_then(|()| builder.into_inner()?.finish())
            .map_err(|source| HelmError::Store {
                action: "pack the chart",
                source,
            })?;
        if packed.len() as u64 > limits.chart_bytes {
            let what = format!("the packed size of {place}");
            return Err(HelmError::limit(what, "chart_bytes", limits.chart_bytes));
        }
        Ok(packed)
    }

    fn check_schema(&self) -> Result<(), HelmError> {
        let place = self.place();
        if let Some(schema) = &self.schema {
            serde_json::from_slice::<serde::de::IgnoredAny>(schema).map_err(|error| {
                HelmError::invalid(&place, format!("`values.schema.json` is not JSON: {error}"))
            })?;
        }
        self.dependencies.iter().try_for_each(Self::check_schema)
    }

    fn append<W: Write>(&self, builder: &mut tar::Builder<W>, prefix: &str) -> io::Result<()> {
        let base = format!("{prefix}{}", self.metadata.name);
        let mut put = |name: &str, content: &[u8]| {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            builder.append_data(&mut header, format!("{base}/{name}"), content)
        };
        put("Chart.yaml", self.chart_yaml().as_bytes())?;
        if let Some(lock) = self.lock.as_ref().filter(|_| self.is_v2()) {
            put("Chart.lock", lock.to_yaml().as_bytes())?;
        }
        if let Some(values) = &self.values {
            put(VALUES, values)?;
        }
        if let Some(schema) = &self.schema {
            put("values.schema.json", schema)?;
        }
        for file in self.templates.iter().chain(&self.files) {
            put(&file.name, &file.content)?;
        }
        self.dependencies
            .iter()
            .try_for_each(|chart| chart.append(builder, &format!("{base}/charts/")))
    }

    fn is_v2(&self) -> bool {
        self.metadata.api_version == "v2"
    }

    /// Writes `Chart.yaml`; the dependencies of an older chart are in `requirements.yaml`.
    fn chart_yaml(&self) -> String {
        let mut map = self.metadata.to_value();
        if self.metadata.api_version == "v1" {
            map.shift_remove("dependencies");
        }
        yaml::write(&gojson::sorted(&Value::Object(map)))
    }
}

impl Lock {
    fn to_yaml(&self) -> String {
        let mut map = Map::new();
        let all: Vec<Value> = self
            .dependencies
            .iter()
            .map(|dependency| gojson::sorted(&dependency.to_value()))
            .collect();
        map.insert("dependencies".to_owned(), json!(all));
        map.insert("digest".to_owned(), json!(self.digest));
        map.insert("generated".to_owned(), json!(self.generated));
        yaml::write(&Value::Object(map))
    }
}

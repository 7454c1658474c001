//! Log lines in the JSON schema of Flux's controllers, which `flux logs` reads:
//! `{"level","ts","msg", "error"?, "logger"?, "controllerKind"?, "name"?, "namespace"?, …}`.
//!
//! A `tracing` layer: fields of the spans around an event come first, then its own; a later one
//! wins. All values are texts, numbers or booleans. A line is written in one call.

use std::io::Write;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Longest value of one field, in bytes: some hold what a server or a guest said.
const MAX_VALUE_BYTES: usize = 16 << 10;

/// Writes each event as one line of JSON to `writer`.
#[derive(Debug)]
pub struct FluxJson<W> {
    writer: W,
}

impl<W> FluxJson<W> {
    /// Writes to `writer`, normally `std::io::stderr`.
    pub fn new(writer: W) -> Self {
        Self { writer }
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            "message" => "msg",
            name => name.strip_prefix("r#").unwrap_or(name),
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let cut = &value[..value.floor_char_boundary(MAX_VALUE_BYTES)];
        self.put(field, cut.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S, W> Layer<S> for FluxJson<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        line.insert("level".into(), level(*event.metadata().level()).into());
        line.insert("ts".into(), timestamp(jiff::Timestamp::now()).into());
        line.insert("msg".into(), "".into());
        line.insert("logger".into(), event.metadata().target().into());
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.extend(fields.0.clone());
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        line.extend(fields.0);
        for name in [
            "msg",
            "error",
            "logger",
            "controllerKind",
            "name",
            "namespace",
        ] {
            if let Some(value) = line.get_mut(name).filter(|value| !value.is_string()) {
                *value = value.to_string().into();
            }
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // There is no place to complain about a log that cannot be written.
        let _ = self.writer.make_writer().write_all(text.as_bytes());
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN | Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// Writes a time with milliseconds: `2026-08-30T10:00:00.123Z`.
fn timestamp(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(act: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = FluxJson::new(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn lines_have_the_fields_that_flux_logs_reads() {
        let lines = logged(|| {
            let span = tracing::info_span!(
                "reconcile",
                controllerKind = "Kustomization",
                name = "apps",
                namespace = "flux-system"
            );
            let _entered = span.enter();
            tracing::error!(
                error = "no such path",
                revision = "main@sha1:1f",
                "it failed"
            );
        });
        let line = &lines[0];
        assert_eq!(line["level"], "error");
        assert_eq!(line["msg"], "it failed");
        assert_eq!(line["error"], "no such path");
        assert_eq!(line["controllerKind"], "Kustomization");
        assert_eq!(line["name"], "apps");
        assert_eq!(line["namespace"], "flux-system");
        assert_eq!(line["revision"], "main@sha1:1f");
        assert!(line["ts"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn what_must_be_a_text_is_one_and_a_line_is_one_line() {
        let lines = logged(|| tracing::info!(name = 7, "two\nlines"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["name"], "7");
        assert_eq!(lines[0]["msg"], "two\nlines");
    }

    #[test]
    fn long_values_are_cut() {
        let lines = logged(|| tracing::info!(error = "é".repeat(MAX_VALUE_BYTES), "x"));
        assert_eq!(lines[0]["error"].as_str().unwrap().len(), MAX_VALUE_BYTES);
    }
}

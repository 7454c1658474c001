//! The payload. Field order, empty fields and escapes are those of Flux 2.9
//! (`internal/notifier/slack.go`, Go's `encoding/json`); metadata, which Flux sends in random order,
//! is sorted by name.

use bulkhead_plugin::Severity;
use bulkhead_plugin::notify::{CONTROLLER, Event};
use serde::Serialize;

/// A message with its attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Channel to post to.
    pub channel: String,
    /// Name to post under.
    pub username: String,
    /// Always empty.
    pub icon_url: String,
    /// Always empty.
    pub icon_emoji: String,
    /// What was to be told, one an event.
    pub attachments: Vec<Attachment>,
}

/// What one event has to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// Text for where attachments are not shown.
    pub fallback: String,
    /// `good` or `danger`.
    pub color: &'static str,
    /// The object: `kind/name.namespace`, the kind in lower case.
    pub author_name: String,
    /// The event's message.
    pub text: String,
    /// The fields in which Slack's markup is read.
    pub mrkdwn_in: [&'static str; 1],
    /// The event's metadata.
    pub fields: Vec<Field>,
}

/// One piece of metadata.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Field {
    /// Its name.
    pub title: String,
    /// Its value.
    pub value: String,
    /// Always false: it takes a whole line.
    pub short: bool,
}

impl Message {
    /// Makes the message for `events`, posted under `username` or else under the name of the first
    /// event's controller.
    pub fn new(username: &str, events: &[Event]) -> Self {
        let controller = || events.first().and_then(|event| event.attribute(CONTROLLER));
        let username = match username {
            "" => controller().unwrap_or_default(),
            name => name,
        };
        Self {
            username: username.to_owned(),
            attachments: events.iter().map(Attachment::new).collect(),
            ..Self::default()
        }
    }

    /// Writes the payload as Go does: `<`, `>`, `&`, U+2028 and U+2029 escaped inside strings.
    pub fn to_json(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).unwrap_or_default();
        let mut escaped = String::with_capacity(json.len());
        for character in json.chars() {
            match character {
                '<' => escaped.push_str("\\u003c"),
                '>' => escaped.push_str("\\u003e"),
                '&' => escaped.push_str("\\u0026"),
                '\u{2028}' => escaped.push_str("\\u2028"),
                '\u{2029}' => escaped.push_str("\\u2029"),
                other => escaped.push(other),
            }
        }
        escaped.into_bytes()
    }
}

impl Attachment {
    fn new(event: &Event) -> Self {
        let object = &event.object;
        let mut fields: Vec<Field> = event
            .metadata()
            .map(|(name, value)| Field {
                title: name.into(),
                value: value.into(),
                short: false,
            })
            .collect();
        fields.sort();
        Self {
            fallback: String::new(),
            color: if event.severity == Severity::Error {
                "danger"
            } else {
                "good"
            },
            author_name: format!(
                "{}/{}.{}",
                object.kind.to_lowercase(),
                object.name,
                object.namespace.as_deref().unwrap_or_default()
            ),
            text: event.message.clone(),
            mrkdwn_in: ["text"],
            fields,
        }
    }

    /// Adds the text for where attachments are not shown: the object and the first line.
    pub fn set_fallback(&mut self) {
        let first_line = self.text.split('\n').next().unwrap_or_default();
        self.fallback = format!("{}: {first_line}", self.author_name);
    }
}

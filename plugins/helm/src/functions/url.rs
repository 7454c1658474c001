//! Sprig's URLs and versions.

use std::rc::Rc;

use bulkhead_template::quote::quote;
use bulkhead_template::{Function, IntType, Object, Param, Plain, Run, Value, fixed};

use super::{Answer, text_of};
use crate::chart;
use crate::semver::{Constraint, Version};

const S: Param = Param::String;

pub(super) const TABLE: &[(&str, Function)] = &[
    (
        "urlParse",
        fixed(&[S], |_, a| {
            let url = Url::parse(text_of(&a[0]))
                .map_err(|told| format!("unable to parse url: {told}"))?;
            Ok(url.to_value())
        }),
    ),
    ("urlJoin", fixed(&[Param::Map], join)),
    (
        "semver",
        fixed(&[S], |_, a| {
            let version = Version::parse(text_of(&a[0]))?;
            Ok(Value::Object(Rc::new(Semver(version, Form::Pointer))))
        }),
    ),
    (
        "semverCompare",
        fixed(&[S, S], |_, a| {
            let constraint = Constraint::parse(text_of(&a[0]))?;
            Ok(constraint.check(&Version::parse(text_of(&a[1]))?).into())
        }),
    ),
];

#[derive(Debug, Default)]
struct Url {
    scheme: String,
    opaque: String,
    user: Option<(String, Option<String>)>,
    host: String,
    path: String,
    raw_path: String,
    query: String,
    fragment: String,
    raw_fragment: String,
}

/// Which part of a URL a text stands in: they escape differently.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    User,
    Host,
    Path,
    Fragment,
}

fn unescape(text: &str, part: Part) -> Result<String, String> {
    if part == Part::Host
        && let Some(bad) = text
            .chars()
            .find(|c| c.is_ascii() && *c != '%' && !is_plain(*c as u8, part))
    {
        let shown = quote(&bad.to_string());
        return Err(format!("invalid character {shown} in host name"));
    }
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let data = text.as_bytes();
    let mut out = Vec::with_capacity(data.len());
    let mut at = 0;
    while at < data.len() {
        if data[at] != b'%' {
            out.push(data[at]);
            at += 1;
            continue;
        }
        let hex = data
            .get(at + 1..at + 3)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let byte = byte.filter(|byte| part != Part::Host || *byte >= 0x80 || *byte == b'%');
        let Some(byte) = byte else {
            let end = (at + 3).min(data.len());
            let shown = String::from_utf8_lossy(&data[at..end]);
            return Err(format!("invalid URL escape {}", quote(&shown)));
        };
        out.push(byte);
        at += 3;
    }
    Ok(bulkhead_template::bytes::to_text(&out).into_owned())
}

/// Tells whether a byte stands for itself in a part.
fn is_plain(byte: u8, part: Part) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'~')
        || match part {
            Part::Path => b"$&+/:=@,;".contains(&byte),
            Part::User => b"$&+=,;".contains(&byte),
            Part::Host => b"!$&'()*+,;=:[]<>\"".contains(&byte),
            Part::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
        }
}

fn escape(text: &str, part: Part) -> String {
    let mut out = String::new();
    for byte in bulkhead_template::bytes::of(text).iter() {
        if is_plain(*byte, part) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Reads a URL: whether it names its scheme, and its host with the port.
///
/// # Errors
/// What Go's `url.Parse` says.
pub(crate) fn read_url(text: &str) -> Result<(bool, String), String> {
    let url = Url::parse(text)?;
    Ok((!url.scheme.is_empty(), url.host))
}

impl Url {
    fn parse(raw: &str) -> Result<Self, String> {
        let (before, fragment) = raw.split_once('#').unwrap_or((raw, ""));
        let failed = |text: &str, told| format!("parse {}: {told}", quote(text));
        let mut url = Self::read(before).map_err(|told| failed(before, told))?;
        url.fragment = unescape(fragment, Part::Fragment).map_err(|told| failed(raw, told))?;
        url.raw_fragment = fragment.to_owned();
        Ok(url)
    }

    fn read(raw: &str) -> Result<Self, String> {
        let mut url = Self::default();
        if raw.chars().any(|c| c.is_ascii_control()) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut rest = url.take_scheme(raw)?;
        if let Some((before, query)) = rest.split_once('?') {
            rest = before;
            url.query = query.to_owned();
        }
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                url.opaque = rest.to_owned();
                return Ok(url);
            }
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        if let Some(after) = rest.strip_prefix("//")
            && (!url.scheme.is_empty() || !rest.starts_with("///"))
        {
            let end = after.find('/').unwrap_or(after.len());
            url.take_authority(&after[..end])?;
            rest = &after[end..];
        }
        url.path = unescape(rest, Part::Path)?;
        url.raw_path = rest.to_owned();
        Ok(url)
    }

    fn take_scheme<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        for (at, c) in text.char_indices() {
            match c {
                'a'..='z' | 'A'..='Z' => {}
                '0'..='9' | '+' | '-' | '.' if at > 0 => {}
                ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
                ':' => {
                    self.scheme = text[..at].to_ascii_lowercase();
                    return Ok(&text[at + 1..]);
                }
                _ => break,
            }
        }
        Ok(text)
    }

    fn take_authority(&mut self, authority: &str) -> Result<(), String> {
        let host = match authority.rsplit_once('@') {
            None => authority,
            Some((user, host)) => {
                let is_plain =
                    |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
                if !user.chars().all(is_plain) {
                    return Err("net/url: invalid userinfo".to_owned());
                }
                let (name, password) = match user.split_once(':') {
                    Some((name, password)) => (name, Some(unescape(password, Part::User)?)),
                    None => (user, None),
                };
                self.user = Some((unescape(name, Part::User)?, password));
                host
            }
        };
        let port = match host.strip_prefix('[') {
            Some(inner) => {
                let end = inner.find(']').ok_or("missing ']' in host")?;
                &inner[end + 1..]
            }
            None => host.find(':').map_or("", |colon| &host[colon..]),
        };
        let is_port = port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_port {
            return Err(format!("invalid port {} after host", quote(port)));
        }
        self.host = unescape(host, Part::Host)?;
        Ok(())
    }

    fn hostname(&self) -> &str {
        if let Some(inner) = self.host.strip_prefix('[') {
            return inner.split(']').next().unwrap_or(inner);
        }
        match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &self.host,
        }
    }

    fn userinfo(&self) -> String {
        match &self.user {
            None => String::new(),
            Some((name, None)) => escape(name, Part::User),
            Some((name, Some(password))) => {
                format!(
                    "{}:{}",
                    escape(name, Part::User),
                    escape(password, Part::User)
                )
            }
        }
    }

    fn to_value(&self) -> Value {
        chart::map([
            ("scheme", self.scheme.as_str().into()),
            ("host", self.host.as_str().into()),
            ("hostname", self.hostname().into()),
            ("path", self.path.as_str().into()),
            ("query", self.query.as_str().into()),
            ("opaque", self.opaque.as_str().into()),
            ("fragment", self.fragment.as_str().into()),
            ("userinfo", self.userinfo().into()),
        ])
    }

    fn print(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if !self.opaque.is_empty() {
            out.push_str(&self.opaque);
        } else {
            if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
                if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                    out.push_str("//");
                }
                if self.user.is_some() {
                    out.push_str(&self.userinfo());
                    out.push('@');
                }
                out.push_str(&escape(&self.host, Part::Host));
            }
            let path = escape(&self.path, Part::Path);
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            if out.is_empty()
                && path
                    .split('/')
                    .next()
                    .is_some_and(|first| first.contains(':'))
            {
                out.push_str("./");
            }
            out.push_str(&path);
        }
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escape(&self.fragment, Part::Fragment));
        }
        out
    }
}

fn join(_: &mut Run<'_>, args: &[Value]) -> Answer {
    let get = |key: &str| match &args[0] {
        Value::Map(map) => match map.entries.borrow().get(key) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.to_string()),
            Some(other) => Err(format!(
                "unable to parse {key} key, must be of type string, but {} found",
                other.kind()
            )),
        },
        _ => Ok(String::new()),
    };
    let mut url = Url {
        scheme: get("scheme")?,
        host: get("host")?,
        path: get("path")?,
        query: get("query")?,
        opaque: get("opaque")?,
        fragment: get("fragment")?,
        ..Url::default()
    };
    let userinfo = get("userinfo")?;
    if !userinfo.is_empty() {
        let parsed = Url::parse(&format!("proto://{userinfo}@host"))
            .map_err(|told| format!("unable to parse userinfo in dict: {told}"))?;
        url.user = parsed.user;
    }
    Ok(url.print().into())
}

/// What `semver` gives.
#[derive(Debug)]
struct Semver(Version, Form);

/// Whether Go holds a version by a pointer: only then has it all methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Pointer,
    Value,
}

/// What is left of a version when only its type is copied; `None` for other values.
pub(super) fn without_fields(value: &Value) -> Option<Value> {
    let Value::Object(object) = value else {
        return None;
    };
    let version = object.as_any().downcast_ref::<Semver>()?;
    let zero = Version::parse("0.0.0").ok()?;
    let original = String::new();
    Some(Value::Object(Rc::new(Semver(
        Version { original, ..zero },
        version.1,
    ))))
}

impl Object for Semver {
    fn type_name(&self) -> &str {
        match self.1 {
            Form::Pointer => "*semver.Version",
            Form::Value => "semver.Version",
        }
    }

    fn kind(&self) -> &str {
        match self.1 {
            Form::Pointer => "ptr",
            Form::Value => "struct",
        }
    }

    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn method(&self, name: &str) -> Option<&'static [Param]> {
        Some(match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "String" | "IncMajor"
            | "IncMinor" | "IncPatch" | "MarshalJSON" | "MarshalText" | "Value" => &[],
            "SetPrerelease" | "SetMetadata" => &[Param::String],
            _ if self.1 == Form::Value => return None,
            "Original" => &[],
            "Compare" | "Equal" | "LessThan" | "GreaterThan" | "LessThanEqual"
            | "GreaterThanEqual" => &[Param::Object("*semver.Version")],
            _ => return None,
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let version = &self.0;
        let number = |number: u64| Value::Int(number as i64, IntType::Uint64);
        let next = |major, minor, patch| {
            let prefix = if version.original.starts_with('v') {
                "v"
            } else {
                ""
            };
            let original = format!("{prefix}{major}.{minor}.{patch}");
            let made = Version {
                major,
                minor,
                patch,
                pre: String::new(),
                metadata: String::new(),
                original,
            };
            Value::Object(Rc::new(Self(made, Form::Value)))
        };
        let text = arguments.first().and_then(Value::as_str);
        let order = || match arguments.first() {
            Some(Value::Object(other)) => match other.as_any().downcast_ref::<Self>() {
                Some(other) => Ok(version.compare(&other.0)),
                None => Err("not a version".to_owned()),
            },
            _ => Err(super::NIL_POINTER.to_owned()),
        };
        Ok(match name {
            "Major" => number(version.major),
            "Minor" => number(version.minor),
            "Patch" => number(version.patch),
            "Prerelease" => version.pre.as_str().into(),
            "Metadata" => version.metadata.as_str().into(),
            "Original" => version.original.as_str().into(),
            "IncMajor" => next(version.major + 1, 0, 0),
            "IncMinor" => next(version.major, version.minor + 1, 0),
            "IncPatch" if version.pre.is_empty() => {
                next(version.major, version.minor, version.patch + 1)
            }
            "IncPatch" => next(version.major, version.minor, version.patch),
            "SetPrerelease" | "SetMetadata" => {
                let made = version.with(name == "SetPrerelease", text.unwrap_or_default())?;
                Value::Object(Rc::new(Self(made, Form::Value)))
            }
            "MarshalText" => Value::Bytes(version.to_string().into_bytes().into()),
            "MarshalJSON" => Value::Bytes(format!("\"{version}\"").into_bytes().into()),
            "Compare" => Value::int(order()? as i64),
            "Equal" => order()?.is_eq().into(),
            "LessThan" => order()?.is_lt().into(),
            "GreaterThan" => order()?.is_gt().into(),
            "LessThanEqual" => order()?.is_le().into(),
            "GreaterThanEqual" => order()?.is_ge().into(),
            _ => version.to_string().into(),
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn print(&self) -> String {
        self.0.to_string()
    }

    fn parts(&self) -> Option<Vec<(&'static str, Value)>> {
        let number = |number: u64| Value::Int(number as i64, IntType::Uint64);
        Some(vec![
            ("major", number(self.0.major)),
            ("minor", number(self.0.minor)),
            ("patch", number(self.0.patch)),
            ("pre", self.0.pre.as_str().into()),
            ("metadata", self.0.metadata.as_str().into()),
            ("original", self.0.original.as_str().into()),
        ])
    }

    fn plain(&self) -> Plain {
        Plain::Value(self.0.to_string().into())
    }
}

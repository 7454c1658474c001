//! Renders the templates of a chart and its subcharts, as Helm's engine does: all are parsed, deepest
//! first, then each is executed with what its chart may see.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use bulkhead_template::{
    Entries, Error, Limits, Map, MissingKey, Run, TreeSet, Value, bytes, parse,
};

use crate::chart::{Chart, map};
use crate::coalesce::new_map;
use crate::dependencies::table;
use crate::functions::{self, Context, WARN_END, WARN_START, without_no_value};
use crate::objects::ChartFiles;
use crate::options::Options;
use crate::secrets::Secrets;

/// Longest texts of all templates together, in bytes.
pub(crate) const MAX_OUTPUT_BYTES: usize = 64 << 20;

/// A template, and what it sees.
struct Renderable {
    text: Rc<[u8]>,
    values: Map,
    base_path: String,
}

/// Renders; returns the texts by the names of their templates.
pub(crate) fn render(
    chart: &Chart,
    top: &Map,
    context: Context,
    limits: Limits,
) -> Result<Vec<(String, String)>, String> {
    let mut templates = BTreeMap::new();
    collect(chart, &mut templates, top, "", true);
    let mut names: Vec<&String> = templates.keys().collect();
    names.sort_by(|a, b| {
        let depth = |name: &str| name.matches('/').count();
        depth(b).cmp(&depth(a)).then_with(|| b.cmp(a))
    });
    let functions = functions::all();
    let mut set = TreeSet::new();
    for name in &names {
        let text = bytes::to_text(&templates[*name].text);
        let has_function = |function: &str| functions.contains_key(function);
        parse(name, &text, &has_function, &mut set).map_err(|error| parse_error(&error.0))?;
    }
    let mut run = Run::new(Rc::new(set), &functions, MissingKey::Zero, limits, &context);
    run.map_methods = functions::VALUES_METHODS;
    let mut rendered = Vec::with_capacity(names.len());
    let mut total = 0;
    for name in names {
        let file = name.rsplit('/').next().unwrap_or(name);
        if file.starts_with('_') {
            continue;
        }
        let template = &templates[name];
        let info = [
            ("Name", name.as_str().into()),
            ("BasePath", template.base_path.as_str().into()),
        ];
        let info = match map(info) {
            Value::Map(map) => Value::Map(map.named("common.Values")),
            other => other,
        };
        template
            .values
            .entries
            .borrow_mut()
            .insert("Template".into(), info);
        let dot = Value::Map(template.values.named("common.Values"));
        let text = run
            .execute(name, dot)
            .map_err(|error| exec_error(name, &error))?;
        total += text.len();
        if total > MAX_OUTPUT_BYTES {
            return Err(format!(
                "templates render to more than {MAX_OUTPUT_BYTES} bytes"
            ));
        }
        rendered.push((name.clone(), without_no_value(text)));
    }
    // The guest ends with its call: what was parsed need not be taken apart first.
    #[cfg(target_family = "wasm")]
    std::mem::forget(run);
    Ok(rendered)
}

/// Gathers the templates of a chart, with what each sees; returns what the chart sees.
fn collect(
    chart: &Chart,
    templates: &mut BTreeMap<String, Renderable>,
    outer: &Map,
    parent: &str,
    is_root: bool,
) -> Map {
    let get = |name: &str| {
        outer
            .entries
            .borrow()
            .get(name)
            .cloned()
            .unwrap_or(Value::Nil)
    };
    let values = if is_root {
        get("Values")
    } else {
        match table(outer, &format!("Values.{}", chart.name())) {
            Some(values) => Value::Map(values),
            None => Value::Map(new_map(Entries::new())),
        }
    };
    let values = match values {
        Value::Map(map) => Value::Map(map.named("common.Values")),
        other => other,
    };
    let path = if is_root {
        chart.name().to_owned()
    } else {
        format!("{parent}/charts/{}", chart.name())
    };
    let next = new_map(Entries::from([
        ("Chart".into(), chart.metadata.to_value(is_root)),
        (
            "Files".into(),
            Value::Object(Rc::new(ChartFiles::new(&chart.files))),
        ),
        ("Release".into(), get("Release")),
        ("Capabilities".into(), get("Capabilities")),
        ("Values".into(), values),
    ]));
    let mut subcharts = Entries::new();
    for sub in &chart.dependencies {
        let seen = collect(sub, templates, &next, &path, false);
        subcharts.insert(sub.name().into(), Value::Map(seen));
    }
    next.entries
        .borrow_mut()
        .insert("Subcharts".into(), Value::map(subcharts));
    for file in &chart.templates {
        let base = file.name.rsplit('/').next().unwrap_or(&file.name);
        if chart.is_library() && !base.starts_with('_') {
            continue;
        }
        let renderable = Renderable {
            text: file.data.clone(),
            values: next.clone(),
            base_path: crate::paths::clean(&format!("{path}/templates")),
        };
        templates.insert(
            crate::paths::clean(&format!("{path}/{}", file.name)),
            renderable,
        );
    }
    next
}

/// Makes the context of a run.
pub(crate) fn context(seed: [u8; 32], options: &Options, secrets: &Rc<Secrets>) -> Context {
    Context {
        included: RefCell::new(HashMap::new()),
        random: RefCell::new(crate::random::Random::new(seed)),
        now: options.now,
        lookup: options.lookup,
        secrets: Rc::clone(secrets),
        patterns: RefCell::new(HashMap::new()),
    }
}

/// Words a mistake in a template as Helm does: the place, and the last part of the message.
fn parse_error(told: &str) -> String {
    let tokens: Vec<&str> = told.split(": ").collect();
    match tokens.as_slice() {
        [_, place, .., last] => format!("parse error at ({place}): {last}"),
        _ => told.to_owned(),
    }
}

/// Words a failure as Helm does: one place after the other, from the outermost in.
fn exec_error(name: &str, error: &Error) -> String {
    if !error.is_exec {
        return error.text.clone();
    }
    let mut tokens = error.text.splitn(3, ": ");
    let (Some(_), Some(place), Some(rest)) = (tokens.next(), tokens.next(), tokens.next()) else {
        return format!("execution error in ({name}): {error}");
    };
    if let (Some(start), Some(end)) = (rest.find(WARN_START), rest.rfind(WARN_END))
        && start + WARN_START.len() <= end
    {
        return format!(
            "execution error at ({place}): {}",
            &rest[start + WARN_START.len()..end]
        );
    }
    let mut places: Vec<String> = Vec::new();
    let mut current = Some(error);
    while let Some(one) = current {
        match traced(&one.text) {
            Some(traced) if places.last() != Some(&traced) => places.push(traced),
            Some(_) => {}
            None => return error.text.clone(),
        }
        current = one.cause.as_deref();
    }
    places.concat().trim().to_owned()
}

/// Takes a message of Go's apart: `template: PLACE: executing "NAME" at <TEXT>: MESSAGE`.
fn traced(text: &str) -> Option<String> {
    let rest = text.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some(format!("{text}\n"));
    }
    let cut = |message: &str| {
        let end = message.find(" template:").unwrap_or(message.len());
        message[..end].to_owned()
    };
    if let Some((place, after)) = rest.split_once(": executing ") {
        let inner = after.strip_prefix('"')?;
        let (name, after) = inner.split_once('"')?;
        let (at, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
        return Some(format!(
            "{place}\n  executing \"{name}\" at <{at}>:\n    {}\n",
            cut(message)
        ));
    }
    let (place, message) = rest.rsplit_once(": ")?;
    Some(format!("{place}\n  {}\n", cut(message)))
}

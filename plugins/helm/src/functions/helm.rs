//! What Helm adds for templates that use templates: `include`, `tpl`, `required`, `fail`.

use std::rc::Rc;

use bulkhead_template::quote::quote;
use bulkhead_template::{Error, Function, Param, Run, TreeSet, Value, fixed, parse};

use super::{Answer, context, text_of};

/// What stands around a message of `fail` and `required` on its way up.
pub(crate) const WARN_START: &str = "HELM_ERR_START";
pub(crate) const WARN_END: &str = "HELM_ERR_END";

/// How often a template may be including itself.
const MAX_INCLUDES: usize = 1_000;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("include", fixed(&[Param::String, Param::Any], include)),
    ("tpl", fixed(&[Param::String, Param::Any], tpl)),
    ("required", fixed(&[Param::String, Param::Any], required)),
    (
        "fail",
        fixed(&[Param::String], |_, args| Err(warn(text_of(&args[0])))),
    ),
];

fn warn(message: &str) -> Error {
    format!("{WARN_START}{message}{WARN_END}").into()
}

fn required(_: &mut Run<'_>, args: &[Value]) -> Answer {
    match &args[1] {
        Value::Invalid | Value::Nil => Err(warn(text_of(&args[0]))),
        Value::String(text) if text.is_empty() => Err(warn(text_of(&args[0]))),
        value => Ok(value.clone()),
    }
}

fn include(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let name = text_of(&args[0]);
    let context = context(run)?;
    {
        let mut included = context.included.borrow_mut();
        let count = included.entry(name.to_owned()).or_insert(0);
        if *count > MAX_INCLUDES {
            let cause = Error::from("unable to execute template");
            return Err(Error::wrap(
                format!("rendering template has a nested reference name: {name}: {cause}"),
                cause,
            ));
        }
        *count += 1;
    }
    let result = run.execute(name, args[1].clone());
    if let Some(count) = context.included.borrow_mut().get_mut(name) {
        *count -= 1;
    }
    Ok(result?.into())
}

fn tpl(run: &mut Run<'_>, args: &[Value]) -> Answer {
    let text = text_of(&args[0]);
    if !text.contains("{{") {
        return Ok(without_no_value(text.to_owned()).into());
    }
    let mut found = TreeSet::new();
    let functions = run.functions;
    parse(
        "gotpl",
        text,
        &|name| functions.contains_key(name),
        &mut found,
    )
    .map_err(|error| {
        let told = format!("cannot parse template {}: {error}", quote(text));
        Error::wrap(told, error.0.into())
    })?;
    let Some(tree) = found.remove("gotpl") else {
        return Ok("".into());
    };
    let outer = run.set.clone();
    if !found.is_empty() {
        let mut set = TreeSet::clone(&outer);
        bulkhead_template::merge(&mut set, found);
        run.set = Rc::new(set);
    }
    let result = run.execute_tree(&tree, args[1].clone());
    run.set = outer;
    let out = result.map_err(|error| {
        let told = format!(
            "error during tpl function execution for {}: {error}",
            quote(text)
        );
        Error::wrap(told, error)
    })?;
    Ok(without_no_value(out).into())
}

/// Helm takes `<no value>` out of every text.
pub(crate) fn without_no_value(text: String) -> String {
    if text.contains("<no value>") {
        text.replace("<no value>", "")
    } else {
        text
    }
}

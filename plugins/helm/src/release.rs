//! The name of a release: which there may be, and how a template makes one.

use std::rc::Rc;

use bulkhead_template::quote::quote;
use bulkhead_template::{MissingKey, Run, TreeSet, Value, parse};

use crate::options::Options;
use crate::secrets::Secrets;
use crate::{engine, functions, random};

/// Longest name of a release, in bytes: its objects' names have room for ten more.
const MAX_NAME_BYTES: usize = 53;

/// Refuses a name that Kubernetes would refuse.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(is_plain)
            && label.ends_with(is_plain)
            && label.chars().all(|c| is_plain(c) || c == '-')
    };
    let told = if name.is_empty() {
        "no name provided"
    } else if name.len() > MAX_NAME_BYTES || !name.split('.').all(is_label) {
        "invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    } else {
        return Ok(());
    };
    Err(format!(
        "release name check failed: release name {}: {told}",
        quote(name)
    ))
}

/// Makes a name from a template, as `--name-template` does: without data, with Sprig's functions.
pub(crate) fn name_of(template: &str, options: &Options) -> Result<String, String> {
    const NAME: &str = "name-template";
    let functions = functions::all();
    let mut set = TreeSet::new();
    let has_function = |name: &str| functions.contains_key(name);
    parse(NAME, template, &has_function, &mut set).map_err(|error| error.0)?;
    let seed = random::seed(&[template, &options.namespace]);
    let context = engine::context(seed, options, &Rc::new(Secrets::default()));
    let mut run = Run::new(
        Rc::new(set),
        &functions,
        MissingKey::Invalid,
        options.limits,
        &context,
    );
    run.execute(NAME, Value::Invalid)
        .map_err(|error| error.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        let longest = "a".repeat(MAX_NAME_BYTES);
        for name in ["a", "a-b.c1", "0", &longest] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "A", "-a", "a-", "a..b", "a_b", &format!("{longest}a")] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_template_makes_a_name() {
        let options = Options::default();
        let name = name_of("x-{{ \"AB\" | lower }}", &options);
        assert_eq!(name.as_deref(), Ok("x-ab"));
        let random = name_of("x-{{ randAlpha 4 | lower }}", &options);
        assert_eq!(random, name_of("x-{{ randAlpha 4 | lower }}", &options));
        assert!(name_of("{{ nope }}", &options).is_err());
    }
}

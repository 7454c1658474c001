//! `bulkhead plugin new`: a folder with a plugin that builds, and cases that pass.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::print;
use super::template;
use crate::args::NewArguments;
use crate::output::CliError;

/// Longest name of a plugin: that of a label of DNS.
const NAME_MAX_BYTES: usize = 63;

/// Writes the folder.
pub(super) fn new(arguments: &NewArguments) -> Result<(), CliError> {
    let NewArguments {
        name,
        lang,
        kind,
        to,
        output,
    } = arguments;
    check_name(name)?;
    let folder = to.clone().unwrap_or_else(|| PathBuf::from(name));
    refuse_what_is_there(&folder)?;
    let files = template::files(*lang, *kind, name);
    for (path, content) in &files {
        write(&folder.join(path), content)?;
    }
    let shown = folder.display();
    print::answer(
        *output,
        &json!({"plugin": name, "kind": kind.id(), "language": lang.id(), "folder": shown.to_string(),
                "files": files.len()}),
        || {
            format!(
                "{shown}: a {} in {}; start with {}\nnext: cd {shown} && bulkhead plugin build && bulkhead plugin test\n",
                kind.id(),
                lang.id(),
                lang.source()
            )
        },
    )
}

fn check_name(name: &str) -> Result<(), CliError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = name.len() <= NAME_MAX_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(allowed);
    if fits {
        return Ok(());
    }
    Err(CliError::from(anyhow!("`{name}` is no name of a plugin"))
        .usage()
        .hint(format!(
            "use lower-case letters, digits and `-`, a letter first, at most {NAME_MAX_BYTES}"
        )))
}

fn refuse_what_is_there(folder: &Path) -> Result<(), CliError> {
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(CliError::from(anyhow!("{} is not empty", folder.display()))
            .usage()
            .hint("name another folder with `--to`")),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            let what = format!("failed to open {}", folder.display());
            Err(anyhow::Error::new(error).context(what).into())
        }
    }
}

/// Writes a file, and the folders that it stands in.
pub(super) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("failed to write {}", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(failed)?;
    }
    std::fs::write(path, content).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels() {
        let longest = "a".repeat(NAME_MAX_BYTES);
        for name in ["a", "my-plugin-2", &longest] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "a".repeat(NAME_MAX_BYTES + 1);
        for name in ["", "2a", "A", "a_b", "a-", "a/b", "..", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}

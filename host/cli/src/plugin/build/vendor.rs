//! What `plugin new` writes beside an author's own files: bindings, the SDK, WIT. They need not be
//! kept in version control: a folder of them that is missing is written again.

use std::collections::BTreeSet;
use std::path::Path;

use crate::args::{Kind, Language};
use crate::output::{self, CliError};
use crate::plugin::project::Project;
use crate::plugin::{new, template};

/// Folders that `plugin new` writes and nobody edits.
const FOLDERS: [&str; 3] = ["bulkhead", "vendor", "wit"];

/// Writes the folders that are missing; what is there is left as it is.
pub(super) fn write_missing(project: &Project, language: Language) -> Result<(), CliError> {
    let kind = Kind::of(project.manifest.kind);
    let missing: BTreeSet<&str> = FOLDERS
        .into_iter()
        .filter(|folder| !project.folder.join(folder).exists())
        .collect();
    let mut written = BTreeSet::new();
    for (path, content) in template::files(language, kind, &project.manifest.name) {
        let top = path.split('/').next().unwrap_or_default();
        if let Some(folder) = missing.get(top) {
            new::write(&project.folder.join(Path::new(&path)), &content)?;
            written.insert(*folder);
        }
    }
    if !written.is_empty() {
        let names: Vec<String> = written.iter().map(|name| format!("{name}/")).collect();
        output::note(&format!("wrote {}, of this version", names.join(" and ")));
    }
    Ok(())
}

//! `bulkhead plugin save` and `load`: an image with its signatures as files, and back into a
//! registry, for networks without a way between them.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use bulkhead_source::oci::layout::Layout;
use bulkhead_source::oci::{Limits, Reference, Repository};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::json;

use super::{print, registry};
use crate::args::{LoadArguments, SaveArguments};
use crate::output::{CliError, Progress};

/// Writes images of one repository, with their signatures, as an OCI image layout.
pub(super) async fn save(arguments: &SaveArguments) -> Result<(), CliError> {
    let references: Result<Vec<Reference>, CliError> = arguments
        .references
        .iter()
        .map(|text| registry::reference(text))
        .collect();
    let references = references?;
    if let Some(other) = references
        .iter()
        .find(|one| one.name() != references[0].name())
    {
        let error = anyhow!(
            "{} and {other} are of different repositories",
            references[0]
        );
        return Err(CliError::from(error)
            .usage()
            .hint("save each repository to files of its own"));
    }
    let client = registry::client(&arguments.registry)?;
    let mut layout = Layout::default();
    for reference in &references {
        let resolved = registry::resolve(&client, reference).await?;
        let _progress = Progress::start(&format!("pulling {reference}"));
        layout
            .pull(&client, &resolved)
            .await
            .map_err(registry::failed)?;
    }
    write(&layout, &arguments.to)?;
    let saved: Vec<String> = layout
        .references()
        .iter()
        .map(Reference::to_string)
        .collect();
    let to = arguments.to.display().to_string();
    print::answer(arguments.output, &json!({"saved": saved, "to": to}), || {
        format!("saved to {to}:\n  {}\n", saved.join("\n  "))
    })
}

/// Copies what was saved into a registry; digests, and with them signatures, stay.
pub(super) async fn load(arguments: &LoadArguments) -> Result<(), CliError> {
    let layout = read(&arguments.from)?;
    let references = layout.references();
    let to = match (&arguments.to, references.first()) {
        (Some(to), _) => Repository::parse(to).map_err(|error| {
            CliError::from(anyhow::Error::new(error).context(format!("`{to}` is no repository")))
                .usage()
                .hint("write it as REGISTRY/PATH")
        })?,
        (None, Some(first)) => first.name().clone(),
        (None, None) => {
            let error = anyhow!("{} names no image", arguments.from.display());
            return Err(CliError::from(error).hint("`bulkhead plugin save` writes one"));
        }
    };
    let client = registry::client(&arguments.registry)?;
    let progress = Progress::start(&format!("pushing to {to}"));
    let published = layout.push(&client, &to).await;
    drop(progress);
    let published = published.map_err(registry::failed)?;
    let published: Vec<String> = published.iter().map(Reference::to_string).collect();
    print::answer(arguments.output, &json!({ "loaded": published }), || {
        format!("loaded:\n  {}\n", published.join("\n  "))
    })
}

fn is_tar(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tar")
}

fn write(layout: &Layout, to: &Path) -> Result<(), CliError> {
    let failed = || format!("failed to write {}", to.display());
    if is_tar(to) {
        let file = File::create(to).with_context(failed)?;
        return layout
            .write_tar(BufWriter::new(file))
            .map_err(registry::failed);
    }
    std::fs::create_dir_all(to).with_context(failed)?;
    if std::fs::read_dir(to).with_context(failed)?.next().is_some() {
        return Err(CliError::from(anyhow!("{} is not empty", to.display()))
            .usage()
            .hint("name a new folder, or a file that ends in `.tar`"));
    }
    let folder = Dir::open_ambient_dir(to, ambient_authority()).with_context(failed)?;
    layout.write(&folder).map_err(registry::failed)
}

fn read(from: &Path) -> Result<Layout, CliError> {
    let failed = || format!("failed to read {}", from.display());
    let limits = Limits::default();
    let layout = if from.is_dir() {
        let folder = Dir::open_ambient_dir(from, ambient_authority()).with_context(failed)?;
        Layout::read(&folder, &limits)
    } else {
        Layout::read_tar(File::open(from).with_context(failed)?, &limits)
    };
    layout.map_err(registry::failed)
}

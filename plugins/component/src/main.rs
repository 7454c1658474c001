//! Turns a guest's core module into a component: `bulkhead-component MODULE --manifest FILE --wit DIR
//! --output FILE`. It slims the module, encodes it, checks the result against the world that the
//! manifest names, embeds the manifest, and refuses what is larger than the manifest allows.
//!
//! The same input gives the same bytes. It runs when guests are built, never in the product.

mod encode;
mod manifest;
mod module;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: bulkhead-component MODULE --manifest FILE --wit DIR --output FILE";

struct Arguments {
    module: PathBuf,
    manifest: PathBuf,
    wit: PathBuf,
    output: PathBuf,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments> {
    let (mut module, mut manifest, mut wit, mut output) = (None, None, None, None);
    let mut given = std::env::args_os().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().map(PathBuf::from).context(USAGE);
        match argument.to_str() {
            Some("--manifest") => manifest = Some(value()?),
            Some("--wit") => wit = Some(value()?),
            Some("--output") => output = Some(value()?),
            Some(flag) if flag.starts_with('-') => bail!(USAGE),
            _ => module = Some(PathBuf::from(argument)),
        }
    }
    match (module, manifest, wit, output) {
        (Some(module), Some(manifest), Some(wit), Some(output)) => Ok(Arguments {
            module,
            manifest,
            wit,
            output,
        }),
        _ => bail!(USAGE),
    }
}

/// Writes the component and tells its name and size.
#[allow(
    clippy::disallowed_methods,
    reason = "a build tool reads and writes the files it is given"
)]
fn run(arguments: &Arguments) -> Result<String> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
    };
    let manifest = manifest::parse(&read(&arguments.manifest)?)
        .with_context(|| format!("failed to use `{}`", arguments.manifest.display()))?;
    let module = module::slim(&read(&arguments.module)?)
        .with_context(|| format!("failed to slim `{}`", arguments.module.display()))?;
    let component = encode::component(&module, &manifest, &arguments.wit)?;
    manifest.check_size(component.len())?;
    if let Some(folder) = arguments.output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.output, &component)
        .with_context(|| format!("failed to write `{}`", arguments.output.display()))?;
    Ok(format!(
        "{} {} ({} bytes)",
        manifest.name,
        manifest.version,
        component.len()
    ))
}

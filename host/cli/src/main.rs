//! The `bulkhead` command. Reads flags and the environment, calls the crates, prints what they
//! return, and tells by its exit status how it went.

#![allow(
    clippy::disallowed_methods,
    reason = "the one crate that reads the environment, and the files that a user names"
)]

mod args;
mod cluster;
mod install;
mod output;
mod plugin;
mod plugins;
mod release;
mod render;
mod resources;
mod run;
mod sync;

use std::process::ExitCode;

use bulkhead_wasm::release_program_pages;
use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{
    Arguments, Command, InstallArguments, OutputFormat, RenderArguments, RenderCommand,
};
use crate::output::{CliError, Exit};

fn main() -> ExitCode {
    // One cryptography provider for every TLS connection of the process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return code(if asked { Exit::Done } else { Exit::Usage });
        }
    };
    let outcome = std::panic::catch_unwind(|| dispatch(arguments.command));
    match outcome {
        Ok(Ok(())) => code(Exit::Done),
        Ok(Err(failure)) => {
            output::report(&failure);
            code(failure.exit)
        }
        // The panic's own message is on standard error already.
        Err(_) => code(Exit::Bug),
    }
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

fn dispatch(command: Command) -> Result<(), CliError> {
    // Reading the arguments was the first phase.
    release_program_pages();
    match command {
        Command::Sync(arguments) => threads()?.block_on(sync::run(arguments)),
        Command::Render(arguments) => single()?.block_on(render(*arguments)),
        Command::Plugin(command) => single()?.block_on(plugin::run(command)),
        Command::Run(arguments) => threads()?.block_on(run::run(*arguments)),
        Command::Install(arguments) => install(&arguments),
        Command::CompilePlugin => Ok(bulkhead_wasm::compile_worker(
            std::io::stdin(),
            std::io::stdout(),
        )?),
        Command::Precompile { to } => plugins::precompile(to.as_deref()),
    }
}

async fn render(arguments: RenderArguments) -> Result<(), CliError> {
    match arguments.command {
        Some(RenderCommand::Kustomize(arguments)) => render::kustomize(*arguments).await,
        Some(RenderCommand::Helm(arguments)) => render::helm(*arguments).await,
        Some(RenderCommand::HelmRelease(arguments)) => render::helmrelease(*arguments).await,
        None => render::plugin(arguments.plugin).await,
    }
}

/// A runtime for commands that wait for many things.
fn threads() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// A runtime for commands that do one thing: it starts faster.
fn single() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn install(arguments: &InstallArguments) -> Result<(), CliError> {
    let image = arguments.image.as_deref().unwrap_or(install::DEFAULT_IMAGE);
    let options = install::InstallOptions::new(&arguments.namespace, image).map_err(|error| {
        let hint = error.hint();
        CliError {
            hint,
            ..CliError::from(error)
        }
        .usage()
    })?;
    if !arguments.export {
        let error = anyhow::anyhow!("`bulkhead install` only prints what has to be applied");
        return Err(CliError::from(error)
            .usage()
            .hint("run `bulkhead install --export | kubectl apply --server-side -f -`"));
    }
    let manifests = install::manifests(&options);
    let text = match arguments.output {
        OutputFormat::Text => install::to_yaml(&manifests)?,
        OutputFormat::Json => manifests
            .iter()
            .map(|object| format!("{object}\n"))
            .collect(),
    };
    Ok(output::data(&text)?)
}

//! `bulkhead plugin`: what an author needs to write, build, test and publish a plugin, and a user to
//! judge and install one.

mod archive;
mod bench;
mod build;
pub(crate) mod call;
mod case;
mod check;
mod cluster;
mod exchange;
mod failure;
mod grants;
mod inspect;
mod install;
mod installed;
pub(crate) mod locate;
mod new;
mod outcome;
mod print;
mod project;
mod publish;
mod registry;
pub(crate) mod replay;
mod run;
mod template;
mod test;
mod trust;
mod wit;

pub(crate) use run::granted;

use crate::args::PluginCommand;
use crate::output::CliError;

/// Does what is asked.
pub(crate) async fn run(command: PluginCommand) -> Result<(), CliError> {
    match command {
        PluginCommand::New(arguments) => new::new(&arguments),
        PluginCommand::Build(arguments) => build::build(&arguments),
        PluginCommand::Check(arguments) => check::check(&arguments),
        PluginCommand::Test(arguments) => test::test(&arguments).await,
        PluginCommand::Run(arguments) => run::run(*arguments).await,
        PluginCommand::Bench(arguments) => bench::bench(*arguments).await,
        PluginCommand::Inspect(arguments) => inspect::inspect(&arguments).await,
        PluginCommand::Push(arguments) => publish::push(&arguments).await,
        PluginCommand::Pull(arguments) => publish::pull(&arguments).await,
        PluginCommand::Replay(arguments) => replay::replay(&arguments).await,
        PluginCommand::Sign(arguments) => trust::sign(&arguments).await,
        PluginCommand::Verify(arguments) => trust::verify(&arguments).await,
        PluginCommand::Save(arguments) => archive::save(&arguments).await,
        PluginCommand::Load(arguments) => archive::load(&arguments).await,
        PluginCommand::List(arguments) => install::list(&arguments).await,
        PluginCommand::Install(arguments) => install::install(*arguments).await,
        PluginCommand::Remove(arguments) => install::remove(&arguments).await,
    }
}

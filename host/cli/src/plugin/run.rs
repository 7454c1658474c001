//! `bulkhead plugin run`: one call, and what came of it.

use bulkhead_wasm::PluginKind;
use serde_json::json;

use super::call::{self, Given};
use super::{case, grants, locate, outcome, print};
use crate::args::{OutputFormat, RunPluginArguments};
use crate::output::CliError;
use crate::{plugins, render};

/// Calls the plugin once.
pub(super) async fn run(arguments: RunPluginArguments) -> Result<(), CliError> {
    let found = locate::find_or_here(arguments.plugin.as_deref(), &arguments.registry).await?;
    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let host = plugins::host(cache.as_deref())?;
    let granted = granted(&found, &arguments.call.grant)?;
    let loaded = call::load(&host, &found, granted).await?;
    let given = Given::read(&arguments.call)?;
    given.check(loaded.manifest.as_ref())?;
    if arguments.output == OutputFormat::Json && loaded.kind != PluginKind::Notifier {
        let answer = match loaded.kind {
            PluginKind::Renderer => {
                loaded
                    .plugin
                    .render(given.render(&arguments.input, "", &loaded)?)
                    .await
            }
            _ => {
                let documents = call::objects(&arguments.input)?;
                loaded
                    .plugin
                    .transform(given.transform(documents, &loaded))
                    .await
            }
        };
        let rendered = answer.map_err(render::failure)?;
        return print::answer(OutputFormat::Json, &outcome::json(&rendered), String::new);
    }
    let text = case::call(&loaded, &given, &arguments.input, "", None).await?;
    print::answer(arguments.output, &json!({ "exchange": text }), || {
        text.clone()
    })
}

/// What the flags grant, or what the plugin has already.
pub(crate) fn granted(
    found: &locate::Found,
    flags: &[String],
) -> Result<bulkhead_wasm::Grants, CliError> {
    if flags.is_empty() {
        return Ok(found.grants(found.manifest()?.as_ref()));
    }
    grants::parse(flags)
}

//! `bulkhead plugin replay`: a call again, from what was written down about it; and the writing down.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bulkhead_wasm::{Plugin, Recording, RenderError, RenderRequest, Rendered, Transcript};
use serde_json::json;

use super::failure::advised;
use super::{call, locate, outcome, print, run};
use crate::args::ReplayArguments;
use crate::output::{self, CliError};
use crate::plugins;

/// Renders; a render that fails leaves its transcript in `cache`, or in the file that is named,
/// where every render does.
pub(crate) async fn recorded(
    plugin: &Plugin,
    request: RenderRequest,
    to: Option<&Path>,
    cache: Option<&Path>,
) -> Result<Result<Rendered, RenderError>, CliError> {
    let (result, transcript) = plugin.render_recorded(request, &Recording::default()).await;
    let path = match (to, cache, &result) {
        (Some(to), _, _) => to.to_owned(),
        (None, Some(cache), Err(_)) => place(cache, &transcript)?,
        _ => return Ok(result),
    };
    std::fs::write(&path, transcript.write())
        .with_context(|| format!("failed to write {}", path.display()))?;
    if result.is_err() {
        output::note(&format!(
            "note: `bulkhead plugin replay {}` repeats this",
            path.display()
        ));
    }
    Ok(result)
}

/// One file a plugin: the last failure counts.
fn place(cache: &Path, transcript: &Transcript) -> anyhow::Result<PathBuf> {
    let folder = cache.join("transcripts");
    plugins::private_folder(&folder)?;
    Ok(folder.join(format!(
        "{}-{}.json",
        transcript.plugin.name,
        transcript.digest.short()
    )))
}

/// Repeats a call.
pub(super) async fn replay(arguments: &ReplayArguments) -> Result<(), CliError> {
    let path = &arguments.transcript;
    let bytes =
        std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    let transcript = Transcript::read(&bytes).map_err(|error| advised(error.advice(), error))?;
    let again = again(&arguments.again)?;
    let found = locate::find_or_here(arguments.plugin.as_deref(), &arguments.registry).await?;
    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let host = plugins::host(cache.as_deref())?;
    let loaded = call::load(&host, &found, run::granted(&found, &[])?).await?;
    let replayed = bulkhead_wasm::replay(&loaded.plugin, &transcript, &again)
        .await
        .map_err(|error| advised(error.advice(), error))?;
    let (equal, differences) = (replayed.equal, replayed.differences.clone());
    let shown = match outcome::text(replayed.result) {
        Ok(text) => text,
        Err(failed) => format!("# failed: {:#}\n", anyhow::Error::new(failed)),
    };
    let json = json!({"plugin": found.place, "equal": equal, "differences": differences, "outcome": shown});
    print::answer(arguments.output, &json, || {
        let mut text = shown.clone();
        text.push_str(if equal {
            "# the same as then\n"
        } else {
            "# not the same as then\n"
        });
        for difference in &differences {
            text.push_str(&format!("# {difference}\n"));
        }
        text
    })?;
    if equal {
        return Ok(());
    }
    Err(anyhow!("the call ended otherwise than {} says", path.display()).into())
}

/// Reads what the transcript left out.
fn again(texts: &[String]) -> Result<HashMap<String, Vec<u8>>, CliError> {
    let mut again = HashMap::new();
    for text in texts {
        let Some((name, path)) = text.split_once('=') else {
            let error = anyhow!("`--again {text}` names no file");
            return Err(CliError::from(error)
                .usage()
                .hint("write `--again NAME=FILE`"));
        };
        let content = std::fs::read(path).with_context(|| format!("failed to read {path}"))?;
        again.insert(name.to_owned(), content);
    }
    Ok(again)
}

//! `bulkhead plugin test`: every golden case, twice.

use std::time::Instant;

use anyhow::anyhow;
use serde_json::json;
use similar::TextDiff;

use super::call::{self, Loaded};
use super::case::{self, Case};
use super::{grants, locate, print};
use crate::args::TestArguments;
use crate::output::CliError;
use crate::plugins;

/// How a case went.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    /// What was expected was written anew.
    Updated,
    /// Why it failed, for a person.
    Failed(String),
}

/// Runs the cases.
pub(super) async fn test(arguments: &TestArguments) -> Result<(), CliError> {
    let found = locate::component(&arguments.directory, arguments.component.as_ref())?;
    let wanted = |case: &Case| {
        arguments
            .filter
            .as_ref()
            .is_none_or(|text| case.name.contains(text))
    };
    let cases: Vec<Case> = case::list(&arguments.directory)?
        .into_iter()
        .filter(wanted)
        .collect();
    if cases.is_empty() {
        return Err(CliError::from(anyhow!("no case has this text in its name")).usage());
    }
    let cache = plugins::cache_folder(arguments.cache.cache_dir.clone());
    let host = plugins::host(cache.as_deref())?;
    let manifest = found.manifest()?;
    let granted = manifest
        .as_ref()
        .map(|manifest| grants::all(&manifest.requests));
    let loaded = call::load(&host, &found, granted.unwrap_or_default()).await?;
    let mut failed = 0;
    for case in &cases {
        let started = Instant::now();
        let verdict = judge(case, &loaded, arguments.update).await?;
        let took = started.elapsed();
        failed += usize::from(matches!(verdict, Verdict::Failed(_)));
        let (word, why) = match &verdict {
            Verdict::Ok => ("ok", None),
            Verdict::Updated => ("updated", None),
            Verdict::Failed(why) => ("failed", Some(why)),
        };
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let json =
            json!({"case": case.name, "result": word, "milliseconds": milliseconds, "why": why});
        print::answer(arguments.output, &json, || match why {
            Some(why) => format!("failed   {}\n{}\n", case.name, indented(why)),
            None => format!("{word:8} {} ({milliseconds} ms)\n", case.name),
        })?;
    }
    if failed == 0 {
        return Ok(());
    }
    Err(
        CliError::from(anyhow!("{failed} of {} cases failed", cases.len()))
            .hint("where the new answer is right: `bulkhead plugin test --update`"),
    )
}

async fn judge(case: &Case, loaded: &Loaded, update: bool) -> Result<Verdict, CliError> {
    let first = match case.run(loaded).await {
        Ok(text) => text,
        Err(failure) => return Ok(Verdict::Failed(told(&failure))),
    };
    let second = case
        .run(loaded)
        .await
        .unwrap_or_else(|failure| told(&failure));
    if first != second {
        let difference = diff(&first, &second);
        return Ok(Verdict::Failed(format!(
            "the second run answered otherwise: a plugin may depend on what it is given alone\n{difference}"
        )));
    }
    let expected = case.expected()?;
    if expected.as_deref() == Some(&first) {
        return Ok(Verdict::Ok);
    }
    if update {
        case.expect(&first)?;
        return Ok(Verdict::Updated);
    }
    Ok(Verdict::Failed(match expected {
        Some(expected) => diff(&expected, &first),
        None => "it has no expected.yaml: `--update` writes it".to_owned(),
    }))
}

fn told(failure: &CliError) -> String {
    let mut text = format!("{:#}", failure.error);
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("\nhint: {hint}"));
    }
    text
}

/// Shows what is expected (`-`) and what came (`+`).
fn diff(expected: &str, found: &str) -> String {
    TextDiff::from_lines(expected, found)
        .unified_diff()
        .context_radius(3)
        .header("expected", "found")
        .to_string()
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

//! Renders a directory of this machine, natively: `render DIR` with the flags of `kustomize build`
//! that change its output; `render --serve` answers a call a line. For development, for the fuzzer
//! and for the conformance corpus.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a tool of development, outside the product"
)]

mod disk;
mod serve;

use std::process::ExitCode;

use bulkhead_kustomize::{LoadRestrictor, Options, Output, Reorder};

/// A directory and the options that words of a command line name.
struct Call {
    directory: String,
    options: Options,
}

impl Call {
    fn parse(words: impl Iterator<Item = String>) -> Self {
        let mut words = words;
        let mut options = Options::default();
        let mut directory = None;
        while let Some(word) = words.next() {
            let (flag, mut value) = match word.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (word, None),
            };
            let mut next = || value.take().or_else(|| words.next()).unwrap_or_default();
            match flag.as_str() {
                "--reorder" => {
                    options.reorder = match next().as_str() {
                        "none" => Reorder::None,
                        "legacy" => Reorder::Legacy,
                        _ => Reorder::Unspecified,
                    }
                }
                "--load-restrictor" => {
                    if next() == "LoadRestrictionsNone" {
                        options.load_restrictor = LoadRestrictor::None;
                    }
                }
                "--enable-alpha-plugins" => options.enable_alpha_plugins = true,
                "--enable-managedby-label" => options.managed_by_label = true,
                "--generate" => options.generate = true,
                _ => directory = Some(flag),
            }
        }
        Self {
            directory: directory.unwrap_or_else(|| ".".to_owned()),
            options,
        }
    }

    fn render(&self) -> Result<Output, String> {
        let full = std::fs::canonicalize(&self.directory)
            .map_err(|_| format!("no such directory: {}", self.directory))?;
        let path = full.to_string_lossy().trim_start_matches('/').to_owned();
        bulkhead_kustomize::render(&disk::Disk, &path, &self.options)
            .map_err(|error| error.to_string())
    }
}

fn text_of(output: &Output) -> String {
    let texts: Vec<&str> = output
        .documents
        .iter()
        .map(|document| document.text.as_str())
        .collect();
    texts.join("---\n")
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--serve") {
        return serve::serve();
    }
    let call = Call::parse(std::env::args().skip(1));
    let times: usize = std::env::var("RENDER_TIMES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    for _ in 1..times {
        let _ = std::hint::black_box(call.render());
    }
    match call.render() {
        Ok(output) => {
            output
                .warnings
                .iter()
                .for_each(|warning| eprintln!("{warning}"));
            print!("{}", text_of(&output));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

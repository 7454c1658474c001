//! Renders a chart on this machine, without the sandbox: for scoring and profiling.
//!
//! `render NAME CHART --namespace N -f VALUES [--set a=b] [--raw --out DIR]` prints what
//! `helm template` prints.
#![allow(
    clippy::disallowed_methods,
    reason = "a tool for developers reads and writes files"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bulkhead_helm::{Files, Options, Set, SetKind, Values};
use bulkhead_plugin::ReadError;
use bulkhead_plugin::tree::{Entry, Error as TreeError, Kind};

struct Folder {
    root: PathBuf,
}

impl Folder {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

fn failed(path: &str) -> impl FnOnce(std::io::Error) -> ReadError {
    let path = path.to_owned();
    move |error| ReadError {
        path,
        cause: match error.kind() {
            std::io::ErrorKind::NotFound => TreeError::NotFound,
            _ => TreeError::Other(error.to_string()),
        },
    }
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        std::fs::read(self.at(path)).map_err(failed(path))
    }

    fn read_dir(&self, path: &str) -> Result<Vec<Entry>, ReadError> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.at(path)).map_err(failed(path))? {
            let name = entry
                .map_err(failed(path))?
                .file_name()
                .to_string_lossy()
                .into_owned();
            let inside = if matches!(path, "" | ".") {
                name
            } else {
                format!("{path}/{name}")
            };
            found.push(self.stat(&inside)?);
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<Entry>, ReadError> {
        Err(failed(pattern)(std::io::Error::other("not needed here")))
    }

    fn stat(&self, path: &str) -> Result<Entry, ReadError> {
        let metadata = std::fs::metadata(self.at(path)).map_err(failed(path))?;
        let kind = if metadata.is_dir() {
            Kind::Directory
        } else {
            Kind::File
        };
        Ok(Entry {
            path: path.to_owned(),
            kind,
            size: metadata.len(),
        })
    }
}

#[derive(Default)]
struct Arguments {
    options: Options,
    places: Vec<String>,
    is_raw: bool,
    no_hooks: bool,
    out: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or(format!("{argument} needs a value"));
        let mut set = |kind, text| found.options.sets.push(Set { kind, text });
        match argument.as_str() {
            "--namespace" | "-n" => found.options.namespace = value()?,
            "-f" | "--values" => {
                let name = value()?;
                let text = std::fs::read(&name).map_err(|error| format!("{name}: {error}"))?;
                let text = String::from_utf8_lossy(&text).into_owned();
                found.options.values.push(Values { name, text });
            }
            "--set" => set(SetKind::Typed, value()?),
            "--set-string" => set(SetKind::Text, value()?),
            "--set-json" => set(SetKind::Json, value()?),
            "--set-literal" => set(SetKind::Literal, value()?),
            "--kube-version" => found.options.kube_version = Some(value()?),
            "--api-versions" | "-a" => {
                found
                    .options
                    .api_versions
                    .extend(value()?.split(',').map(str::to_owned));
            }
            "--include-crds" => found.options.include_crds = true,
            "--is-upgrade" => found.options.is_upgrade = true,
            "--no-hooks" => found.no_hooks = true,
            "--raw" => found.is_raw = true,
            "--out" => found.out = Some(value()?.into()),
            flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
            _ => found.places.push(argument),
        }
    }
    Ok(found)
}

fn run() -> Result<(), String> {
    let Arguments {
        mut options,
        places,
        is_raw,
        no_hooks,
        out,
    } = arguments()?;
    let [name, chart] = places.as_slice() else {
        return Err("usage: render NAME CHART".to_owned());
    };
    options.name.clone_from(name);
    let path = Path::new(chart);
    let (root, inside) = if path.is_dir() {
        (path.to_owned(), ".".to_owned())
    } else {
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        (path.parent().unwrap_or(Path::new(".")).to_owned(), file)
    };
    let files = Folder { root };
    if is_raw {
        let out = out.ok_or("--raw needs --out")?;
        for (name, text) in bulkhead_helm::render_raw(&files, &inside, &options)? {
            let path = out.join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&out)).map_err(|e| e.to_string())?;
            std::fs::write(path, text).map_err(|error| error.to_string())?;
        }
        return Ok(());
    }
    let mut output = bulkhead_helm::render(&files, &inside, &options)?;
    if no_hooks {
        output.hooks.clear();
    }
    let text = output.to_text();
    let data = bulkhead_template::bytes::of(&text);
    std::io::Write::write_all(&mut std::io::stdout(), &data).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    // Templates nest deeply: the walk needs more than the main thread's stack.
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(run);
    let result = match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        _ => Err("the render panicked".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The files that flags name, as inputs of the request: values, and what `--set-file` sets.

use std::io::Read as _;

use anyhow::anyhow;

use crate::args::HelmArguments;
use crate::output::CliError;

/// Largest input, in bytes: as the sandbox has it for files.
const INPUT_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What is passed beside the chart.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// Names of the inputs that are values, in the order of the flags.
    pub(super) values: Vec<String>,
    /// Names and contents.
    pub(super) contents: Vec<(String, Vec<u8>)>,
}

impl Inputs {
    /// Reads all that the flags name; standard input once.
    pub(super) fn read(arguments: &HelmArguments) -> Result<Self, CliError> {
        let mut inputs = Self::default();
        for name in &arguments.values {
            inputs.add(name)?;
            inputs.values.push(name.clone());
        }
        for name in arguments.set_file.iter().flat_map(|text| files_of(text)) {
            inputs.add(&name).map_err(|failure| CliError {
                error: anyhow!("failed parsing --set-file data: {}", failure.error),
                ..failure
            })?;
        }
        Ok(inputs)
    }

    fn add(&mut self, name: &str) -> Result<(), CliError> {
        if self.contents.iter().all(|(known, _)| known != name) {
            self.contents.push((name.to_owned(), content(name)?));
        }
        Ok(())
    }
}

fn content(name: &str) -> Result<Vec<u8>, CliError> {
    if name.starts_with("http://") || name.starts_with("https://") {
        return Err(CliError::from(anyhow!("{name} is not on this machine"))
            .usage()
            .hint("nothing is fetched while rendering; `curl URL | bulkhead render helm … -f -` passes it in"));
    }
    let mut data = Vec::new();
    let read = if name.trim() == "-" {
        std::io::stdin()
            .take(INPUT_MAX_BYTES + 1)
            .read_to_end(&mut data)
    } else {
        std::fs::File::open(name)
            .and_then(|file| file.take(INPUT_MAX_BYTES + 1).read_to_end(&mut data))
    };
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(anyhow!("open {name}: no such file or directory").into())
        }
        Err(error) => Err(anyhow!("open {name}: {error}").into()),
        Ok(size) if size as u64 > INPUT_MAX_BYTES => {
            Err(anyhow!("{name} has more than {INPUT_MAX_BYTES} bytes").into())
        }
        Ok(_) => Ok(data),
    }
}

/// The files that a text of `--set-file` names: what stands behind `=`, up to a comma, or in braces.
fn files_of(text: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut chars = text.chars();
    let until = |chars: &mut std::str::Chars<'_>, stops: &[char]| {
        let mut found = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => found.extend(chars.next()),
                c if stops.contains(&c) => return (found, Some(c)),
                c => found.push(c),
            }
        }
        (found, None)
    };
    while let (_, Some(_)) = until(&mut chars, &['=']) {
        if !chars.as_str().starts_with('{') {
            files.push(until(&mut chars, &[',']).0);
            continue;
        }
        chars.next();
        loop {
            let (file, stop) = until(&mut chars, &[',', '}']);
            files.push(file);
            if stop != Some(',') {
                break;
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_in_sets() {
        assert_eq!(files_of("a=x.txt,b.c[0]=y\\,z"), ["x.txt", "y,z"]);
        assert_eq!(files_of("a={x,y},b=z"), ["x", "y", "z"]);
        assert_eq!(files_of("a"), [""; 0]);
    }

    #[test]
    fn only_files_of_this_machine_are_read() {
        let told = |name: &str| content(name).map_err(|failure| failure.error.to_string());
        assert_eq!(
            told("https://x.example/values.yaml"),
            Err("https://x.example/values.yaml is not on this machine".to_owned())
        );
        assert_eq!(
            told("no-such-file"),
            Err("open no-such-file: no such file or directory".to_owned())
        );
    }
}

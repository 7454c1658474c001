//! How much memory and time a large index takes; CI leaves this out by its name (`speed::`).

use std::io::{BufWriter, Seek as _, Write as _};
use std::time::Instant;

use bulkhead_source::helm::Limits;
use bulkhead_source::helm::index::{Directory, store};

/// Bytes of the index that is made.
const BYTES: u64 = 150 * 1024 * 1024;

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() / 1024
}

fn entry(name: &str, version: usize, json: bool) -> String {
    let version = format!("{}.{}.{}", version % 7, version % 31, version);
    let digest = "1f0c".repeat(16);
    let (year, text) = (
        2000 + version.len(),
        "Something useful that runs in a cluster. ".repeat(6),
    );
    if json {
        return format!(
            r#"{{"apiVersion":"v2","name":"{name}","version":"{version}","appVersion":"{version}","created":"{year}-01-02T03:04:05.678Z","description":"{text}","digest":"{digest}","home":"https://example.org/{name}","keywords":["a","b"],"maintainers":[{{"name":"Ada","email":"ada@example.org"}}],"annotations":{{"category":"Database"}},"urls":["https://charts.example.org/{name}-{version}.tgz"]}}"#
        );
    }
    format!(
        "  - annotations:\n      category: Database\n    apiVersion: v2\n    appVersion: {version}\n    created: \"{year}-01-02T03:04:05.678Z\"\n    description: {text}\n    digest: {digest}\n    home: https://example.org/{name}\n    keywords:\n    - a\n    - b\n    maintainers:\n    - email: ada@example.org\n      name: Ada\n    name: {name}\n    urls:\n    - https://charts.example.org/{name}-{version}.tgz\n    version: {version}\n"
    )
}

fn make(json: bool) -> std::fs::File {
    let mut out = BufWriter::new(tempfile::tempfile().unwrap());
    let mut bytes = 0;
    let mut put = |text: &str| {
        bytes += text.len() as u64;
        out.write_all(text.as_bytes()).unwrap();
        bytes < BYTES
    };
    put(if json {
        r#"{"apiVersion":"v1","entries":{"#
    } else {
        "apiVersion: v1\nentries:\n"
    });
    for chart in 0.. {
        let name = format!("chart-{chart}");
        let comma = if json && chart > 0 { "," } else { "" };
        let open = if json {
            format!("{comma}\"{name}\":[")
        } else {
            format!("  {name}:\n")
        };
        let mut more = put(&open);
        for version in 0..400 {
            let comma = if json && version > 0 { "," } else { "" };
            more = put(&format!("{comma}{}", entry(&name, version, json)));
        }
        put(if json { "]" } else { "" });
        if !more {
            break;
        }
    }
    put(if json {
        "}}"
    } else {
        "generated: \"2026-01-01T00:00:00Z\"\n"
    });
    out.into_inner().unwrap()
}

fn measure(json: bool) {
    let mut raw = make(json);
    let before = resident();
    let start = Instant::now();
    let mut spool = tempfile::tempfile().unwrap();
    let mut out = tempfile::tempfile().unwrap();
    let index = store(&mut raw, &mut spool, &mut out, &Limits::default()).unwrap();
    let stored = start.elapsed();
    let start = Instant::now();
    let found = index
        .directory
        .choose("x", &mut out, "chart-7", "^3")
        .unwrap();
    let looked = start.elapsed();
    out.rewind().unwrap();
    let start = Instant::now();
    let scanned = Directory::scan(&mut std::io::BufReader::new(&mut out)).unwrap();
    assert_eq!(scanned, index.directory);
    let peak = resident();
    assert!(peak < 256, "{peak} MiB");
    tracing(&format!(
        "{} index of {} MiB: {} versions of {} charts stored as {} MiB in {stored:.1?}, {} found in {looked:.1?}, scanned in {:.1?}, peak {peak} MiB ({before} before)",
        if json { "JSON" } else { "YAML" },
        BYTES >> 20,
        index.versions,
        index.directory.len(),
        index.size_bytes >> 20,
        found.metadata.version,
        start.elapsed(),
    ));
}

#[allow(clippy::print_stderr, reason = "what was measured is what this is for")]
fn tracing(text: &str) {
    eprintln!("{text}");
}

/// Indexes that somebody made to use up memory: what each costs, refused or not.
#[test]
#[ignore = "speed: some seconds in a release build, a minute without"]
fn hostile_indexes_stay_small() {
    const MIB: usize = 1 << 20;
    let zeros = format!("[{}0]", "0,".repeat(2 * MIB));
    let keys: Vec<String> = (0..8).map(|at| format!("\"k{at}\":{zeros}")).collect();
    let keys = format!(
        "{{\"apiVersion\":\"v1\",{},\"entries\":{{}}}}",
        keys.join(",")
    );
    let charts: String = (0..4_000_000).map(|at| format!("\"a{at}\":[],")).collect();
    let charts = format!("{{\"apiVersion\":\"v1\",\"entries\":{{{charts}\"a\":[]}}}}");
    let words = format!("[{}\"\"]", "\"\",".repeat(MIB / 3 - 100));
    let versions = (0..40)
        .map(|at| format!("{{\"name\":\"a\",\"version\":\"1.0.{at}\",\"keywords\":{words}}}"));
    let versions: Vec<String> = versions.collect();
    let versions = format!(
        "{{\"apiVersion\":\"v1\",\"entries\":{{\"a\":[{}]}}}}",
        versions.join(",")
    );
    let zeros = format!("[{}0]", "0,".repeat(MIB / 3));
    let anchors: String = (0..40)
        .map(|at| format!("  - {{name: a, version: 1.0.{at}, annotations: {{a: &x {zeros}}}}}\n"))
        .collect();
    let anchors = format!("apiVersion: v1\nentries:\n  a:\n{anchors}");
    for (what, text) in [
        ("8 unknown fields of 4 MiB", keys),
        ("4 million charts", charts),
        ("40 versions of 1 MiB", versions),
        ("40 anchors of 1 MiB", anchors),
    ] {
        let mut raw = tempfile::tempfile().unwrap();
        raw.write_all(text.as_bytes()).unwrap();
        let size = text.len() >> 20;
        drop(text);
        // Counts the peak from here.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = resident();
        let mut spool = tempfile::tempfile().unwrap();
        let mut out = tempfile::tempfile().unwrap();
        let told = match store(&mut raw, &mut spool, &mut out, &Limits::default()) {
            Err(error) => error.to_string(),
            Ok(index) if index.versions == 0 => "stored".to_owned(),
            Ok(index) => {
                let chosen = index.directory.choose("x", &mut out, "a", "");
                format!("stored, {} chosen", chosen.unwrap().metadata.version)
            }
        };
        let more = resident() - before;
        tracing(&format!("{what}, {size} MiB: {more} MiB more; {told}"));
        assert!(more < 128, "{what}: {more} MiB");
    }
}

#[test]
#[ignore = "speed: some seconds in a release build, a minute without"]
fn a_large_index_of_yaml_stays_small() {
    measure(false);
}

#[test]
#[ignore = "speed: some seconds in a release build, a minute without"]
fn a_large_index_of_json_stays_small() {
    measure(true);
}

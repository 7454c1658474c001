//! Indexes: what is stored of them, byte for byte, and what is refused.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};

use bulkhead_source::helm::index::{Directory, StoredIndex, store};
use bulkhead_source::helm::{HelmError, Limits};

use super::told;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/helm/index")
}

fn stored(text: &[u8], limits: &Limits) -> Result<(StoredIndex, Vec<u8>), HelmError> {
    let mut spool = tempfile::tempfile().unwrap();
    let mut out = Vec::new();
    let index = store(&mut Cursor::new(text), &mut spool, &mut out, limits)?;
    Ok((index, out))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "yaml" || end == "json")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn an_index_is_stored_byte_for_byte_as_flux_stores_it() {
    let mut count = 0;
    for path in files(&folder()) {
        let text = std::fs::read(&path).unwrap();
        let expected = std::fs::read_to_string(format!("{}.stored", path.display())).unwrap();
        let (index, out) = stored(&text, &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {}", path.display(), told(&error)));
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, expected, "{}", path.display());
        assert_eq!(index.digest, bulkhead_api::Digest::of(&out));
        assert_eq!(index.size_bytes, out.len() as u64);
        // What is stored is found again, by its lines, and stays the same when it is read anew.
        let scanned = Directory::scan(&mut BufReader::new(out.as_bytes())).unwrap();
        assert_eq!(scanned, index.directory, "{}", path.display());
        let (again, twice) = stored(out.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(String::from_utf8(twice).unwrap(), out, "{}", path.display());
        assert_eq!(again.versions, index.versions);
        count += 1;
    }
    assert!(count >= 6, "{count}");
}

#[test]
fn what_flux_refuses_is_refused_with_a_place() {
    let mut all = String::new();
    for path in files(&folder().join("wrong")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read(&path).unwrap();
        match stored(&text, &Limits::default()) {
            Ok(_) => all.push_str(&format!("{name}: stored\n")),
            Err(error) => {
                assert_eq!(error.advice().reason, "IndexationFailed", "{name}");
                all.push_str(&format!("{name}: {}\n", told(&error)));
            }
        }
    }
    assert_eq!(all, include_str!("../../data/helm/index/wrong/errors.txt"));
}

#[test]
fn versions_are_found_in_what_is_stored() {
    let text = std::fs::read(folder().join("mixed.yaml")).unwrap();
    let (index, out) = stored(&text, &Limits::default()).unwrap();
    let mut out = Cursor::new(out);
    let mut choose = |name: &str, wanted: &str| {
        index
            .directory
            .choose("repo", &mut out, name, wanted)
            .map(|version| version.metadata.version)
            .map_err(|error| told(&error))
    };
    for (wanted, expected) in [
        ("", "1.10.0"),
        ("*", "1.10.0"),
        ("~1.2", "1.2.0+b"),
        ("1.2.0", "1.2.0"),
        (">=2.0.0-0", "2.0.0-rc.1"),
        ("v1.9", "v1.9"),
    ] {
        assert_eq!(choose("web", wanted).as_deref(), Ok(expected), "{wanted}");
    }
    assert_eq!(
        choose("web", ">4").unwrap_err(),
        "chart `web` of repo has no version that is `>4`: there are 2.0.0-rc.1, 1.10.0, v1.9, 1.2.0, 1.2.0+b"
    );
    assert_eq!(
        choose("wep", "").unwrap_err(),
        "repo has no chart `wep`; there are Web, web, empty, zeros, allbad"
    );
    assert!(choose("empty", "").unwrap_err().contains("there is none"));
    assert!(choose("nothing", "").is_err());
    let mut web = |wanted: &str| {
        let chosen = index.directory.choose("repo", &mut out, "web", wanted);
        chosen.unwrap().metadata
    };
    assert!(!web("v1.9").deprecated || !web("1.2.0").deprecated);
    assert_eq!(web("1.10.0").dependencies[0].alias, "store");
    assert_eq!(index.skipped_count, 5, "{:?}", index.skipped);
    assert!(
        index.skipped[0].contains("`not a version` is not a semantic version"),
        "{:?}",
        index.skipped
    );
}

#[test]
fn an_index_may_be_as_large_as_its_limits_and_no_larger() {
    let text = "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0.0}\n  - {name: a, version: 2.0.0}\n";
    let mut limits = Limits {
        index_versions: 2,
        ..Limits::default()
    };
    assert!(stored(text.as_bytes(), &limits).is_ok());
    limits.index_versions = 1;
    let error = stored(text.as_bytes(), &limits).unwrap_err();
    assert!(
        matches!(
            error,
            HelmError::Limit {
                limit: "index_versions",
                allowed: 1,
                ..
            }
        ),
        "{error}"
    );
    let long = format!(
        "apiVersion: v1\nentries:\n  a:\n  - {{name: a, version: 1.0.0, description: {}}}\n",
        "x".repeat(300_000)
    );
    limits = Limits::default();
    limits.index_entry_bytes = 300_000;
    assert!(stored(long.as_bytes(), &limits).is_ok());
    limits.index_entry_bytes = 1000;
    let error = stored(long.as_bytes(), &limits).unwrap_err();
    assert!(
        matches!(
            error,
            HelmError::Limit {
                limit: "index_entry_bytes",
                ..
            }
        ),
        "{error}"
    );
}

fn refused(text: &str, limits: &Limits) -> &'static str {
    match stored(text.as_bytes(), limits).unwrap_err() {
        HelmError::Limit { limit, .. } => limit,
        other => panic!("{}", told(&other)),
    }
}

#[test]
fn charts_skipped_entries_and_names_count() {
    let limits = Limits {
        index_charts: 3,
        index_versions: 3,
        index_name_bytes: 100,
        ..Limits::default()
    };
    let yaml = |entries: &str| format!("apiVersion: v1\nentries:\n{entries}");
    let json = |entries: &str| format!(r#"{{"apiVersion":"v1","entries":{{{entries}}}}}"#);
    assert!(stored(yaml("  a: []\n  b: []\n  c: null\n").as_bytes(), &limits).is_ok());
    let many = yaml("  a: []\n  b: []\n  c: null\n  d: []\n");
    assert_eq!(refused(&many, &limits), "index_charts");
    // In JSON a name may be there many times.
    let many = json(r#""a":[],"a":[],"a":null,"a":[]"#);
    assert_eq!(refused(&many, &limits), "index_charts");
    assert!(stored(json(r#""a":[null,{},null]"#).as_bytes(), &limits).is_ok());
    let skipped = json(r#""a":[null,{},null,{}]"#);
    assert_eq!(refused(&skipped, &limits), "index_versions");
    // Nothing but empty lists is more than one entry may have.
    let empty: Vec<String> = (0..99_999)
        .map(|at| format!("\"chart-{at:06}\":[]"))
        .collect();
    let all = stored(json(&empty.join(",")).as_bytes(), &Limits::default()).unwrap();
    assert_eq!(all.0.directory.len(), 99_999);
    let name = json(&format!("\"{}\":[]", "a".repeat(101)));
    assert_eq!(refused(&name, &limits), "index_name_bytes");
    let version = format!(
        r#""a":[{{"name":"a","version":"1.0.0-{}"}}]"#,
        "a".repeat(100)
    );
    assert_eq!(refused(&json(&version), &limits), "index_name_bytes");
}

#[test]
fn unknown_fields_of_json_are_read_over_whatever_their_size() {
    let list = format!("[{}0]", "0,".repeat(1_000_000));
    let mut text = String::from("{\"apiVersion\":\"v0\",\"APIversion\":\"v1\"");
    for number in 0..4 {
        text.push_str(&format!(",\"key{number}\":{list}"));
    }
    let chart = r#"{"name":"a","version":"1.0.0"}"#;
    text.push_str(&format!(",\"entries\":{{\"a\":[{chart}]}}}}"));
    let (index, out) = stored(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(index.versions, 1);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("\"apiVersion\": \"v1\""), "{out}");
    assert!(!out.contains("key0"));
    let known = format!("{{\"apiVersion\":\"v1\",\"annotations\":{{\"a\":{list}}}}}");
    assert_eq!(refused(&known, &Limits::default()), "index_entry_bytes");
}

#[test]
fn bombs_of_yaml_stay_small() {
    let mut text =
        String::from("apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: 1.0.0\n");
    text.push_str("    annotations:\n      a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(",");
        text.push_str(&format!("      a{level}: &a{level} [{below}]\n"));
    }
    assert!(told(&stored(text.as_bytes(), &Limits::default()).unwrap_err()).contains("nodes"));
    let deep = format!("apiVersion: v1\nentries:\n  a: {}", "[".repeat(100_000));
    assert!(stored(deep.as_bytes(), &Limits::default()).is_err());
    let deep = format!(
        "{{\"apiVersion\":\"v1\",\"entries\":{{\"a\":{}",
        "[".repeat(100_000)
    );
    assert!(stored(deep.as_bytes(), &Limits::default()).is_err());
}

/// The revision is the digest of the bytes as they came.
#[test]
fn the_artifact_is_another_file_than_what_came() {
    let path = folder().join("museum.json");
    let mut raw = File::open(&path).unwrap();
    let mut spool = tempfile::tempfile().unwrap();
    let mut out = Vec::new();
    let index = store(&mut raw, &mut spool, &mut out, &Limits::default()).unwrap();
    let revision = bulkhead_api::Digest::of(std::fs::read(&path).unwrap());
    assert_ne!(index.digest, revision);
}

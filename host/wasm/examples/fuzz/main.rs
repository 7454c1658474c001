//! Fuzzes everything that reads a component, a manifest, a configuration, or a transcript:
//! `fuzz SECONDS [TARGET...]` runs each target for so long. The first inputs are components of
//! `plugins/target/components` and the manifests of `plugins`.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program of its own, which reads files and prints"
)]

mod mutate;

use std::path::Path;
use std::time::Duration;

use bulkhead_wasm::inspect::wit;
use bulkhead_wasm::{Manifest, Transcript, inspect};

const COMPONENT: &str = r#"(component
  (import "bulkhead:base/log@0.1.0" (instance (export "log" (func (param "a" string)))))
  (import "wasi:http/types@0.2.3" (instance))
  (core module (memory 1) (func (export "f") (result i32) i32.const 0))
  (instance $i) (export "bulkhead:renderer/render@0.1.0" (instance $i))
  (component (import "a" (func)) ))"#;

const CONFIGS: [&str; 3] = [
    r##"{"kind":"renderer","name":"a","version":"1.0.0","world":"bulkhead:renderer/renderer@0.1.0","configSchema":{"$defs":{"a":{"anyOf":[{"$ref":"#"},{"type":"string","pattern":"^a+$"}]}},"properties":{"a":{"$ref":"#/$defs/a"},"b":{"items":{"oneOf":[{"minimum":1},{"const":{"x":1}}]},"uniqueItems":true}},"patternProperties":{"^x":{"not":false}},"additionalProperties":{"if":{"type":"object"},"then":{"minProperties":1}}}}"##,
    r#"{"a":{"a":"aa","xy":1},"b":[1,2,{"x":1}],"c":{"d":1}}"#,
    "kind: notifier\nname: n\nversion: 1.0.0\nworld: bulkhead:notifier/notifier@0.1.0\nrequests: {http: [a.b], secrets: [token], memory: 64Mi, deadline: 5s}\n",
];

const TRANSCRIPT: &str = r#"{"format":1,"hostVersion":"0.1.0","hostAbi":1,"plugin":{"name":"a","version":"1"},"digest":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","request":{"path":"","config":{"text":"{}"},"inputs":[["v",{"base64":"AA=="}]],"target":{"name":"","namespace":"","kube_version":"","api_versions":[]},"attributes":[],"limits":{},"files":[["**"]],"lookup":false,"wallClock":0,"key":"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},"tree":{"stat":{"a":{"found":{"path":"a"}}},"readDir":{"":{"found":[]}},"read":{"a":"not-found"}},"lookups":[],"readSet":[],"log":[],"outcome":{"failed":{"reason":"PluginTrapped","digest":null,"message":""}}}"#;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.expect("usage: fuzz SECONDS [TARGET...]"));
    let chosen: Vec<String> = arguments.collect();
    type Seeds = fn() -> Vec<Vec<u8>>;
    type Target = fn(&[u8]) -> String;
    let targets: [(&str, Seeds, Target); 5] = [
        ("inspect", components, inspected),
        ("wit", components, printed),
        ("manifest", manifests, parsed),
        ("config", manifests, checked),
        ("transcript", transcripts, read),
    ];
    for (name, seeds, target) in targets {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            let (runs, words) = mutate::fuzz(name, seeds(), time, target);
            println!("{name}: {runs} runs, {words} different ends, nothing failed");
        }
    }
}

fn components() -> Vec<Vec<u8>> {
    let manifest = Manifest::parse(CONFIGS[0]).expect("a manifest");
    let small = wat::parse_str(COMPONENT).expect("a component");
    let mut seeds = vec![manifest.embed(&small), small];
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/target/components");
    for name in ["discord", "slack"] {
        let file = built.join(format!("notify-{name}.wasm"));
        seeds.extend(
            std::fs::read(file)
                .ok()
                .filter(|bytes| bytes.len() < 200_000),
        );
    }
    seeds
}

fn manifests() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = CONFIGS.map(|text| text.as_bytes().to_vec()).into();
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    for name in ["kustomize", "helm", "notify-slack"] {
        seeds.extend(std::fs::read(plugins.join(name).join("bulkhead-plugin.json")).ok());
    }
    seeds
}

fn transcripts() -> Vec<Vec<u8>> {
    Transcript::read(TRANSCRIPT.as_bytes()).expect("a transcript");
    vec![TRANSCRIPT.as_bytes().to_vec()]
}

/// The first words of a message: what tells two ends apart.
fn word(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_ascii_digit())
        .take(60)
        .collect()
}

fn inspected(bytes: &[u8]) -> String {
    match inspect(bytes) {
        Ok(inspection) => {
            let embedded = inspection
                .manifest
                .as_ref()
                .map(|manifest| manifest.embed(bytes));
            if let (Some(embedded), Some(manifest)) = (embedded, &inspection.manifest) {
                assert_eq!(
                    Manifest::read(&embedded).as_ref(),
                    Ok(&Some(manifest.clone()))
                );
            }
            let codes: Vec<_> = inspection.problems.iter().map(|p| p.code).collect();
            format!("{codes:?} {}", inspection.tools.len())
        }
        Err(error) => word(&error.to_string()),
    }
}

fn printed(bytes: &[u8]) -> String {
    match wit(bytes) {
        Ok(text) => format!("{}", text.len() / 64),
        Err(error) => word(&error.to_string()),
    }
}

fn parsed(bytes: &[u8]) -> String {
    match Manifest::parse(&String::from_utf8_lossy(bytes)) {
        Ok(manifest) => {
            let mut again =
                Manifest::parse(&manifest.to_json().to_string()).expect("it reads back");
            again.max_bytes = manifest.max_bytes;
            assert_eq!(again, manifest);
            format!("{:?}", manifest.kind)
        }
        Err(error) => word(&error.to_string()),
    }
}

/// The first half is a manifest, the second a configuration; each is also tried with a known other.
fn checked(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let known = Manifest::parse(CONFIGS[0]).expect("a manifest");
    let manifest = Manifest::parse(&text).unwrap_or(known);
    let told = |config: &str| match manifest.check_config(config) {
        Ok(()) => "fits".to_owned(),
        Err(error) => word(&error.to_string()),
    };
    told(CONFIGS[1]) + &told(&text)
}

fn read(bytes: &[u8]) -> String {
    match Transcript::read(bytes) {
        Ok(transcript) => {
            assert_eq!(
                Transcript::read(&transcript.write()),
                Ok(transcript.clone())
            );
            format!("{}", transcript.left_out().len())
        }
        Err(error) => word(&error.to_string()),
    }
}

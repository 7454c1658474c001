#![allow(clippy::unwrap_used, reason = "a test may")]

use super::*;
use crate::limits::Limits;
use crate::sections::COMPONENT;
use bulkhead_api::TreePath;

const YAML: &str = "
kind: renderer
name: jsonnet
version: 1.2.3
world: bulkhead:renderer/renderer@0.1.0
minHost: 0.1.0
configSchema:
  type: object
  required: [entry]
  additionalProperties: false
  properties:
    entry: {type: string, pattern: '[.]jsonnet$'}
    depth: {type: integer, minimum: 1, maximum: 9}
    images:
      type: array
      items: {type: object, properties: {newTag: {type: string}}}
detect: {files: [main.jsonnet]}
requests:
  files: ['**/*.jsonnet', 'lib/**']
  lookup: true
  memory: 512Mi
  deadline: 1m0s
";

fn manifest() -> Manifest {
    Manifest::parse(YAML).unwrap()
}

fn notifier() -> Manifest {
    Manifest::parse(
        r#"{"kind": "notifier", "name": "n", "version": "1.0.0", "world": "bulkhead:notifier/notifier@0.1.0",
            "requests": {"http": ["api.example.com", "b.example.com:8443"], "secrets": ["token"]}}"#,
    )
    .unwrap()
}

fn told(text: &str) -> String {
    match Manifest::parse(text) {
        Ok(_) => "valid".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn yaml_and_json_are_one_format() {
    let manifest = manifest();
    assert_eq!(manifest.kind, PluginKind::Renderer);
    assert_eq!(manifest.requests.memory, Some(512 << 20));
    assert_eq!(manifest.requests.deadline, Some(Duration::from_secs(60)));
    let json = manifest.to_json().to_string();
    assert!(
        json.contains(r#""memory":"512Mi","deadline":"1m0s""#),
        "{json}"
    );
    assert_eq!(Manifest::parse(&json).unwrap(), manifest);
}

#[test]
fn what_is_wrong_is_named_by_its_field() {
    let changed = |from: &str, to: &str| told(&YAML.replace(from, to));
    for (from, to, expected) in [
        (
            "kind: renderer",
            "kind: sender",
            "the field `kind` of the plugin's manifest is `sender`, not `renderer`, `transformer` or `notifier`",
        ),
        (
            "name: jsonnet",
            "name: Jsonnet",
            "the field `name` of the plugin's manifest is `Jsonnet`: at most 63 lower-case letters, digits and `-` inside",
        ),
        (
            "name: jsonnet",
            "title: jsonnet",
            "the plugin's manifest has the field `title`, which does not exist; there are kind, name, description, version, license, source, world, minHost, configSchema, detect, requests, maxBytes",
        ),
        (
            "version: 1.2.3",
            "version: 1.2",
            "the field `version` of the plugin's manifest is a number, not a text: quote it, as \"1.2\"",
        ),
        (
            "version: 1.2.3",
            "version: ''",
            "the plugin's manifest lacks the field `version`: a version as `0.1.0`",
        ),
        (
            "renderer/renderer@",
            "renderer/transformer@",
            "the field `world` of the plugin's manifest is `bulkhead:renderer/transformer@0.1.0`, and that of a renderer is `bulkhead:renderer/renderer@<version>`",
        ),
        (
            "files: [main",
            "files: [a/main",
            "the field `detect.files[0]` of the plugin's manifest has several parts: it is the name of a file, without a folder",
        ),
        (
            "'lib/**'",
            "'../**'",
            "the field `requests.files[1]` of the plugin's manifest is no pattern of paths: pattern `../**` is absolute, leaves the tree, or has a character that no path has",
        ),
        (
            "lookup: true",
            "lookup: 'yes'",
            "the field `requests.lookup` of the plugin's manifest is neither `true` nor `false`",
        ),
        (
            "512Mi",
            "lots",
            "the field `requests.memory` of the plugin's manifest is not a size, as `256Mi` is",
        ),
        (
            "1m0s",
            "soon",
            "the field `requests.deadline` of the plugin's manifest is not a duration, as `30s` is",
        ),
        (
            "lookup: true",
            "http: [a.example.com]",
            "the field `requests.http` of the plugin's manifest is not for renderers: only notifiers may send",
        ),
        (
            "lookup: true",
            "network: all",
            "the plugin's manifest has the field `requests.network`, which does not exist; there are files, inputs, http, secrets, lookup, memory, deadline",
        ),
        (
            "minimum: 1",
            "minimum: one",
            "the field `configSchema.properties.depth.minimum` of the plugin's manifest is not a number",
        ),
        (
            "'[.]jsonnet$'",
            "'(?=x)'",
            "the field `configSchema.properties.entry.pattern` of the plugin's manifest has the pattern `(?=x)`, which is not one (looking around and back is not possible)",
        ),
        (
            "required: [entry]",
            "$ref: 'https://example.com/s.json'",
            "the field `configSchema.$ref` of the plugin's manifest leads out of the schema, and nothing is fetched: copy what it names",
        ),
        (
            "required: [entry]",
            "unevaluatedProperties: false",
            "the field `configSchema.unevaluatedProperties` of the plugin's manifest is a keyword that is not checked here: leave it out",
        ),
    ] {
        assert_eq!(changed(from, to), expected);
    }
    assert!(told("[1").starts_with("the plugin's manifest is not valid YAML or JSON: "));
    assert_eq!(
        told("- a"),
        "the plugin's manifest is not valid YAML or JSON: it is a list, not an object with fields"
    );
}

#[test]
fn a_manifest_ends_at_its_limit() {
    let long = |length: usize| {
        let mut text = YAML.to_owned();
        text.push('#');
        text.push_str(&"x".repeat(length - text.len()));
        told(&text)
    };
    assert_eq!(long(MANIFEST_BYTES), "valid");
    assert_eq!(
        long(MANIFEST_BYTES + 1),
        "the plugin's manifest has 262145 bytes, at most 262144 are allowed"
    );
}

#[test]
fn bombs_of_yaml_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        laughs += &format!(
            "a{level}: &a{level} [{}]\n",
            [before.as_str(); 10].join(", ")
        );
    }
    assert!(
        told(&laughs).starts_with("the plugin's manifest is not valid"),
        "{}",
        told(&laughs)
    );
    assert!(told(&"[".repeat(10_000)).starts_with("the plugin's manifest is not valid"));
    assert!(told(&format!("{}1", "{\"a\":".repeat(10_000))).contains("not valid"));
}

#[test]
fn a_manifest_travels_in_the_component() {
    let component = [&COMPONENT[..], &custom("other", b"kept")].concat();
    assert_eq!(Manifest::read(&component).unwrap(), None);
    let embedded = manifest().embed(&component);
    assert_eq!(Manifest::read(&embedded).unwrap().unwrap(), manifest());
    let again = notifier().embed(&embedded);
    assert_eq!(Manifest::read(&again).unwrap().unwrap(), notifier());
    assert_eq!(notifier().embed(&component), again);
    let twice = [again.as_slice(), &custom(SECTION, b"{}")].concat();
    assert_eq!(
        Manifest::read(&twice).unwrap_err(),
        ManifestError::Several(2)
    );
    let cut = &again[..again.len() - 1];
    assert!(matches!(
        Manifest::read(cut),
        Err(ManifestError::Broken { .. })
    ));
}

#[test]
fn annotations_are_the_standard_ones_and_ours() {
    let annotations = manifest().annotations();
    let of = |name: &str| annotations.get(name).map(String::as_str);
    assert_eq!(of("org.opencontainers.image.version"), Some("1.2.3"));
    assert_eq!(of("dev.bulkhead.plugin.kind"), Some("renderer"));
    assert_eq!(of("org.opencontainers.image.licenses"), None);
    let requests = of("dev.bulkhead.plugin.requests").unwrap();
    assert!(requests.contains(r#""lookup":true"#), "{requests}");
}

#[test]
fn a_configuration_that_does_not_fit_names_each_field() {
    let manifest = manifest();
    assert_eq!(
        manifest.check_config(r#"{"entry": "a.jsonnet", "depth": 9}"#),
        Ok(())
    );
    let config = r#"{"entry": 1, "depth": 10, "images": [{"newTag": 2}], "extra": true}"#;
    let error = manifest.check_config(config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin's configuration is not valid: `entry` must be a text, and is a number; \
         `depth` is 10, and must be at most 9; \
         `images[0].newTag` must be a text, and is a number; \
         `extra` is no field here; there are entry, depth, images"
    );
    assert_eq!(error.advice().reason, "InvalidConfig");
    let error = manifest.check_config("{}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin's configuration is not valid: `entry` is missing"
    );
    let error = manifest.check_config("[]").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin's configuration is not valid: it must be an object, and is a list"
    );
}

#[test]
fn the_lesser_of_request_and_grant_is_given() {
    let grants = Grants {
        http: vec!["API.example.com".into(), "c.example.com".into()],
        secrets: vec!["other".into()],
        ..Grants::default()
    };
    let effective = notifier().within(&grants);
    assert_eq!(effective.http, ["api.example.com"]);
    assert!(effective.secrets.is_empty());
    assert_eq!(
        effective.withheld(PluginKind::Notifier),
        ["host `b.example.com:8443`", "secret `token`"]
    );
    assert!(!manifest().within(&Grants::default()).lookup);
    let granted = Grants {
        lookup: true,
        ..Grants::default()
    };
    assert!(manifest().within(&granted).lookup);
    assert!(!notifier().within(&granted).lookup);
}

#[test]
fn memory_and_time_are_the_user_s_to_say() {
    let limits = |grants: &Grants| manifest().within(grants).limits(PluginKind::Renderer);
    assert_eq!(limits(&Grants::default()), Limits::renderer());
    let withheld = manifest()
        .within(&Grants::default())
        .withheld(PluginKind::Renderer);
    assert_eq!(
        withheld,
        [
            "questions to the cluster (`lookup`)",
            "memory 512Mi (it gets 256Mi)",
            "deadline 1m0s (it gets 30s)",
        ]
    );
    let grants = Grants {
        memory: Some(1 << 30),
        deadline: Some(Duration::from_secs(5)),
        output: Some(100),
        fuel: Some(7),
        ..Grants::default()
    };
    let given = limits(&grants);
    assert_eq!((given.memory_bytes, given.output_bytes), (1 << 30, 100));
    assert_eq!(
        (given.deadline, given.fuel),
        (Duration::from_secs(5), Some(7))
    );
}

#[test]
fn files_are_those_of_both_lists() {
    let path = |text| TreePath::parse(text).unwrap();
    let all = Requests::default().within(&Grants::default()).files;
    assert!(all.allows(&path("secret/key")));
    let asked = manifest().within(&Grants::default()).files;
    for (file, allowed) in [
        ("main.jsonnet", true),
        ("a/b.jsonnet", true),
        ("lib/x/y.txt", true),
        ("lib", false),
        ("secret/key", false),
    ] {
        assert_eq!(asked.allows(&path(file)), allowed, "{file}");
    }
    let grants = Grants {
        files: vec!["lib/*".into()],
        ..Grants::default()
    };
    let both = manifest().within(&grants).files;
    assert!(both.allows(&path("lib/a")));
    assert!(!both.allows(&path("lib/x/y")) && !both.allows(&path("main.jsonnet")));
}

#[test]
fn a_new_version_that_asks_for_more_says_what() {
    let old = notifier().requests;
    assert!(old.exceeds(&old).is_empty());
    let new = Requests {
        http: vec!["api.example.com".into(), "evil.example.com".into()],
        secrets: vec!["token".into(), "admin".into()],
        memory: Some(1 << 30),
        deadline: Some(Duration::from_secs(9)),
        ..old.clone()
    };
    assert_eq!(
        new.exceeds(&old),
        [
            "host `evil.example.com`",
            "secret `admin`",
            "memory 1Gi",
            "deadline 9s"
        ]
    );
    let renderer = manifest().requests;
    let all_files = Requests {
        files: Vec::new(),
        ..renderer.clone()
    };
    assert_eq!(all_files.exceeds(&renderer), ["all files of the source"]);
    assert!(renderer.exceeds(&all_files).is_empty());
}

#[test]
fn grants_that_cannot_be_meant_are_named() {
    let told = |grants: Grants| grants.check().unwrap_err().to_string();
    assert_eq!(Grants::default().check(), Ok(()));
    assert_eq!(
        told(Grants {
            http: vec!["https://a.example".into()],
            ..Grants::default()
        }),
        "the grant `http[0]` is `https://a.example`, not a host as `api.example.com` or `api.example.com:8443`"
    );
    assert!(
        told(Grants {
            files: vec!["/etc".into()],
            ..Grants::default()
        })
        .starts_with("the grant `files[0]`")
    );
    assert!(
        told(Grants {
            memory: Some(0),
            ..Grants::default()
        })
        .starts_with("the grant `memory` is 0")
    );
}

#[test]
fn sizes_are_read_as_kubernetes_writes_them() {
    for (text, bytes) in [("1Ki", 1024), ("2M", 2_000_000), ("7", 7)] {
        assert_eq!(quantity(text), Some(bytes));
    }
    for text in ["", "Mi", "1.5Gi", "-1", "99999999999Ti", "1 Mi"] {
        assert_eq!(quantity(text), None, "{text}");
    }
}

/// The manifests in the repository, with the version that their build adds.
#[test]
fn the_manifests_of_our_own_plugins_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let mut seen = 0;
    for entry in folder.read_dir().unwrap() {
        let file = entry.unwrap().path().join("bulkhead-plugin.json");
        #[allow(
            clippy::disallowed_methods,
            reason = "a test reads the repository's files"
        )]
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let text = text.replacen('{', r#"{"version": "0.1.0","#, 1);
        assert_eq!(told(&text), "valid", "{}", file.display());
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

//! P4, P5, P6: the tree is all there is, and everything read from it is recorded.

use std::sync::Arc;

use bulkhead_api::{Entry, EntryKind, SourceTree, TreeError, TreePath};
use bulkhead_wasm::{
    Limit, Limits, MemoryTree, Operation, Plugin, RenderError, RenderRequest, Rendered, RunError,
};

use crate::fake::{PROBE, failure, load, renderer, text};

const NOT_FOUND: &str = "error:0";
const NOT_A_FILE: &str = "error:1";
const NOT_A_DIRECTORY: &str = "error:2";
const TOO_LARGE: &str = "error:3";
const INVALID_PATH: &str = "error:4";
const OTHER: &str = "error:6";

fn files() -> MemoryTree {
    MemoryTree::from_files([
        ("a.yaml", "top"),
        ("sub/b.yaml", "below"),
        ("sub/c.yaml", "12345"),
    ])
    .unwrap()
}

async fn probe() -> Plugin {
    load(&renderer(PROBE)).await.unwrap()
}

fn ask(tree: Arc<dyn SourceTree>, operation: &str, path: &str) -> RenderRequest {
    RenderRequest {
        config: path.to_owned(),
        ..RenderRequest::new(tree, operation)
    }
}

async fn asked(operation: &str, path: &str) -> Rendered {
    probe()
        .await
        .render(ask(Arc::new(files()), operation, path))
        .await
        .unwrap()
}

#[tokio::test]
async fn files_and_directories_are_read() {
    for (operation, path, answer) in [
        ("r", "a.yaml", "top"),
        ("r", "./sub/../a.yaml", "top"),
        ("s", "sub", "ok"),
        ("s", "", "ok"),
        ("d", "", "2"),
        ("d", "sub/", "2"),
        ("g", "**/*.yaml", "3"),
        ("t", "b.yaml", "below"),
        ("r", "sub", NOT_A_FILE),
        ("d", "a.yaml", NOT_A_DIRECTORY),
        ("r", "none", NOT_FOUND),
        ("r", "a.yaml/x", NOT_FOUND),
        ("g", "[a", OTHER),
    ] {
        assert_eq!(
            text(&asked(operation, path).await),
            answer,
            "{operation} {path}"
        );
    }
}

#[tokio::test]
async fn no_path_leads_out() {
    let paths = [
        "../a.yaml",
        "/etc/passwd",
        "//etc/passwd",
        "sub/../../a.yaml",
        "a\\..\\b",
        "\0",
        "/proc/self/environ",
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        &"a/".repeat(3000),
    ];
    for path in paths {
        for operation in ["r", "s", "d", "g"] {
            assert_eq!(
                text(&asked(operation, path).await),
                INVALID_PATH,
                "{operation} {path}"
            );
        }
    }
    for path in ["proc/self/environ", "%2e%2e/a.yaml", "sub/b.yaml/", "..."] {
        let found = asked("r", path).await;
        let answer = if path == "sub/b.yaml/" {
            "below"
        } else {
            NOT_FOUND
        };
        assert_eq!(text(&found), answer, "{path}");
    }
}

#[tokio::test]
async fn a_subtree_is_the_root_of_its_paths() {
    for (path, answer) in [
        ("../a.yaml", INVALID_PATH),
        ("../sub/b.yaml", INVALID_PATH),
        ("a.yaml", NOT_FOUND),
        ("x/../c.yaml", "12345"),
    ] {
        assert_eq!(text(&asked("t", path).await), answer, "{path}");
    }
}

/// A tree in which everything is a symbolic link that leads out, or fails.
struct Broken(fn(&TreePath) -> TreeError);

impl SourceTree for Broken {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        Err(self.0(path))
    }
    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        Err(self.0(dir))
    }
    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        Err(self.0(path))
    }
}

#[tokio::test]
async fn links_that_lead_out_are_an_error() {
    let tree = Arc::new(Broken(|path| TreeError::Link(path.clone())));
    let request = ask(tree, "r", "link/");
    assert_eq!(text(&probe().await.render(request).await.unwrap()), OTHER);
}

#[tokio::test]
async fn a_store_that_fails_is_never_an_answer() {
    let tree = Arc::new(Broken(|path| TreeError::Store {
        path: path.clone(),
        source: "disk".into(),
    }));
    for operation in ["r", "s", "d", "g"] {
        let error = probe()
            .await
            .render(ask(tree.clone(), operation, "*"))
            .await
            .unwrap_err();
        assert!(!error.is_cacheable());
        assert_eq!(error.advice().retry, bulkhead_api::Retry::Backoff);
        assert!(
            matches!(failure(Err(error)), RunError::Source(_)),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn every_access_is_recorded() {
    for (operation, path, recorded) in [
        ("r", "./a.yaml", (Operation::Read, "a.yaml")),
        ("r", "none", (Operation::Read, "none")),
        ("s", "sub", (Operation::Stat, "sub")),
        ("d", "sub", (Operation::ReadDir, "sub")),
        ("g", "sub/*", (Operation::Glob, "sub/*")),
    ] {
        let read_set = asked(operation, path).await.read_set;
        let [access] = read_set.accesses() else {
            unreachable!("{read_set:?}")
        };
        assert_eq!((access.operation, access.path.as_str()), recorded);
    }
    let read_set = asked("t", "b.yaml").await.read_set;
    assert_eq!(read_set.paths(), ["sub", "sub/b.yaml"]);
    assert!(asked("r", "../x").await.read_set.accesses().is_empty());
}

#[tokio::test]
async fn a_read_set_holds_until_an_answer_changes() {
    let change = |path: &str, content: Option<&str>| {
        let mut tree = files();
        match content {
            Some(content) => {
                tree.insert(path, content).unwrap();
            }
            None => assert!(tree.remove(&TreePath::parse(path).unwrap())),
        }
        tree
    };
    let same = files();
    let other_file = change("sub/c.yaml", Some("54321"));
    let new_file = change("sub/d.yaml", Some("new"));
    let no_file = change("a.yaml", None);
    let longer = change("a.yaml", Some("longer"));
    for (operation, path, holds) in [
        ("r", "a.yaml", [true, true, true, false, false]),
        ("r", "sub/c.yaml", [true, false, true, true, true]),
        ("r", "sub/d.yaml", [true, true, false, true, true]),
        ("s", "a.yaml", [true, true, true, false, false]),
        ("s", "sub/c.yaml", [true, true, true, true, true]),
        ("d", "sub", [true, true, false, true, true]),
        ("g", "*.yaml", [true, true, true, false, false]),
        ("g", "**/*.yaml", [true, true, false, false, false]),
    ] {
        let read_set = asked(operation, path).await.read_set;
        let trees = [&same, &other_file, &new_file, &no_file, &longer];
        let found = trees.map(|tree| read_set.still_holds(tree));
        assert_eq!(found, holds, "{operation} {path}");
        let text = serde_json::to_string(&read_set).unwrap();
        assert_eq!(
            serde_json::from_str::<bulkhead_wasm::ReadSet>(&text).unwrap(),
            read_set
        );
    }
}

/// A tree that cannot tell contents apart without reading.
struct Undigested(MemoryTree);

impl SourceTree for Undigested {
    fn stat(&self, path: &TreePath) -> Result<Entry, TreeError> {
        self.0.stat(path).map(|entry| Entry {
            content: None,
            ..entry
        })
    }
    fn read_dir(&self, dir: &TreePath) -> Result<Vec<Entry>, TreeError> {
        self.0.read_dir(dir)
    }
    fn read(&self, path: &TreePath) -> Result<Vec<u8>, TreeError> {
        self.0.read(path)
    }
}

#[tokio::test]
async fn trees_without_digests_are_read_to_compare() {
    let request = ask(Arc::new(Undigested(files())), "r", "a.yaml");
    let read_set = probe().await.render(request).await.unwrap().read_set;
    assert!(read_set.still_holds(&Undigested(files())));
    let mut changed = files();
    changed.insert("a.yaml", "pot").unwrap();
    assert!(!read_set.still_holds(&Undigested(changed)));
}

#[tokio::test]
async fn files_end_at_their_limits() {
    let plugin = probe().await;
    let limited = |limits| RenderRequest {
        limits,
        ..ask(Arc::new(files()), "r", "sub/b.yaml")
    };
    for (file_bytes, read_bytes, limit) in [
        (5, 5, None),
        (4, 5, Some(Limit::FileBytes)),
        (5, 4, Some(Limit::ReadBytes)),
    ] {
        let limits = Limits {
            file_bytes,
            read_bytes,
            ..Limits::renderer()
        };
        let rendered = plugin.render(limited(limits)).await.unwrap();
        match limit {
            None => assert_eq!(text(&rendered), "below"),
            Some(_) => {
                assert_eq!(text(&rendered), TOO_LARGE);
                // Known by its size: a file that shrinks is another answer.
                let [access] = rendered.read_set.accesses() else {
                    unreachable!()
                };
                assert_eq!(access.operation, Operation::Stat);
            }
        }
    }
}

#[tokio::test]
async fn a_limit_behind_a_refusal_is_the_hint() {
    let guest = renderer(
        r#"(data (i32.const 64) "a.yaml")
        (func $render (param $args i32) (result i32)
          (call $read (i32.load (local.get $args)) (i32.const 64) (i32.const 6) (i32.const 128))
          (call $failed (i32.const 64) (i32.const 6)))"#,
    );
    let limits = Limits {
        file_bytes: 2,
        ..Limits::renderer()
    };
    let request = RenderRequest {
        limits,
        ..RenderRequest::new(Arc::new(files()), "")
    };
    let error = load(&guest)
        .await
        .unwrap()
        .render(request)
        .await
        .unwrap_err();
    assert_eq!(
        error.advice().hint.unwrap(),
        "raise the plugin limit `fileBytes` (now 2)"
    );
    assert!(!error.is_cacheable());
    assert!(matches!(error, RenderError::Refused(_)));
}

#[tokio::test]
async fn accesses_entries_and_trees_are_counted() {
    let loops = |body: &str| {
        renderer(&format!(
            "(func $render (param $args i32) (result i32) (local $n i32) (local $tree i32)
              (local.set $tree (i32.load (local.get $args)))
              (i32.store8 (i32.const 64) (i32.const 97))
              (loop $next
                (i32.store (i32.const 65) (i32.add (local.get $n) (i32.const 0x20202020)))
                {body}
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $next (i32.lt_u (local.get $n) (i32.const 10))))
              (call $ok (i32.const 0) (i32.const 0)))"
        ))
    };
    let stat = "(call $stat (local.get $tree) (i32.const 64) (i32.const 5) (i32.const 128))";
    let list = "(call $read_dir (local.get $tree) (i32.const 0) (i32.const 0) (i32.const 128))";
    let glob = "(i32.store8 (i32.const 64) (i32.const 42))
      (call $glob (local.get $tree) (i32.const 64) (i32.const 1) (i32.const 128))";
    let open = "(call $subtree (local.get $tree) (i32.const 0) (i32.const 0) (i32.const 128))";
    let all = Limits::renderer;
    for (limit, body, at, past) in [
        (
            Limit::Accesses,
            stat,
            Limits {
                accesses: 10,
                ..all()
            },
            Limits {
                accesses: 9,
                ..all()
            },
        ),
        (
            Limit::Entries,
            list,
            Limits {
                entries: 20,
                ..all()
            },
            Limits {
                entries: 19,
                ..all()
            },
        ),
        (
            Limit::Entries,
            glob,
            Limits {
                entries: 20,
                ..all()
            },
            Limits {
                entries: 19,
                ..all()
            },
        ),
        (
            Limit::TreeHandles,
            open,
            Limits {
                tree_handles: 10,
                ..all()
            },
            Limits {
                tree_handles: 9,
                ..all()
            },
        ),
    ] {
        let plugin = load(&loops(body)).await.unwrap();
        let ask = |limits| RenderRequest {
            limits,
            ..RenderRequest::new(Arc::new(files()), "")
        };
        assert!(plugin.render(ask(at)).await.is_ok(), "{limit:?}");
        match failure(plugin.render(ask(past)).await) {
            RunError::TooMuch(hit) => assert_eq!(hit.limit, limit),
            other => unreachable!("{limit:?}: {other}"),
        }
    }
}

#[tokio::test]
async fn an_entry_is_a_file_or_a_directory() {
    let tree = files();
    let kind = |path| tree.stat(&TreePath::parse(path).unwrap()).unwrap().kind;
    assert_eq!(
        (kind("a.yaml"), kind("sub")),
        (EntryKind::File, EntryKind::Directory)
    );
}

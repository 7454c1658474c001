//! The compiled cache and the compile worker (P29, P31).

use std::time::{Duration, Instant};

use bulkhead_api::Digest;
use bulkhead_wasm::{
    CompileLimits, Compiler, Embedded, Host, HostConfig, LoadError, PluginId, compile_worker,
};
use cap_std::fs::Dir;

use crate::fake::{HELLO, PROBE, id, large, renderer, request, text};

fn open(folder: &tempfile::TempDir) -> Dir {
    Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap()
}

/// A host whose compiler would fail: what it loads is from the cache.
fn without_compiler(folder: &tempfile::TempDir) -> Host {
    let compiler = Compiler::Child {
        program: "/bin/false".into(),
        args: Vec::new(),
    };
    Host::new(HostConfig {
        cache: Some(open(folder)),
        compiler,
        ..HostConfig::default()
    })
    .unwrap()
}

/// A host that compiles in a child: only such hosts share what they compiled.
fn with_cache(folder: &tempfile::TempDir) -> Host {
    Host::new(HostConfig {
        cache: Some(open(folder)),
        compiler: worker(),
        ..HostConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn a_second_start_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = renderer(HELLO);
    with_cache(&folder).load(id(), &bytes).await.unwrap();
    let plugin = without_compiler(&folder).load(id(), &bytes).await.unwrap();
    drop(plugin);
    let host = without_compiler(&folder);
    let plugin = host.load(id(), &bytes).await.unwrap();
    assert_eq!(text(&plugin.render(request()).await.unwrap()), "kind: A");
}

#[tokio::test]
async fn a_changed_entry_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = renderer(HELLO);
    with_cache(&folder).load(id(), &bytes).await.unwrap();
    let dir = open(&folder);
    let entries = || {
        dir.entries()
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
    };
    let is_code = |name: &std::ffi::OsString| name.to_string_lossy().ends_with(".cwasm");
    let name = entries().find(is_code).unwrap();
    let mut code = dir.read(&name).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    dir.write(&name, code).unwrap();
    let error = without_compiler(&folder)
        .load(id(), &bytes)
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoadError::CompilerStopped { .. }),
        "{error}"
    );
    with_cache(&folder).load(id(), &bytes).await.unwrap();
    without_compiler(&folder).load(id(), &bytes).await.unwrap();
}

#[tokio::test]
async fn embedded_code_is_used_where_it_fits() {
    let host = Host::new(HostConfig::default()).unwrap();
    let bytes: &'static [u8] = Box::leak(renderer(HELLO).into_boxed_slice());
    let code: &'static [u8] = Box::leak(host.precompile(&id(), bytes).unwrap().into_boxed_slice());
    let embedded = Embedded {
        wasm: bytes,
        digest: Digest::of(bytes),
        compiled: code,
    };
    let folder = tempfile::tempdir().unwrap();
    let other = without_compiler(&folder);
    let plugin = other.load_embedded(id(), embedded).await.unwrap();
    assert_eq!(text(&plugin.render(request()).await.unwrap()), "kind: A");
    // Code of an engine that meters does not fit one that does not: compiled here instead.
    let metered = Host::new(HostConfig {
        meter: true,
        ..HostConfig::default()
    })
    .unwrap();
    assert!(metered.load_embedded(id(), embedded).await.is_ok());
}

#[tokio::test]
async fn the_same_bytes_are_one_plugin_of_several_names() {
    let host = Host::new(HostConfig::default()).unwrap();
    let bytes = renderer(HELLO);
    let one = host.load(id(), &bytes).await.unwrap();
    let other = host
        .load(PluginId::new("other", "2.0.0"), &bytes)
        .await
        .unwrap();
    assert_eq!(one.digest(), other.digest());
    assert_eq!((one.name(), other.name()), ("fake", "other"));
}

/// This test binary as the compile worker: `acts_as_the_worker` below, which answers on 3, since
/// the test harness writes to standard output.
pub(crate) fn worker() -> Compiler {
    let script =
        "exec \"$0\" --exact compiling::acts_as_the_worker --ignored --nocapture 3>&1 1>/dev/null";
    let binary = std::env::current_exe()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    Compiler::Child {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into(), binary],
    }
}

#[test]
#[ignore = "run by the tests that compile in a child"]
fn acts_as_the_worker() {
    use std::os::fd::FromRawFd as _;
    #[allow(unsafe_code, reason = "3 is the pipe that the parent reads")]
    // SAFETY: the shell above opened it for this process, and nothing else uses it.
    let output = unsafe { std::fs::File::from_raw_fd(3) };
    compile_worker(std::io::stdin().lock(), output).unwrap();
}

#[tokio::test]
async fn a_child_compiles() {
    let host = Host::new(HostConfig {
        compiler: worker(),
        ..HostConfig::default()
    })
    .unwrap();
    let plugin = host.load(id(), &renderer(HELLO)).await.unwrap();
    assert_eq!(text(&plugin.render(request()).await.unwrap()), "kind: A");
    let mut broken = renderer(PROBE);
    broken.truncate(broken.len() - 10);
    let error = host.load(id(), &broken).await.unwrap_err();
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
}

#[tokio::test]
async fn a_child_has_a_memory_limit() {
    let compile_limits = CompileLimits {
        memory_bytes: 1 << 20,
        ..CompileLimits::default()
    };
    let config = HostConfig {
        compiler: worker(),
        compile_limits,
        ..HostConfig::default()
    };
    let error = Host::new(config)
        .unwrap()
        .load(id(), &renderer(HELLO))
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoadError::CompilerStopped { .. }),
        "{error}"
    );
    assert_eq!(error.advice().retry, bulkhead_api::Retry::Backoff);
}

#[tokio::test]
async fn a_child_has_a_processor_limit() {
    let cpu = Duration::from_secs(1);
    let compile_limits = CompileLimits {
        cpu,
        ..CompileLimits::default()
    };
    let config = HostConfig {
        compiler: worker(),
        compile_limits,
        ..HostConfig::default()
    };
    let error = Host::new(config)
        .unwrap()
        .load(id(), &large(50_000))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to compile fake 0.1.0: the compiler used up its processor time"
    );
}

#[tokio::test]
async fn a_child_that_does_not_answer_is_killed() {
    let sleep = Compiler::Child {
        program: "/bin/sleep".into(),
        args: vec!["60".into()],
    };
    let wall = Duration::from_millis(100);
    let compile_limits = CompileLimits {
        wall,
        ..CompileLimits::default()
    };
    let config = HostConfig {
        compiler: sleep,
        compile_limits,
        ..HostConfig::default()
    };
    let host = Host::new(config).unwrap();
    let began = Instant::now();
    let error = host.load(id(), &renderer(HELLO)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to compile fake 0.1.0: the compiler ran for more than 100ms"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    // Remembered: the second answer comes at once.
    let bytes = renderer(HELLO);
    let began = Instant::now();
    assert!(host.load(id(), &bytes).await.is_err());
    assert!(began.elapsed() < wall);
}

#[tokio::test]
async fn a_child_that_lies_is_not_believed() {
    for (program, args) in [
        ("/bin/false", vec![]),
        ("/bin/true", vec![]),
        ("/bin/echo", vec!["\u{1}code".to_owned()]),
        ("/nonexistent", vec![]),
    ] {
        let compiler = Compiler::Child {
            program: program.into(),
            args,
        };
        let host = Host::new(HostConfig {
            compiler,
            ..HostConfig::default()
        })
        .unwrap();
        let error = host.load(id(), &renderer(HELLO)).await.unwrap_err();
        assert!(
            matches!(error, LoadError::CompilerStopped { .. }),
            "{program}: {error}"
        );
    }
}

#[tokio::test]
async fn a_component_ends_at_its_limit() {
    let bytes = renderer(HELLO);
    for (component_bytes, fits) in [(bytes.len() as u64, true), (bytes.len() as u64 - 1, false)] {
        let compile_limits = CompileLimits {
            component_bytes,
            ..CompileLimits::default()
        };
        let host = Host::new(HostConfig {
            compile_limits,
            ..HostConfig::default()
        })
        .unwrap();
        match host.load(id(), &bytes).await {
            Ok(_) => assert!(fits),
            Err(error) => assert!(
                !fits && matches!(error, LoadError::TooLarge { .. }),
                "{error}"
            ),
        }
    }
}

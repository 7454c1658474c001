//! P29, P30: components that cost more to compile than anybody should pay.

use std::time::{Duration, Instant};

use bulkhead_wasm::{
    CompileLimits, CompileQuota, Compiler, Host, HostConfig, LoadError, LoadOptions, PluginId,
    inspect,
};

use crate::compiling::worker;
use crate::fake::{HELLO, id, large, renderer, request, text};

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn section(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number][..], &leb(content.len()), content].concat()
}

/// A section that is a list of the same item.
fn many(number: u8, count: usize, item: &[u8]) -> Vec<u8> {
    section(number, &[leb(count), item.repeat(count)].concat())
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    let module = [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat();
    component(&[section(1, &module)])
}

/// One type of function, and so many functions of it with this body.
fn functions(count: usize, body: &[u8]) -> Vec<u8> {
    let body = [leb(body.len()), body.to_vec()].concat();
    module(&[
        section(1, &[1, 0x60, 0, 0]),
        many(3, count, &[0]),
        many(10, count, &body),
    ])
}

/// Jumps of so many targets, one in each of 200 functions.
fn jumps(targets: usize) -> Vec<u8> {
    let no_locals = vec![0];
    let start = vec![0x02, 0x40, 0x41, 0, 0x0e]; // block; i32.const 0; br_table
    let targets = [leb(targets), vec![0; targets], vec![0]].concat();
    functions(200, &[no_locals, start, targets, vec![0x0b, 0x0b]].concat())
}

/// Components inside one another.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(component(&[]), |inner, _| component(&[section(4, &inner)]))
}

/// Types of which each has twice the size of the one before it.
fn doubled(count: usize) -> Vec<u8> {
    let mut types = vec![0x7f]; // bool
    for last in 0..count - 1 {
        types.push(0x6f); // a tuple of two
        types.extend([leb(2), leb(last), leb(last)].concat());
    }
    component(&[section(7, &[leb(count), types].concat())])
}

fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a million functions", functions(1_000_000, &[0, 0x0b])),
        (
            "a hundred thousand types",
            module(&[many(1, 100_000, &[0x60, 0, 0])]),
        ),
        (
            "a hundred thousand types of components",
            component(&[many(7, 100_000, &[0x7f])]),
        ),
        ("a thousand components inside one another", nested(1_000)),
        ("types that double", doubled(60)),
        ("jumps of 50,000 targets", jumps(50_000)),
    ]
}

fn host(limits: CompileLimits, quota: CompileQuota) -> Host {
    Host::new(HostConfig {
        compiler: worker(),
        compile_limits: limits,
        compile_quota: quota,
        ..HostConfig::default()
    })
    .unwrap()
}

#[tokio::test]
async fn bombs_end_in_a_typed_error_that_is_remembered() {
    let limits = CompileLimits {
        cpu: Duration::from_secs(2),
        memory_bytes: 1 << 30,
        ..CompileLimits::default()
    };
    let host = host(limits, CompileQuota::default());
    for (what, bomb) in bombs() {
        let began = Instant::now();
        let _ = inspect(&bomb);
        assert!(began.elapsed() < Duration::from_secs(5), "{what}: inspect");
        let began = Instant::now();
        let error = host.load(id(), &bomb).await.unwrap_err();
        assert!(
            matches!(
                error,
                LoadError::Compile { .. }
                    | LoadError::CompilerStopped { .. }
                    | LoadError::MissingExport { .. }
            ),
            "{what}: {error:?}"
        );
        // Two seconds of a processor, which many may want.
        let took = began.elapsed();
        assert!(took < Duration::from_secs(60), "{what}: {took:?}");
        let began = Instant::now();
        assert!(host.load(id(), &bomb).await.is_err(), "{what}");
        let again = began.elapsed();
        assert!(again < Duration::from_secs(2), "{what}: {again:?}");
    }
    let hello = renderer(HELLO);
    let longer = self::host(CompileLimits::default(), CompileQuota::default());
    let plugin = longer.load(id(), &hello).await.unwrap();
    assert_eq!(text(&plugin.render(request()).await.unwrap()), "kind: A");
}

/// The same component under another digest.
fn variant(component: &[u8], number: u8) -> Vec<u8> {
    [component, &section(0, &[1, b'n', number])].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_of_bombs_keeps_the_compiler_from_nobody() {
    let limits = CompileLimits {
        cpu: Duration::from_secs(2),
        ..CompileLimits::default()
    };
    let quota = CompileQuota {
        time: Duration::from_secs(3),
        window: Duration::from_secs(3600),
    };
    let host = host(limits, quota);
    let bomb = large(50_000);
    let mut bombs = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (host, bomb) = (host.clone(), variant(&bomb, number));
        let name = PluginId::new(format!("bomb-{number}"), "1.0.0");
        let options = LoadOptions {
            tenant: Some("bomber"),
            ..LoadOptions::default()
        };
        bombs.spawn(async move { host.load_as(name, &bomb, options).await.unwrap_err() });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let options = LoadOptions {
        tenant: Some("quiet"),
        ..LoadOptions::default()
    };
    let quiet = host.load_as(id(), &renderer(HELLO), options).await;
    let running = bombs.len();
    assert!(quiet.is_ok(), "{quiet:?}");
    let errors = bombs.join_all().await;
    let spent = |error: &&LoadError| matches!(error, LoadError::QuotaSpent { .. });
    let refused = errors.iter().filter(spent).count();
    assert!((17..20).contains(&refused), "{running} {errors:?}");
    let first = errors.iter().find(spent).unwrap();
    assert!(first.to_string().contains("`bomber` has had the compiler"));
    // What was compiled is loaded again without a turn.
    let options = LoadOptions {
        tenant: Some("bomber"),
        ..LoadOptions::default()
    };
    let kept = quiet.unwrap();
    let again = host.load_as(id(), &renderer(HELLO), options).await.unwrap();
    assert_eq!(kept.digest(), again.digest());
}

/// P30: twenty tenants whose components never end compiling, and one that is compiled already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_compiled_never_waits_for_bombs() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let authority = cap_std::ambient_authority();
        cap_std::fs::Dir::open_ambient_dir(folder.path(), authority).unwrap()
    };
    let hello = renderer(HELLO);
    let compiling = Host::new(HostConfig {
        cache: Some(open()),
        compiler: worker(),
        ..HostConfig::default()
    });
    drop(compiling.unwrap().load(id(), &hello).await.unwrap());
    let compiler = Compiler::Child {
        program: "/bin/sleep".into(),
        args: vec!["60".into()],
    };
    let host = Host::new(HostConfig {
        cache: Some(open()),
        compiler,
        ..HostConfig::default()
    })
    .unwrap();
    let before = host.load(id(), &hello).await.unwrap();
    let mut bombs = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (host, bomb) = (host.clone(), large(number + 1));
        let tenant = format!("tenant-{number}");
        bombs.spawn(async move {
            let options = LoadOptions {
                tenant: Some(&tenant),
                ..LoadOptions::default()
            };
            let name = PluginId::new("bomb", "1.0.0");
            host.load_as(name, &bomb, options).await.is_err()
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What is in memory renders, and what is in the cache loads and renders.
    assert_eq!(text(&before.render(request()).await.unwrap()), "kind: A");
    drop(before);
    let loading = tokio::time::timeout(Duration::from_secs(20), host.load(id(), &hello));
    let plugin = loading
        .await
        .expect("the cache is not behind the compiler")
        .unwrap();
    assert_eq!(text(&plugin.render(request()).await.unwrap()), "kind: A");
}

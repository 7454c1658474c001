//! Archives: what no chart may hold, and how large it may be.

use std::io::Write as _;

use bulkhead_source::helm::chart::{Chart, inspect};
use bulkhead_source::helm::{HelmError, Limits};
use tar::EntryType;

use super::{archive, packed, told, unpacked};

const CHART: &[u8] = b"apiVersion: v2\nname: a\nversion: 1.0.0\n";

fn refused(entries: &[(EntryType, &str, &[u8])]) -> String {
    let archive = archive(entries);
    let limits = Limits::default();
    let error = Chart::unpack("x", archive.as_slice(), &limits).unwrap_err();
    let seen = inspect("x", archive.as_slice(), &limits).unwrap_err();
    assert_eq!(told(&error), told(&seen));
    told(&error)
}

#[test]
fn what_leads_out_of_a_chart_is_refused() {
    let chart = (EntryType::Regular, "a/Chart.yaml", CHART);
    for (kind, name, expected) in [
        (EntryType::Symlink, "a/link", "is a symbolic link"),
        (EntryType::Link, "a/link", "is a hard link"),
        (EntryType::Char, "a/dev", "is a device"),
        (EntryType::Fifo, "a/pipe", "is a pipe"),
        (EntryType::Regular, "a/../../x", "leads out of the chart"),
        (EntryType::Regular, "../x", "leads out of the chart"),
        (EntryType::Regular, "/etc/passwd", "is absolute"),
        (EntryType::Regular, "a//etc/passwd", "is absolute"),
        (EntryType::Regular, "a/c:/x", "has a drive"),
        (EntryType::Regular, "Chart.yaml", "not in a folder"),
    ] {
        let text = refused(&[chart, (kind, name, b"")]);
        assert!(text.contains(expected), "{name}: {text}");
        assert!(text.starts_with("failed to unpack x: "), "{text}");
    }
}

#[test]
fn what_is_no_chart_is_told() {
    let limits = Limits::default();
    let unpack = |bytes: &[u8]| told(&Chart::unpack("x", bytes, &limits).unwrap_err());
    assert!(unpack(b"").contains("ends too early"), "{}", unpack(b""));
    assert!(unpack(b"no archive").contains("not compressed with gzip"));
    assert!(unpack(&archive(&[])).contains("holds no files"));
    let other = archive(&[(EntryType::Regular, "a/values.yaml", b"")]);
    assert!(unpack(&other).contains("has no `Chart.yaml`"));
    for (text, expected) in [
        (&b""[..], "`name` is missing"),
        (b"name: [a]", "`name` must be text, not a list"),
        (b"- a", "must be a mapping, not a list"),
        (
            b"apiVersion: v2\nname: ../../x\nversion: 1.0.0",
            "cannot be its name",
        ),
        (
            b"apiVersion: v2\nname: ..\nversion: 1.0.0",
            "cannot be its name",
        ),
        (b"a: [", "line 1"),
        (b"\xff\xfea\0", "not UTF-8"),
        (
            b"apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies: [null]",
            "empty item",
        ),
    ] {
        let error = unpack(&archive(&[(EntryType::Regular, "a/Chart.yaml", text)]));
        assert!(error.contains(expected), "{error}");
    }
    let mut cut = packed("a", "1.0.0");
    cut.truncate(cut.len() / 2);
    assert!(unpack(&cut).starts_with("failed to unpack x: "));
    let marked = [b"\xef\xbb\xbf", CHART].concat();
    let marked = archive(&[(EntryType::Regular, "a/Chart.yaml", &marked)]);
    assert!(Chart::unpack("x", marked.as_slice(), &limits).is_ok());
}

/// Checks that `archive` is read with `limits`, and not with what `lower` makes of them.
fn at_the_limit(name: &str, archive: &[u8], limits: &Limits, lower: impl Fn(&mut Limits)) {
    Chart::unpack("x", archive, limits).unwrap_or_else(|error| panic!("{name}: {}", told(&error)));
    let mut lowered = limits.clone();
    lower(&mut lowered);
    match Chart::unpack("x", archive, &lowered) {
        Err(HelmError::Limit { limit, .. }) => assert_eq!(limit, name),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_chart_may_be_as_large_as_its_limits_and_no_larger() {
    let file = vec![b'x'; 100];
    let files = archive(&[
        (EntryType::Regular, "a/Chart.yaml", CHART),
        (EntryType::Regular, "a/b/c", &file),
        (EntryType::Regular, "a/d", &file),
    ]);
    let limits = Limits {
        file_bytes: 100,
        files: 3,
        unpacked_bytes: 200 + CHART.len() as u64,
        depth: 1,
        subchart_depth: 0,
        ..Limits::default()
    };
    at_the_limit("file_bytes", &files, &limits, |limits| {
        limits.file_bytes = 99
    });
    at_the_limit("files", &files, &limits, |limits| limits.files = 2);
    at_the_limit("unpacked_bytes", &files, &limits, |limits| {
        limits.unpacked_bytes -= 1;
    });
    at_the_limit("depth", &files, &limits, |limits| limits.depth = 0);

    let inner = packed("b", "1.0.0");
    let nested = archive(&[
        (EntryType::Regular, "a/Chart.yaml", CHART),
        (EntryType::Regular, "a/charts/b-1.0.0.tgz", &inner),
    ]);
    let limits = Limits {
        subchart_depth: 1,
        files: 5,
        ..Limits::default()
    };
    at_the_limit("subchart_depth", &nested, &limits, |limits| {
        limits.subchart_depth = 0;
    });
    // Those of subcharts count, too.
    at_the_limit("files", &nested, &limits, |limits| limits.files = 4);
}

/// A thousand to one: 200 MiB of zeros in some 200 KiB.
#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_path("a/zeros").unwrap();
    header.set_size(200 * 1024 * 1024);
    header.set_mode(0o644);
    header.set_cksum();
    encoder.write_all(header.as_bytes()).unwrap();
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..200 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let text = told(&inspect("x", bomb.as_slice(), &Limits::default()).unwrap_err());
    assert!(text.contains("`file_bytes` of 5242880"), "{text}");
    let nested = archive(&[
        (EntryType::Regular, "a/Chart.yaml", CHART),
        (EntryType::Regular, "a/charts/b.tgz", &bomb),
    ]);
    let text = told(&Chart::unpack("x", nested.as_slice(), &Limits::default()).unwrap_err());
    assert!(text.contains("`file_bytes`"), "{text}");
}

#[test]
fn the_same_chart_is_packed_to_the_same_bytes() {
    let one = packed("a", "1.0.0");
    assert_eq!(one, packed("a", "1.0.0"));
    let chart = Chart::unpack("x", one.as_slice(), &Limits::default()).unwrap();
    assert_eq!(chart.package(&Limits::default()).unwrap(), one);
    let names: Vec<String> = unpacked(&one).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["a/Chart.yaml", "a/values.yaml", "a/templates/x.yaml"]
    );
    let mut limits = Limits {
        chart_bytes: one.len() as u64,
        ..Limits::default()
    };
    assert!(chart.package(&limits).is_ok());
    limits.chart_bytes -= 1;
    assert!(chart.package(&limits).is_err());
    let mut bad = chart;
    bad.metadata.name = "../x".to_owned();
    assert!(bad.package(&Limits::default()).is_err());
}

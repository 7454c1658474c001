//! Chart archives: what they hold is found, and bombs and names that lead out are refused, each limit
//! at its edge.

use bulkhead_helm::{Options, render_raw};
use bulkhead_plugin::files::MemoryFiles;

const CHART: &[u8] = b"apiVersion: v2\nname: c\nversion: 0.1.0\n";
const METADATA: Entry<'_> = Entry::file("c/Chart.yaml", CHART);

/// One entry of an archive.
#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    kind: u8,
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    const fn file(name: &'a str, data: &'a [u8]) -> Self {
        let kind = b'0';
        Self { name, kind, data }
    }
}

fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        let mut header = [0_u8; 512];
        header[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", entry.data.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = entry.kind;
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend(header);
        tar.extend_from_slice(entry.data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut sum = !0_u32;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
    }
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    out.extend(miniz_oxide::deflate::compress_to_vec(data, 6));
    out.extend((!sum).to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out
}

fn unpacked(packed: Vec<u8>) -> Result<Vec<(String, Vec<u8>)>, String> {
    let files = MemoryFiles::new().with("c.tgz", packed);
    render_raw(&files, "c.tgz", &Options::default())
}

fn told(entries: &[Entry<'_>]) -> String {
    unpacked(gzip(&tar(entries))).err().unwrap_or_default()
}

#[test]
fn an_archive_is_a_chart() {
    let template = Entry::file("c/templates/a.yaml", b"a: {{ .Chart.Name }}\n");
    let long = Entry {
        name: "././@LongLink",
        kind: b'L',
        data: b"c/templates/long.yaml\0",
    };
    let pax = Entry {
        name: "PaxHeaders/x",
        kind: b'x',
        data: b"29 path=c/templates/pax.yaml\n",
    };
    let folder = Entry {
        kind: b'5',
        ..Entry::file("c/templates/", b"")
    };
    let sub = [
        Entry::file(
            "sub/Chart.yaml",
            b"apiVersion: v2\nname: sub\nversion: 0.1.0\n",
        ),
        Entry::file("sub/templates/s.yaml", b"s: {{ .Chart.Name }}"),
    ];
    let sub = gzip(&tar(&sub));
    let other = Entry::file("c/other", b"o: 1");
    let all = [
        METADATA,
        folder,
        template,
        long,
        other,
        pax,
        other,
        Entry::file("c/charts/sub-0.1.0.tgz", &sub),
    ];
    let found = unpacked(gzip(&tar(&all)));
    let names: Vec<_> = found
        .into_iter()
        .flatten()
        .map(|(name, text)| (name, String::from_utf8_lossy(&text).into_owned()))
        .collect();
    let one = |name: &str, text: &str| (format!("c/{name}"), text.to_owned());
    assert_eq!(
        names,
        [
            one("charts/sub/templates/s.yaml", "s: sub"),
            one("templates/pax.yaml", "o: 1"),
            one("templates/long.yaml", "o: 1"),
            one("templates/a.yaml", "a: c\n"),
        ]
    );
}

#[test]
fn names_that_lead_out_are_refused() {
    for (name, words) in [
        ("c/../../x", "chart illegally references parent directory"),
        ("c/..", "chart illegally references parent directory"),
        ("c//x", "chart illegally contains absolute paths"),
        ("c/.", "content outside the base directory"),
        ("c/C:/x", "chart contains illegally named files"),
        ("Chart.yaml", "content outside the base directory"),
        (
            "c\\..\\..\\x",
            "chart illegally references parent directory",
        ),
    ] {
        let error = told(&[METADATA, Entry::file(name, b"x")]);
        assert!(error.contains(words), "{name}: {error}");
    }
    for kind in *b"1234567" {
        let link = Entry {
            kind,
            ..Entry::file("c/templates/a.yaml", b"")
        };
        assert_eq!(told(&[METADATA, link]), "", "{}", kind as char);
    }
}

#[test]
fn sizes_end_at_their_limits() {
    const FILE: usize = 5 << 20;
    let large = vec![b'#'; FILE + 1];
    assert_eq!(told(&[METADATA, Entry::file("c/a", &large[1..])]), "");
    let error = told(&[METADATA, Entry::file("c/a", &large)]);
    assert!(
        error.contains("larger than the maximum file size 5242880"),
        "{error}"
    );
    let names: Vec<String> = (0..20).map(|at| format!("c/{at}")).collect();
    let mut all: Vec<_> = names
        .iter()
        .map(|name| Entry::file(name, &large[1..]))
        .collect();
    let fits = Entry::file("c/0", &large[1 + CHART.len()..]);
    all[0] = fits;
    all.push(METADATA);
    assert_eq!(told(&all), "");
    let one = Entry::file("c/one", b"x");
    all.push(one);
    let error = told(&all);
    assert!(
        error.contains("larger than the maximum size 104857600"),
        "{error}"
    );
}

#[test]
fn entries_end_at_their_limit() {
    let mut all = vec![METADATA; 50_000];
    assert_eq!(told(&all), "");
    all.push(METADATA);
    assert_eq!(told(&all), "chart archive has more than 50000 entries");
}

#[test]
fn damaged_archives_are_refused() {
    let whole = tar(&[METADATA, Entry::file("c/a", b"text")]);
    assert_eq!(unpacked(gzip(&whole)).err(), None);
    let packed = gzip(&whole);
    for length in [3, 11, packed.len() / 2] {
        assert!(unpacked(packed[..length].to_vec()).is_err(), "{length}");
    }
    for (at, words) in [(124, "invalid tar header"), (150, "invalid tar header")] {
        let mut wrong = whole.clone();
        wrong[at] = b'9';
        let error = unpacked(gzip(&wrong)).err().unwrap_or_default();
        assert!(error.contains(words), "{at}: {error}");
    }
    let cut = gzip(&whole[..1_100]);
    assert_eq!(unpacked(cut).err().as_deref(), Some("unexpected EOF"));
}

//! A small mutation fuzzer, for machines without the libraries of cargo-fuzz: it changes known inputs
//! at random, the same way for the same seed, and runs a target on each. What fails is a panic, or a
//! call of more than [`SLOW`].

use std::time::{Duration, Instant};

/// What no call may take.
const SLOW: Duration = Duration::from_secs(5);

/// Longest input that is made.
const INPUT_BYTES: usize = 256 * 1024;

/// Inputs that are kept beside the first ones.
const KEPT: usize = 2000;

/// Numbers by chance: xorshift.
pub(crate) struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or_default()
    }
}

/// Values at which readers go wrong.
const EDGES: [&[u8]; 14] = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x10",
    b"\x7f",
    b"{",
    b"[",
    b"\"",
    b": ",
    b"\n- ",
    b"&a ",
    b"*a",
    b"99999999999999999999",
    b"\xed\xa0\x80",
];

/// Changes `input` in one to eight places.
fn mutate(chance: &mut Chance, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=chance.below(8) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + chance.below(64)).min(bytes.len());
        match chance.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 if at < bytes.len() => {
                bytes[at] = u8::try_from(chance.below(256)).unwrap_or_default()
            }
            2 => drop(bytes.splice(at..end, std::iter::empty())),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            4 => {
                let edge = EDGES[chance.below(EDGES.len())];
                bytes.splice(at..at, edge.iter().copied());
            }
            5 => {
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(256)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                let piece = bytes[at..end].to_vec();
                for _ in 0..chance.below(64) {
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
        }
    }
    bytes.truncate(INPUT_BYTES);
    bytes
}

/// Runs `target` on changed `seeds` for `time`. `target` returns a word for how it went: inputs that
/// give a new word are kept and changed further. Returns the runs and the words.
pub(crate) fn fuzz(
    name: &str,
    seeds: Vec<Vec<u8>>,
    time: Duration,
    target: impl Fn(&[u8]) -> String,
) -> (u64, usize) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut corpus = seeds;
    let mut words = std::collections::HashSet::new();
    let (began, mut runs) = (Instant::now(), 0);
    while began.elapsed() < time {
        let (one, other) = (chance.below(corpus.len()), chance.below(corpus.len()));
        let input = mutate(&mut chance, &corpus[one], &corpus[other]);
        let started = Instant::now();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&input)));
        let took = started.elapsed();
        runs += 1;
        match result {
            Ok(word) if took < SLOW => {
                if words.insert(word) && corpus.len() < KEPT {
                    corpus.push(input);
                }
            }
            failed => {
                let file = std::env::temp_dir().join(format!("fuzz-{name}-{runs}"));
                std::fs::write(&file, &input).expect("the input is kept");
                let how = if failed.is_err() {
                    "panicked"
                } else {
                    "was slow"
                };
                println!("{name}: {how} after {took:?}: {}", file.display());
                std::process::exit(1);
            }
        }
    }
    (runs, words.len())
}

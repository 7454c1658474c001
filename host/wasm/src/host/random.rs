//! Sealed WASI: randomness that is the same in every run: SHA-256 in counter mode over the seed,
//! which is derived from the call's cache key.

use bulkhead_api::Digest;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::State;
use crate::limits::{Limit, LimitHit};

/// Most bytes that one call may ask for.
pub(crate) const RANDOM_BYTES: u64 = 1024 * 1024;

/// A stream of bytes.
pub(crate) struct Random {
    seed: Digest,
    counter: u64,
}

impl Random {
    pub(crate) fn new(seed: Digest) -> Self {
        Self { seed, counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let counter = self.counter.to_le_bytes();
        *Digest::of_parts([b"random".as_slice(), self.seed.as_bytes(), &counter]).as_bytes()
    }

    fn u64(&mut self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.block();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, LimitHit> {
        LimitHit::check(Limit::RandomBytes, count, RANDOM_BYTES)?;
        let count = usize::try_from(count).unwrap_or_default();
        let mut bytes = Vec::with_capacity(count + 32);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.block());
        }
        bytes.truncate(count);
        Ok(bytes)
    }
}

type Store<'a> = StoreContextMut<'a, State>;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let bytes =
        |mut store: Store<'_>, (count,): (u64,)| Ok((store.data_mut().random.bytes(count)?,));
    let number = |mut store: Store<'_>, (): ()| Ok((store.data_mut().random.u64(),));
    let mut random = linker.instance("wasi:random/random@0.2.12")?;
    random.func_wrap("get-random-bytes", bytes)?;
    random.func_wrap("get-random-u64", number)?;
    let mut insecure = linker.instance("wasi:random/insecure@0.2.12")?;
    insecure.func_wrap("get-insecure-random-bytes", bytes)?;
    insecure.func_wrap("get-insecure-random-u64", number)?;
    let mut seed = linker.instance("wasi:random/insecure-seed@0.2.12")?;
    seed.func_wrap("insecure-seed", |mut store: Store<'_>, (): ()| {
        let random = &mut store.data_mut().random;
        Ok(((random.u64(), random.u64()),))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn a_seed_gives_one_stream() {
        let bytes = |seed: &str| Random::new(Digest::of(seed)).bytes(100).unwrap();
        assert_eq!(bytes("a"), bytes("a"));
        assert_ne!(bytes("a"), bytes("b"));
        let mut random = Random::new(Digest::of("a"));
        assert_ne!(random.u64(), random.u64());
    }

    #[test]
    fn a_call_gets_no_more_than_the_limit() {
        let mut random = Random::new(Digest::of("a"));
        assert_eq!(
            random.bytes(RANDOM_BYTES).unwrap().len() as u64,
            RANDOM_BYTES
        );
        assert_eq!(
            random.bytes(RANDOM_BYTES + 1),
            Err(LimitHit::new(
                Limit::RandomBytes,
                RANDOM_BYTES + 1,
                RANDOM_BYTES
            ))
        );
    }
}

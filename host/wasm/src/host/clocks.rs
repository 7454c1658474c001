//! Sealed WASI: time that is the same in every run.
//!
//! The wall clock is the time of the source's revision, and reading it is recorded. The monotonic
//! clock is virtual: it starts at 0, every look at it takes a microsecond, so that a guest that
//! spins until a moment reaches it, and waiting jumps ahead without waiting.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource};

use super::State;
use super::io::Pollable;
use crate::read_set::{Operation, of_wall_clock};

/// What one look at the monotonic clock takes.
const LOOK_NANOSECONDS: u64 = 1_000;

/// Both clocks of one call.
pub(crate) struct Clock {
    /// Seconds since 1970.
    wall: u64,
    /// Nanoseconds since the call began, virtual.
    monotonic: u64,
}

impl Clock {
    pub(crate) fn new(wall: u64) -> Self {
        Self { wall, monotonic: 0 }
    }

    pub(crate) fn now(&self) -> u64 {
        self.monotonic
    }

    /// Waits until `instant`, which takes no time.
    pub(crate) fn jump_to(&mut self, instant: u64) {
        self.monotonic = self.monotonic.max(instant);
    }

    fn look(&mut self) -> u64 {
        self.monotonic = self.monotonic.saturating_add(LOOK_NANOSECONDS);
        self.monotonic
    }
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Store<'a> = StoreContextMut<'a, State>;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut wall = linker.instance("wasi:clocks/wall-clock@0.2.12")?;
    wall.func_wrap("now", |mut store: Store<'_>, (): ()| {
        let state = store.data_mut();
        let seconds = state.clock.wall;
        state
            .reads
            .record(Operation::WallClock, "", of_wall_clock(seconds));
        Ok((Datetime {
            seconds,
            nanoseconds: 0,
        },))
    })?;
    wall.func_wrap("resolution", |_: Store<'_>, (): ()| {
        Ok((Datetime {
            seconds: 1,
            nanoseconds: 0,
        },))
    })?;

    let mut monotonic = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    monotonic.func_wrap("now", |mut store: Store<'_>, (): ()| {
        Ok((store.data_mut().clock.look(),))
    })?;
    monotonic.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((LOOK_NANOSECONDS,)))?;
    monotonic.func_wrap(
        "subscribe-instant",
        |mut store: Store<'_>, (instant,): (u64,)| {
            Ok((store.data_mut().push(Pollable::at(instant))?,))
        },
    )?;
    monotonic.func_wrap(
        "subscribe-duration",
        |mut store: Store<'_>, (duration,): (u64,)| {
            let state = store.data_mut();
            let instant = state.clock.now().saturating_add(duration);
            let pollable: Resource<Pollable> = state.push(Pollable::at(instant))?;
            Ok((pollable,))
        },
    )
}

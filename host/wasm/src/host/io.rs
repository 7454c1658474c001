//! Sealed WASI: `wasi:io`. Nothing here waits: input is at its end, output goes to the log at
//! once, and a wait for the clock moves the virtual clock.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};

use super::State;
use super::log::Stream;

/// Most bytes of one write, as WASI's contract for `blocking-write-and-flush` has it.
const WRITE_BYTES: u64 = 4096;

/// `wasi:io/error.error`; the host makes none.
pub(crate) struct IoError;

/// `wasi:io/streams.input-stream`: at its end.
pub(crate) struct InputStream;

/// `wasi:io/streams.output-stream`: standard output or error.
pub(crate) struct OutputStream(pub(crate) Stream);

/// `wasi:io/poll.pollable`: ready at a moment of the virtual clock.
pub(crate) struct Pollable {
    instant: u64,
}

impl Pollable {
    pub(crate) fn at(instant: u64) -> Self {
        Self { instant }
    }
}

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(dead_code, reason = "the type must have it; nothing here fails")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Store<'a> = StoreContextMut<'a, State>;
type Answer<T> = wasmtime::Result<(Result<T, StreamError>,)>;

/// Lets a guest drop what it holds.
pub(crate) fn drop_of<T: 'static>(mut store: Store<'_>, handle: u32) -> wasmtime::Result<()> {
    store
        .data_mut()
        .table
        .delete(Resource::<T>::new_own(handle))?;
    Ok(())
}

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_error(linker)?;
    link_poll(linker)?;
    link_input(linker)?;
    link_output(linker)
}

fn link_error(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.12")?;
    error.resource("error", ResourceType::host::<IoError>(), drop_of::<IoError>)?;
    error.func_wrap(
        "[method]error.to-debug-string",
        |_: Store<'_>, (_,): (Resource<IoError>,)| Ok(("error".to_owned(),)),
    )
}

fn link_poll(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.resource(
        "pollable",
        ResourceType::host::<Pollable>(),
        drop_of::<Pollable>,
    )?;
    poll.func_wrap(
        "[method]pollable.ready",
        |mut store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
            let state = store.data_mut();
            Ok((state.table.get(&pollable)?.instant <= state.clock.now(),))
        },
    )?;
    poll.func_wrap(
        "[method]pollable.block",
        |mut store: Store<'_>, (pollable,): (Resource<Pollable>,)| {
            let state = store.data_mut();
            let instant = state.table.get(&pollable)?.instant;
            state.clock.jump_to(instant);
            Ok(())
        },
    )?;
    poll.func_wrap(
        "poll",
        |mut store: Store<'_>, (pollables,): (Vec<Resource<Pollable>>,)| {
            let state = store.data_mut();
            let mut instants = Vec::with_capacity(pollables.len());
            for pollable in &pollables {
                instants.push(state.table.get(pollable)?.instant);
            }
            // WASI: polling nothing is an error of the guest.
            let Some(&first) = instants.iter().min() else {
                return Err(wasmtime::Error::msg("the plugin polls an empty list"));
            };
            state.clock.jump_to(first);
            let now = state.clock.now();
            let ready = (0u32..)
                .zip(&instants)
                .filter(|(_, instant)| **instant <= now);
            Ok((ready.map(|(index, _)| index).collect::<Vec<_>>(),))
        },
    )
}

fn link_input(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Handle = Resource<InputStream>;
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    let name = "input-stream";
    streams.resource(
        name,
        ResourceType::host::<InputStream>(),
        drop_of::<InputStream>,
    )?;
    for function in ["read", "blocking-read"] {
        streams.func_wrap(
            &format!("[method]input-stream.{function}"),
            |_: Store<'_>, (_, _): (Handle, u64)| -> Answer<Vec<u8>> {
                Ok((Err(StreamError::Closed),))
            },
        )?;
    }
    for function in ["skip", "blocking-skip"] {
        streams.func_wrap(
            &format!("[method]input-stream.{function}"),
            |_: Store<'_>, (_, _): (Handle, u64)| -> Answer<u64> {
                Ok((Err(StreamError::Closed),))
            },
        )?;
    }
    streams.func_wrap(
        "[method]input-stream.subscribe",
        |mut store: Store<'_>, (_,): (Handle,)| Ok((store.data_mut().push(Pollable::at(0))?,)),
    )
}

fn link_output(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Handle = Resource<OutputStream>;
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    let name = "output-stream";
    streams.resource(
        name,
        ResourceType::host::<OutputStream>(),
        drop_of::<OutputStream>,
    )?;
    streams.func_wrap(
        "[method]output-stream.check-write",
        |_: Store<'_>, (_,): (Handle,)| -> Answer<u64> { Ok((Ok(WRITE_BYTES),)) },
    )?;
    for function in ["write", "blocking-write-and-flush"] {
        streams.func_wrap(
            &format!("[method]output-stream.{function}"),
            |mut store: Store<'_>, (handle, bytes): (Handle, Vec<u8>)| -> Answer<()> {
                let state = store.data_mut();
                let stream = state.table.get(&handle)?.0;
                state.log.write(stream, &bytes);
                Ok((Ok(()),))
            },
        )?;
    }
    for function in ["flush", "blocking-flush"] {
        streams.func_wrap(
            &format!("[method]output-stream.{function}"),
            |_: Store<'_>, (_,): (Handle,)| -> Answer<()> { Ok((Ok(()),)) },
        )?;
    }
    for function in ["write-zeroes", "blocking-write-zeroes-and-flush"] {
        streams.func_wrap(
            &format!("[method]output-stream.{function}"),
            |_: Store<'_>, (_, _): (Handle, u64)| -> Answer<()> { Ok((Ok(()),)) },
        )?;
    }
    for function in ["splice", "blocking-splice"] {
        streams.func_wrap(
            &format!("[method]output-stream.{function}"),
            |_: Store<'_>, (_, _, _): (Handle, Resource<InputStream>, u64)| -> Answer<u64> {
                Ok((Err(StreamError::Closed),))
            },
        )?;
    }
    streams.func_wrap(
        "[method]output-stream.subscribe",
        |mut store: Store<'_>, (_,): (Handle,)| Ok((store.data_mut().push(Pollable::at(0))?,)),
    )
}

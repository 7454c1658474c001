//! Sealed WASI: `wasi:cli`. No environment, no arguments, no terminal, no input; output and error
//! go to the log; to exit is to fail, since a call that answers returns.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::State;
use super::io::{InputStream, OutputStream, drop_of};
use super::log::Stream;
use crate::error::Stop;

/// `wasi:cli/terminal-input.terminal-input`; there is none.
struct TerminalInput;

/// `wasi:cli/terminal-output.terminal-output`; there is none.
struct TerminalOutput;

type Store<'a> = StoreContextMut<'a, State>;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut environment = linker.instance("wasi:cli/environment@0.2.12")?;
    environment.func_wrap("get-environment", |_: Store<'_>, (): ()| {
        Ok((Vec::<(String, String)>::new(),))
    })?;
    environment.func_wrap("get-arguments", |_: Store<'_>, (): ()| {
        Ok((Vec::<String>::new(),))
    })?;
    environment.func_wrap("initial-cwd", |_: Store<'_>, (): ()| Ok((None::<String>,)))?;

    let mut exit = linker.instance("wasi:cli/exit@0.2.12")?;
    exit.func_wrap("exit", |_: Store<'_>, (status,): (Result<(), ()>,)| {
        Err::<(), _>(Stop::Exit(u8::from(status.is_err())).into())
    })?;
    exit.func_wrap("exit-with-code", |_: Store<'_>, (status,): (u8,)| {
        Err::<(), _>(Stop::Exit(status).into())
    })?;

    linker
        .instance("wasi:cli/stdin@0.2.12")?
        .func_wrap("get-stdin", |mut store: Store<'_>, (): ()| {
            Ok((store.data_mut().push(InputStream)?,))
        })?;
    linker
        .instance("wasi:cli/stdout@0.2.12")?
        .func_wrap("get-stdout", |mut store: Store<'_>, (): ()| {
            Ok((store.data_mut().push(OutputStream(Stream::Output))?,))
        })?;
    linker
        .instance("wasi:cli/stderr@0.2.12")?
        .func_wrap("get-stderr", |mut store: Store<'_>, (): ()| {
            Ok((store.data_mut().push(OutputStream(Stream::Error))?,))
        })?;
    link_terminals(linker)
}

fn link_terminals(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker
        .instance("wasi:cli/terminal-input@0.2.12")?
        .resource(
            "terminal-input",
            ResourceType::host::<TerminalInput>(),
            drop_of::<TerminalInput>,
        )?;
    linker
        .instance("wasi:cli/terminal-output@0.2.12")?
        .resource(
            "terminal-output",
            ResourceType::host::<TerminalOutput>(),
            drop_of::<TerminalOutput>,
        )?;
    linker
        .instance("wasi:cli/terminal-stdin@0.2.12")?
        .func_wrap("get-terminal-stdin", |_: Store<'_>, (): ()| {
            Ok((None::<Resource<TerminalInput>>,))
        })?;
    for name in ["stdout", "stderr"] {
        linker
            .instance(&format!("wasi:cli/terminal-{name}@0.2.12"))?
            .func_wrap(&format!("get-terminal-{name}"), |_: Store<'_>, (): ()| {
                Ok((None::<Resource<TerminalOutput>>,))
            })?;
    }
    Ok(())
}

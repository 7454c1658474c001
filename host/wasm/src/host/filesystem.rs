//! Sealed WASI: a `wasi:filesystem` without a single directory.
//!
//! Guests of Go, Python and C import it for their libraries. There is no code behind it: no
//! preopened directory exists, so no descriptor does, and what would take one ends the call.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType, Val};

use super::State;
use super::io::drop_of;
use crate::error::Stop;

/// `wasi:filesystem/types.descriptor`; there is none.
struct Descriptor;

/// `wasi:filesystem/types.directory-entry-stream`; there is none.
struct DirectoryEntryStream;

/// What takes a descriptor or a stream, and so is never reached.
const UNREACHABLE: [&str; 28] = [
    "[method]descriptor.read-via-stream",
    "[method]descriptor.write-via-stream",
    "[method]descriptor.append-via-stream",
    "[method]descriptor.advise",
    "[method]descriptor.sync-data",
    "[method]descriptor.get-flags",
    "[method]descriptor.get-type",
    "[method]descriptor.set-size",
    "[method]descriptor.set-times",
    "[method]descriptor.read",
    "[method]descriptor.write",
    "[method]descriptor.read-directory",
    "[method]descriptor.sync",
    "[method]descriptor.create-directory-at",
    "[method]descriptor.stat",
    "[method]descriptor.stat-at",
    "[method]descriptor.set-times-at",
    "[method]descriptor.link-at",
    "[method]descriptor.open-at",
    "[method]descriptor.readlink-at",
    "[method]descriptor.remove-directory-at",
    "[method]descriptor.rename-at",
    "[method]descriptor.symlink-at",
    "[method]descriptor.unlink-file-at",
    "[method]descriptor.is-same-object",
    "[method]descriptor.metadata-hash",
    "[method]descriptor.metadata-hash-at",
    "[method]directory-entry-stream.read-directory-entry",
];

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.resource(
        "descriptor",
        ResourceType::host::<Descriptor>(),
        drop_of::<Descriptor>,
    )?;
    types.resource(
        "directory-entry-stream",
        ResourceType::host::<DirectoryEntryStream>(),
        drop_of::<DirectoryEntryStream>,
    )?;
    for function in UNREACHABLE {
        types.func_new(function, |_, _, _, _| Err(Stop::NoFiles.into()))?;
    }
    types.func_new("filesystem-error-code", |_, _, _, results| {
        if let Some(result) = results.first_mut() {
            *result = Val::Option(None);
        }
        Ok(())
    })?;
    linker
        .instance("wasi:filesystem/preopens@0.2.12")?
        .func_wrap(
            "get-directories",
            |_: StoreContextMut<'_, State>, (): ()| {
                Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
            },
        )
}

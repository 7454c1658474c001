//! What a file is that is no component, by how it starts.

use crate::sections::{COMPONENT, CORE_MODULE};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Component,
    CoreModule,
    /// WebAssembly of a version that is neither.
    OtherWasm,
    /// Anything else, as a person calls it.
    Other(&'static str),
}

/// Where a tar archive says that it is one.
const TAR_OFFSET: usize = 257;

const STARTS: [(&[u8], &str); 16] = [
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x7fELF", "a Linux program"),
    (b"MZ", "a Windows program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"!<arch>\n", "a static library"),
    (b"#!", "a script"),
    (b"\x89PNG", "a picture"),
    (b"(component", "WebAssembly text"),
    (b"(module", "WebAssembly text"),
    (b"{", "a JSON document"),
    (b"<", "an HTML or XML page"),
];

/// Tells what `bytes` are.
pub(super) fn format(bytes: &[u8]) -> Format {
    match bytes.first_chunk() {
        Some(&COMPONENT) => return Format::Component,
        Some(&CORE_MODULE) => return Format::CoreModule,
        _ if bytes.starts_with(b"\0asm") => return Format::OtherWasm,
        _ => {}
    }
    if bytes.is_empty() {
        return Format::Other("an empty file");
    }
    if bytes
        .get(TAR_OFFSET..)
        .is_some_and(|rest| rest.starts_with(b"ustar"))
    {
        return Format::Other("a tar archive");
    }
    let text = bytes.trim_ascii_start();
    let known = STARTS.iter().find(|(start, _)| text.starts_with(start));
    Format::Other(known.map_or("something else", |(_, name)| name))
}

/// Says what to do with a file that is no component.
pub(super) fn help(name: &str) -> &'static str {
    match name {
        "an empty file" => "the file is empty: fetch or build it again",
        "a gzip archive" | "a tar archive" | "a zip archive" | "a zstd archive"
        | "a bzip2 archive" | "an xz archive" => {
            "this is an archive, perhaps the layer of a container image: a plugin's image has one layer, of type `application/wasm`, that is the component itself"
        }
        "a Linux program" | "a Windows program" | "a macOS program" | "LLVM bitcode"
        | "a static library" => {
            "this was compiled for a machine: compile it for WebAssembly (`wasm32-unknown-unknown`, `wasip1`)"
        }
        "WebAssembly text" => "turn it into a binary: `wasm-tools parse`",
        "a JSON document" => {
            "this may be the manifest of an image: pull the component that it names (`bulkhead plugin pull`)"
        }
        "an HTML or XML page" => "this may be a server's error page: is the address right?",
        _ => "the file must be a WebAssembly component",
    }
}

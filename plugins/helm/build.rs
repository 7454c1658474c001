//! Gives the guest a stack that templates in templates fit on.

#![allow(
    clippy::disallowed_methods,
    reason = "a build script reads what cargo tells it"
)]

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo:rustc-link-arg-cdylib=-zstack-size=4194304");
    }
}

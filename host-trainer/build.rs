//! Bakes into the binary the place of libtorch, so that it runs without LD_LIBRARY_PATH, and the
//! revision of the source, which every run writes down.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=USHER_REVISION={}", revision());
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
        let cuda = std::path::Path::new(&lib).join("libtorch_cuda.so");
        if cuda.exists() {
            // Nothing refers to this library by symbol: without the flag the linker drops it, and
            // the binary runs on the CPU without a word.
            println!(
                "cargo::rustc-link-arg=-Wl,--no-as-needed,{},--as-needed",
                cuda.display()
            );
        }
    }
}

/// The commit that is checked out, with a `+` if files differ from it; the package's version where
/// there is no git.
fn revision() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| said.trim().to_owned())
    };
    let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) else {
        return concat!("version ", env!("CARGO_PKG_VERSION")).to_owned();
    };
    println!("cargo::rerun-if-changed={log}");
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_default();
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let mark = if changed.is_some_and(|changed| !changed.is_empty()) {
        "+"
    } else {
        ""
    };
    format!("{commit}{mark}")
}

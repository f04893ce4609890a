//! Bakes the place of libtorch into the binary, so that it runs without LD_LIBRARY_PATH.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
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

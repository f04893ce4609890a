//! What the fuzz targets share: a limit on memory, and a disk in memory.

mod disk;

pub use disk::MemoryDisk;

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Does something with an input of `bytes` bytes.
///
/// # Panics
/// When it took more than 4 times the input and 16 MiB at once.
pub fn within_memory<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = work();
    let peak = MEMORY.peak_usage().saturating_sub(before);
    let most = 4 * bytes + (16 << 20);
    assert!(
        peak <= most,
        "expected at most {most} bytes of memory for {bytes} bytes of input, found {peak}"
    );
    done
}

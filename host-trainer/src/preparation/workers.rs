//! Work shared out to all cores, each thread with its own networks, under a progress bar.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// Does `work` on every item, in no particular order, with a progress bar on standard error.
///
/// Each of the threads makes its own state by `start`. After an error no further item is begun.
///
/// # Errors
/// The first error in the order of threads.
pub fn on_each<T: Sync, S, E: Send>(
    items: &[T],
    threads: usize,
    noun: &'static str,
    start: impl Fn() -> Result<S, E> + Sync,
    work: impl Fn(&mut S, &T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    if items.is_empty() {
        return Ok(());
    }
    let bar = progress(items.len(), noun);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let thread = || -> Result<(), E> {
        let mut state = start()?;
        while !failed.load(Ordering::Relaxed) {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else {
                break;
            };
            work(&mut state, item)?;
            bar.inc(1);
        }
        Ok(())
    };
    let watched = || {
        let result = thread();
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    };
    let results: Vec<Result<(), E>> = std::thread::scope(|scope| {
        let threads = threads.clamp(1, items.len());
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(watched)).collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    bar.finish_and_clear();
    results.into_iter().collect()
}

fn progress(count: usize, noun: &'static str) -> ProgressBar {
    let template = format!("{{bar:24}} {{pos}}/{{len}} {noun}  {{per_sec}}  ETA {{eta}}");
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn each_item_once_whatever_the_threads() {
        for threads in [1, 2, 7, 1000] {
            let done = Mutex::new(Vec::new());
            let items: Vec<u32> = (0..100).collect();
            on_each(
                &items,
                threads,
                "items",
                || Ok::<_, ()>(()),
                |(), item| {
                    done.lock().unwrap().push(*item);
                    Ok(())
                },
            )
            .unwrap();
            let mut done = done.into_inner().unwrap();
            done.sort_unstable();
            assert_eq!(done, items, "{threads} threads");
        }
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let done = AtomicUsize::new(0);
        let fail_at_three = |(): &mut (), item: &u32| {
            done.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err("three") } else { Ok(()) }
        };
        let items: Vec<u32> = (0..100).collect();
        let result = on_each(&items, 1, "items", || Ok(()), fail_at_three);
        assert_eq!(result, Err("three"));
        assert_eq!(done.into_inner(), 4);
    }
}

//! Work on many pictures on all cores, each thread with networks of its own.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// Does `work` on every item and returns the results in the items' order; `start` makes what a
/// thread works with. An item goes to whichever thread is free; a progress line counts them.
///
/// # Errors
/// The first error of any thread; the others stop soon after.
pub fn map<I: Sync, S, T: Send, E: Send>(
    items: &[I],
    start: impl Fn() -> Result<S, E> + Sync,
    work: impl Fn(&mut S, &I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let bar = progress(items.len());
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let thread = || -> Result<(), E> {
        let mut state = start()?;
        while !failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                break;
            };
            let result = work(&mut state, item)?;
            let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            done.push((index, result));
            bar.inc(1);
        }
        Ok(())
    };
    let watched = || {
        let result = thread();
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        result
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let results: Vec<Result<(), E>> = std::thread::scope(|scope| {
        let threads = cores.min(items.len());
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
    results.into_iter().collect::<Result<(), E>>()?;
    bar.finish();
    let mut done = done
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

fn progress(count: usize) -> ProgressBar {
    let template = "{bar:24} {pos}/{len} faces  {per_sec}  ETA {eta}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_their_items() {
        let items: Vec<u32> = (0..500).collect();
        let doubled: Result<Vec<u32>, ()> = map(&items, || Ok(2), |by, item| Ok(*item * *by));
        assert_eq!(doubled.unwrap(), Vec::from_iter((0..1000).step_by(2)));
        let none: Result<Vec<u32>, ()> = map(&[], || Ok(()), |(), item| Ok(*item));
        assert!(none.unwrap().is_empty());
    }

    #[test]
    fn an_error_of_one_thread_is_the_result() {
        let items: Vec<u32> = (0..500).collect();
        let refuse = |(): &mut (), item: &u32| if *item == 77 { Err(*item) } else { Ok(()) };
        assert_eq!(map(&items, || Ok(()), refuse), Err(77));
        assert_eq!(map(&items, || Err(5), refuse), Err(5));
    }
}

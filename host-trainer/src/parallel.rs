//! Work on many items on several threads, each with networks of its own, under a progress bar.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// How many threads this machine runs at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Does `work` on every item on at most `threads` threads and returns the results in the items'
/// order; `start` makes what a thread works with.
///
/// An item goes to whichever thread is free. A progress bar on stderr counts what `noun` names,
/// of which an item is `weight`; it stays when all is done and goes after an error. After an error
/// no further item is begun.
///
/// # Errors
/// The first error in the order of threads.
pub fn map<I: Sync, S, T: Send, E: Send>(
    items: &[I],
    threads: usize,
    (noun, weight): (&str, impl Fn(&I) -> usize + Sync),
    start: impl Fn() -> Result<S, E> + Sync,
    work: impl Fn(&mut S, &I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let bar = progress(items.iter().map(&weight).sum(), noun);
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
            bar.inc(weight(item) as u64);
        }
        Ok(())
    };
    let watched = || thread().inspect_err(|_| failed.store(true, Ordering::Relaxed));
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
    let result = results.into_iter().collect::<Result<(), E>>();
    match &result {
        Ok(()) => bar.finish(),
        Err(_) => bar.finish_and_clear(),
    }
    result?;
    let mut done = done
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

fn progress(count: usize, noun: &str) -> ProgressBar {
    let template = format!("{{bar:24}} {{pos}}/{{len}} {noun}  {{per_sec}}  ETA {{eta}}");
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: u32) -> Vec<u32> {
        (0..count).collect()
    }

    fn of_one(_: &u32) -> usize {
        1
    }

    #[test]
    fn each_item_once_in_order_whatever_the_threads() {
        for (count, threads) in [(500, 1), (500, 7), (3, 1000), (3, 0), (0, 2)] {
            let calls = AtomicUsize::new(0);
            let double = |by: &mut u32, item: &u32| {
                calls.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(*item * *by)
            };
            let items = items(count);
            let doubled = map(&items, threads, ("items", of_one), || Ok(2), double).unwrap();
            let expected: Vec<u32> = items.iter().map(|item| 2 * item).collect();
            assert_eq!(doubled, expected, "{threads} threads");
            assert_eq!(calls.into_inner(), items.len(), "{threads} threads");
        }
    }

    #[test]
    fn an_error_of_one_thread_is_the_result() {
        let items = items(500);
        let refuse = |(): &mut (), item: &u32| if *item == 77 { Err(*item) } else { Ok(()) };
        let unit = ("items", of_one);
        assert_eq!(map(&items, 4, unit, || Ok(()), refuse), Err(77));
        assert_eq!(map(&items, 4, unit, || Err(5), refuse), Err(5));
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let done = AtomicUsize::new(0);
        let fail_at_three = |(): &mut (), item: &u32| {
            done.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err("three") } else { Ok(()) }
        };
        let result = map(&items(100), 1, ("items", of_one), || Ok(()), fail_at_three);
        assert_eq!(result, Err("three"));
        assert_eq!(done.into_inner(), 4);
    }
}

//! One value between two threads: the newest wins, and whoever waits is woken.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The latest value, and how many came before it.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    held: Mutex<(u64, Option<T>)>,
    news: Condvar,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self {
            held: Mutex::new((0, None)),
            news: Condvar::new(),
        }
    }
}

impl<T: Clone> Latest<T> {
    /// Puts `value` in the place of the one before.
    pub(crate) fn put(&self, value: T) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (held.0 + 1, Some(value));
        drop(held);
        self.news.notify_all();
    }

    /// The latest value and its number when it is above `than`, waiting at most `patience` for it.
    pub(crate) fn wait_newer(&self, than: u64, patience: Duration) -> Option<(u64, T)> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (held, _) = self
            .news
            .wait_timeout_while(held, patience, |held| held.0 <= than)
            .unwrap_or_else(PoisonError::into_inner);
        match &*held {
            (number, Some(value)) if *number > than => Some((*number, value.clone())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_newest_wins_and_is_seen_once() {
        let latest = Latest::default();
        assert_eq!(latest.wait_newer(0, Duration::ZERO), None::<(u64, char)>);
        latest.put('a');
        latest.put('b');
        assert_eq!(latest.wait_newer(0, Duration::ZERO), Some((2, 'b')));
        assert_eq!(latest.wait_newer(2, Duration::ZERO), None);
    }

    #[test]
    fn who_waits_is_woken() {
        let latest = Arc::new(Latest::default());
        let other = Arc::clone(&latest);
        let waiting = std::thread::spawn(move || other.wait_newer(0, Duration::from_secs(60)));
        latest.put(7);
        assert_eq!(waiting.join().unwrap(), Some((1, 7)));
    }
}

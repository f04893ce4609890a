//! Threads that share the work of one operator.
//!
//! A network has a hundred operators of a tenth of a millisecond each: to sleep and be woken between them
//! would take as long as the work. So a thread that helps looks out for the next operator for a while before
//! it sleeps, and whoever is free takes the next piece, so that nobody waits for one who is still waking.

use std::cell::UnsafeCell;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Multiply-adds that are a piece worth handing to another thread: about 10 microseconds.
const WORTH: usize = 1 << 19;
/// Multiply-adds in the time of which a number is copied.
const COPY: usize = 8;
/// Pieces for each thread, so that the one who began late does fewer.
const PIECES: usize = 8;
/// How long a thread looks out for more work before it sleeps.
const LOOKOUT: Duration = Duration::from_micros(200);
/// Looks between two at the clock.
const LOOKS: usize = 64;

/// Threads that share the work of one operator: the one that calls it, and maybe others. All clones are
/// the same threads, which end with the last of them.
#[derive(Clone)]
pub struct Crew {
    helpers: Option<Arc<Helpers>>,
    /// Multiply-adds of a piece.
    worth: usize,
}

impl Crew {
    /// So many threads, the calling one among them, which 0 and 1 leave alone.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub fn of(threads: usize) -> io::Result<Crew> {
        let helpers = (threads > 1).then(|| Helpers::start(threads - 1));
        Ok(Crew {
            helpers: helpers.transpose()?.map(Arc::new),
            worth: WORTH,
        })
    }

    /// One that shares everything, however little.
    #[cfg(test)]
    pub(crate) fn eager(threads: usize) -> Crew {
        let crew = Crew::of(threads).expect("a few threads");
        Crew { worth: 1, ..crew }
    }

    /// How many there are, the calling one among them.
    pub fn threads(&self) -> usize {
        1 + self
            .helpers
            .as_ref()
            .map_or(0, |helpers| helpers.threads.len())
    }

    /// Fills an output by copying, a piece of whole units at a time: which units, and their numbers.
    ///
    /// # Panics
    /// When a piece does, or the output is not of whole units.
    pub fn fill(
        &self,
        mut output: &mut [f32],
        unit: usize,
        fill: impl Fn(Range<usize>, &mut [f32]) + Sync,
    ) {
        assert!(output.len().is_multiple_of(unit), "whole units");
        let pieces = self.pieces(output.len() / unit, COPY * output.len());
        let pieces = pieces.map(|part| (part.clone(), take(&mut output, part.len() * unit)));
        self.share(pieces, |(part, output)| fill(part, output));
    }

    /// Units of work in pieces of nearly equal size, for so many multiply-adds in all; at least one.
    pub(crate) fn pieces(
        &self,
        units: usize,
        multiply_adds: usize,
    ) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let most = match self.threads() {
            1 => 1,
            threads => PIECES * threads,
        };
        let pieces = most.min(units).min(multiply_adds / self.worth).max(1);
        (0..pieces).map(move |i| units * i / pieces..units * (i + 1) / pieces)
    }

    /// Does all pieces of work, each by whatever thread is free, and returns when all are done.
    ///
    /// # Panics
    /// When a piece does.
    pub(crate) fn share<T: Send>(
        &self,
        pieces: impl ExactSizeIterator<Item = T>,
        work: impl Fn(T) + Sync,
    ) {
        match &self.helpers {
            Some(helpers) if pieces.len() > 1 => {
                let slots: Vec<Slot<T>> = pieces.map(Slot::new).collect();
                helpers.share(slots.len(), &|piece| {
                    // SAFETY: each piece's number is handed out once.
                    let taken = unsafe { slots[piece].take() };
                    taken.into_iter().for_each(&work);
                });
            }
            _ => pieces.for_each(work),
        }
    }
}

/// The calling thread alone.
impl Default for Crew {
    fn default() -> Crew {
        Crew {
            helpers: None,
            worth: WORTH,
        }
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} threads", self.threads())
    }
}

/// A piece of work until somebody takes it.
struct Slot<T>(UnsafeCell<Option<T>>);

// SAFETY: whoever calls `take` promises to be the only one.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    fn new(piece: T) -> Slot<T> {
        Slot(UnsafeCell::new(Some(piece)))
    }

    /// # Safety
    /// Not called by two threads at once.
    unsafe fn take(&self) -> Option<T> {
        // SAFETY: the caller's contract.
        unsafe { (*self.0.get()).take() }
    }
}

/// What is being done: lies with the thread that shares it.
struct Job<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    pieces: usize,
    /// The next piece that nobody has taken.
    next: AtomicUsize,
    panicked: AtomicBool,
}

impl Job<'_> {
    /// Takes pieces until none is left.
    fn help(&self) {
        loop {
            let piece = self.next.fetch_add(1, SeqCst);
            if piece >= self.pieces {
                return;
            }
            (self.work)(piece);
        }
    }
}

/// Threads that help, and what they look at.
struct Helpers {
    common: Arc<Common>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Common {
    /// Held while a job is shared: another network meanwhile works alone.
    turn: Mutex<()>,
    /// The job, or null. Whoever uses it has counted itself in `inside` before it looked.
    job: AtomicPtr<Job<'static>>,
    inside: AtomicUsize,
    /// Jobs so far; a thread looks out for another number.
    jobs: AtomicUsize,
    asleep: AtomicUsize,
    ended: AtomicBool,
}

impl Helpers {
    fn start(threads: usize) -> io::Result<Helpers> {
        let mut helpers = Helpers {
            common: Arc::default(),
            threads: vec![],
        };
        for i in 0..threads {
            let common = Arc::clone(&helpers.common);
            let thread = thread::Builder::new().name(format!("network-{i}"));
            helpers.threads.push(thread.spawn(move || common.help())?);
        }
        Ok(helpers)
    }

    /// Does all pieces, the calling thread among those who do.
    fn share(&self, pieces: usize, work: &(dyn Fn(usize) + Sync)) {
        let _turn = match self.common.turn.try_lock() {
            Ok(turn) => turn,
            // A piece panicked here once: that left nothing behind.
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return (0..pieces).for_each(work),
        };
        let job = Job {
            work,
            pieces,
            next: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
        };
        // Also when a piece panics here, nobody is left with the job when this returns.
        let shared = self.common.publish(&job);
        if self.common.asleep.load(SeqCst) > 0 {
            self.threads
                .iter()
                .for_each(|thread| thread.thread().unpark());
        }
        job.help();
        drop(shared);
        assert!(
            !job.panicked.load(SeqCst),
            "a piece of an operator's work panicked"
        );
    }
}

/// A job that others see until this is dropped.
struct Shared<'a>(&'a Common);

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        self.0.job.store(ptr::null_mut(), SeqCst);
        let mut looks: usize = 0;
        while self.0.inside.load(SeqCst) > 0 {
            looks += 1;
            // Whoever works on the last piece may wait for this processor.
            if looks.is_multiple_of(LOOKS) {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}

impl Common {
    fn publish<'a>(&'a self, job: &'a Job<'_>) -> Shared<'a> {
        let job = ptr::from_ref(job).cast::<Job<'static>>();
        self.job.store(job.cast_mut(), SeqCst);
        self.jobs.fetch_add(1, SeqCst);
        Shared(self)
    }

    /// What a helping thread does until the end.
    fn help(&self) {
        let mut seen = 0;
        while self.look_out(seen) {
            seen = self.jobs.load(SeqCst);
            self.inside.fetch_add(1, SeqCst);
            // SAFETY: a job is there until it was made null and nobody is counted inside, and this thread
            // was counted before it looked.
            if let Some(job) = unsafe { self.job.load(SeqCst).as_ref() }
                && catch_unwind(AssertUnwindSafe(|| job.help())).is_err()
            {
                job.panicked.store(true, SeqCst);
            }
            self.inside.fetch_sub(1, SeqCst);
        }
    }

    /// Waits for a job beyond those seen; false at the end.
    fn look_out(&self, seen: usize) -> bool {
        let is_new = || self.jobs.load(SeqCst) != seen || self.ended.load(SeqCst);
        let began = Instant::now();
        while !is_new() {
            for _ in 0..LOOKS {
                if is_new() {
                    break;
                }
                std::hint::spin_loop();
            }
            if began.elapsed() > LOOKOUT {
                self.asleep.fetch_add(1, SeqCst);
                // Whoever shares a job counts it first and then looks for sleepers: one of both sees the other.
                while !is_new() {
                    thread::park();
                }
                self.asleep.fetch_sub(1, SeqCst);
            }
        }
        !self.ended.load(SeqCst)
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.common.ended.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // It catches what panics.
            let _ = thread.join();
        }
    }
}

/// The next so many numbers of what is left of an output.
pub(crate) fn take<'a>(left: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (taken, rest) = std::mem::take(left).split_at_mut(len);
    *left = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pieces_are_done_once_and_before_it_returns() {
        for threads in [1, 2, 3, 8] {
            let crew = Crew::eager(threads);
            for round in 0..2000 {
                let count = round % 40;
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                crew.share(0..count, |piece| {
                    done[piece].fetch_add(1, SeqCst);
                });
                assert!(done.iter().all(|done| done.load(SeqCst) == 1));
                if round % 500 == 0 {
                    thread::sleep(2 * LOOKOUT); // Now all sleep.
                }
            }
        }
    }

    #[test]
    fn two_networks_may_have_one_crew() {
        let crew = Crew::eager(2);
        thread::scope(|scope| {
            for _ in 0..3 {
                let crew = crew.clone();
                scope.spawn(move || {
                    for round in 1..1000 {
                        let sum = AtomicUsize::new(0);
                        crew.share(0..round % 7, |piece| {
                            sum.fetch_add(piece + 1, SeqCst);
                        });
                        let count = round % 7;
                        assert_eq!(sum.into_inner(), count * (count + 1) / 2);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_crew_goes_on() {
        let crew = Crew::eager(3);
        for at in 0..20 {
            let shared = catch_unwind(AssertUnwindSafe(|| {
                crew.share(0..20, |piece| assert_ne!(piece, at));
            }));
            assert!(shared.is_err(), "{at}");
            let sum = AtomicUsize::new(0);
            crew.share(0..20, |piece| {
                sum.fetch_add(piece, SeqCst);
            });
            assert_eq!(sum.into_inner(), 190);
            assert!(helpers_help(&crew), "{at}: left alone");
        }
    }

    /// Whether another thread than this one takes a piece, in a time that any would wake in.
    fn helpers_help(crew: &Crew) -> bool {
        let own = thread::current().id();
        let (began, helped) = (Instant::now(), AtomicBool::new(false));
        crew.share(0..2, |_| {
            if thread::current().id() != own {
                helped.store(true, SeqCst);
            }
            while !helped.load(SeqCst) && began.elapsed() < Duration::from_secs(10) {
                thread::yield_now();
            }
        });
        helped.into_inner()
    }

    #[test]
    fn pieces_are_all_units_once_and_never_too_small() {
        let crew = Crew::of(2).expect("two threads");
        for (units, multiply_adds) in [(7, 0), (7, WORTH), (7, 3 * WORTH), (100, 100 * WORTH)] {
            let pieces: Vec<Range<usize>> = crew.pieces(units, multiply_adds).collect();
            assert!(pieces.len() <= (multiply_adds / WORTH).clamp(1, 2 * PIECES));
            let all: Vec<usize> = pieces.into_iter().flatten().collect();
            assert_eq!(all, (0..units).collect::<Vec<_>>());
        }
        assert_eq!(Crew::default().pieces(100, 100 * WORTH).len(), 1);
    }
}

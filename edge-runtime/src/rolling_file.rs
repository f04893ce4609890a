//! A file of lines that begins anew each day or when it is full; old ones are deleted.
//!
//! ```text
//!   events.jsonl                     what is written now
//!   events-20261127T000000Z.jsonl    what was written until then, the oldest of them deleted first
//! ```
//!
//! A name's time that no right clock can have written (before [`EARLIEST`], or later than now) is set to now, so that
//! a clock that ran wrong neither keeps a file for ever nor has it deleted on the spot.
//!
//! Lines are not synced one by one: whoever writes must not wait for a memory card. A power cut loses the last
//! seconds, and a line that it cut short is ended when the file is next opened.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use shared::gallery::consent::WallTime;

use crate::clock::judge::EARLIEST;

/// How long and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days until a file is deleted, at least 1.
    pub keep_days: u64,
    /// Bytes of all files together, at least [`LEAST_BYTES`].
    pub max_bytes: u64,
}

/// Least that all files together may take.
pub const LEAST_BYTES: u64 = 64 << 10;
/// A file is full when it holds this part of what all may take.
const PARTS: u64 = 8;

impl Retention {
    /// That the numbers make sense; `section` names them in the message.
    pub(crate) fn check(self, section: &str) -> Result<(), String> {
        if !(1..=3650).contains(&self.keep_days) {
            return Err(format!(
                "{section}.keep_days = {}, which is not from 1 to 3650",
                self.keep_days
            ));
        }
        if !(LEAST_BYTES..=1 << 40).contains(&self.max_bytes) {
            return Err(format!(
                "{section}.max_bytes = {}, which is not from {LEAST_BYTES} to {}",
                self.max_bytes,
                1_u64 << 40
            ));
        }
        Ok(())
    }
}

/// The open file, and where its predecessors lie.
#[derive(Debug)]
pub struct RollingFile {
    path: PathBuf,
    retention: Retention,
    file: File,
    bytes: u64,
    day: u64,
    /// The file does not end in a whole line.
    torn: bool,
}

impl RollingFile {
    /// Opens the file at `path`, makes it (mode 600) if there is none, and deletes what is too old at `now`.
    ///
    /// # Errors
    /// Any `io::Error` of opening, renaming or deleting.
    pub fn open(path: &Path, retention: Retention, now: WallTime) -> io::Result<Self> {
        let (file, bytes, torn) = open(path)?;
        let day = written_on(&file, bytes, now)?;
        let mut rolling = Self {
            path: path.to_owned(),
            retention,
            file,
            bytes,
            day,
            torn,
        };
        rolling.roll_if_due(0, now)?;
        rolling.delete_old(now)?;
        Ok(rolling)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line, whose line feed is added here.
    ///
    /// # Errors
    /// Any `io::Error`; what a failed write left is ended before the next line.
    pub fn add(&mut self, line: &str, now: WallTime) -> io::Result<()> {
        self.roll_if_due(line.len() as u64 + 1, now)?;
        let mut text = String::with_capacity(line.len() + 2);
        if self.torn {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        // One write, so that another reader never sees half a line of a healthy disk.
        let written = self.file.write_all(text.as_bytes());
        self.torn = written.is_err();
        self.bytes += text.len() as u64;
        written
    }

    fn roll_if_due(&mut self, more: u64, now: WallTime) -> io::Result<()> {
        let full = self.bytes + more > self.retention.max_bytes / PARTS;
        // Only a later day: a clock that goes back and forth must not begin a file with each line.
        let later = day(now) > self.day;
        if self.bytes == 0 || !(full || later) {
            self.day = self.day.max(day(now));
            return Ok(());
        }
        self.file.sync_data()?;
        fs::rename(&self.path, self.predecessor(now)?)?;
        (self.file, self.bytes, self.torn) = open(&self.path)?;
        self.day = day(now);
        self.delete_old(now)
    }

    /// A name that nothing has yet, later than every possible one there is.
    fn predecessor(&self, now: WallTime) -> io::Result<PathBuf> {
        let latest = self.predecessors()?.into_iter().map(|(at, _)| at);
        let latest = latest.filter(|at| !is_impossible(*at, now)).max();
        let next = latest.map_or(0, |at| at.unix_seconds() + 1);
        let at = WallTime::from_unix_seconds(now.unix_seconds().max(next));
        Ok(self.named(at))
    }

    fn named(&self, at: WallTime) -> PathBuf {
        let (stem, extension) = self.parts();
        let stamp: String = at
            .to_rfc3339()
            .chars()
            .filter(|char| !matches!(char, '-' | ':'))
            .collect();
        self.path
            .with_file_name(format!("{stem}-{stamp}{extension}"))
    }

    /// The name before and after the time.
    fn parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map_or(String::new(), |part| part.to_string_lossy().into_owned())
        };
        let extension = match text(self.path.extension()) {
            none if none.is_empty() => none,
            some => format!(".{some}"),
        };
        (text(self.path.file_stem()), extension)
    }

    /// Predecessors with their times, the oldest first.
    fn predecessors(&self) -> io::Result<Vec<(WallTime, PathBuf)>> {
        let (stem, extension) = self.parts();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder(&self.path))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let stamp = name
                .strip_prefix(&stem)
                .and_then(|rest| rest.strip_prefix('-'))
                .and_then(|rest| rest.strip_suffix(&extension));
            if let Some(at) = stamp.and_then(time_of) {
                found.push((at, entry.path()));
            }
        }
        found.sort();
        Ok(found)
    }

    fn delete_old(&mut self, now: WallTime) -> io::Result<()> {
        if now >= EARLIEST {
            self.set_impossible_times(now)?;
        }
        let mut predecessors = self.predecessors()?;
        let keep = self.retention.keep_days * WallTime::DAY;
        let mut left = self.bytes.max(self.retention.max_bytes / PARTS);
        // From the newest on: what no longer fits goes, and so does all before it.
        predecessors.reverse();
        for (at, path) in predecessors {
            let age = now.unix_seconds().saturating_sub(at.unix_seconds());
            left += fs::metadata(&path)?.len();
            if age > keep || left > self.retention.max_bytes {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn set_impossible_times(&self, now: WallTime) -> io::Result<()> {
        for (at, path) in self.predecessors()? {
            if is_impossible(at, now) {
                fs::rename(&path, self.predecessor(now)?)?;
            }
        }
        Ok(())
    }
}

/// Opens the file; how long it is, and whether its last line is cut short.
fn open(path: &Path) -> io::Result<(File, u64, bool)> {
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if bytes > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok((file, bytes, last != [b'\n']))
}

/// The day that an existing file was last written on, or today where it is empty or from the future.
fn written_on(file: &File, bytes: u64, now: WallTime) -> io::Result<u64> {
    let written = file.metadata()?.modified()?;
    let seconds = written
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Ok(match bytes {
        0 => day(now),
        _ => day(now).min(seconds / WallTime::DAY),
    })
}

/// Whether no right clock can have written this time; a file may be some seconds ahead where several had one time.
fn is_impossible(at: WallTime, now: WallTime) -> bool {
    at < EARLIEST || at.unix_seconds() > now.unix_seconds() + 3600
}

fn day(time: WallTime) -> u64 {
    time.unix_seconds() / WallTime::DAY
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The time in a name: `20261127T000000Z`.
fn time_of(stamp: &str) -> Option<WallTime> {
    if stamp.len() != 16 || !stamp.is_ascii() {
        return None;
    }
    let text = format!(
        "{}-{}-{}:{}:{}",
        &stamp[..4],
        &stamp[4..6],
        &stamp[6..11],
        &stamp[11..13],
        &stamp[13..]
    );
    WallTime::from_rfc3339(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);
    const RETENTION: Retention = Retention {
        keep_days: 7,
        max_bytes: LEAST_BYTES,
    };

    fn after(days: u64) -> WallTime {
        NOON.plus_days(days)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_a_day_and_a_week_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut file = RollingFile::open(&path, RETENTION, NOON).unwrap();
        for day in 0..30 {
            file.add(&format!("{day} morning"), after(day)).unwrap();
            file.add(
                &format!("{day} evening"),
                WallTime::from_unix_seconds(after(day).unix_seconds() + 3600),
            )
            .unwrap();
            assert!(names(folder.path()).len() <= 9, "day {day}");
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "29 morning\n29 evening\n"
        );
        let kept = names(folder.path());
        assert_eq!(
            kept.len(),
            9,
            "today's, and those that ended in the last 7 days: {kept:?}"
        );
        assert_eq!(
            kept[0], "events-20270206T080000Z.jsonl",
            "the file of day 21, ended on day 22"
        );
        assert_eq!(
            fs::read_to_string(folder.path().join(&kept[0])).unwrap(),
            "21 morning\n21 evening\n"
        );
    }

    #[test]
    fn all_files_together_stay_below_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = RollingFile::open(&path, RETENTION, NOON).unwrap();
        let line = "x".repeat(99);
        let mut most = 0;
        for _ in 0..5000 {
            file.add(&line, NOON).unwrap();
            let sum: u64 = names(folder.path())
                .iter()
                .map(|name| fs::metadata(folder.path().join(name)).unwrap().len())
                .sum();
            most = most.max(sum);
        }
        assert!(most <= LEAST_BYTES, "{most}");
        assert!(most > LEAST_BYTES / 2, "{most}");
        // Whole lines only, in each of them.
        for name in names(folder.path()) {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.lines().all(|found| found == line) && text.ends_with('\n'));
        }
    }

    #[test]
    fn the_oldest_goes_first_though_many_end_in_one_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = RollingFile::open(&path, RETENTION, NOON).unwrap();
        for number in 0..3000 {
            file.add(&format!("{number:099}"), NOON).unwrap();
        }
        let mut text = String::new();
        for name in names(folder.path())
            .iter()
            .skip(1)
            .chain([&"log".to_owned()])
        {
            text += &fs::read_to_string(folder.path().join(name)).unwrap();
        }
        let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
        let first = numbers[0];
        assert!(first > 0, "nothing was deleted");
        assert_eq!(numbers, (first..3000).collect::<Vec<_>>());
    }

    #[test]
    fn a_clock_that_ran_wrong_neither_keeps_nor_deletes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        for stamp in ["19700101T000100Z", "20370101T000000Z", "20270110T000000Z"] {
            fs::write(folder.path().join(format!("events-{stamp}.jsonl")), stamp).unwrap();
        }
        fs::write(folder.path().join("events-notes.jsonl"), "somebody's").unwrap();
        // While the clock itself is wrong, nothing is touched.
        drop(RollingFile::open(&path, RETENTION, WallTime::from_unix_seconds(60)).unwrap());
        assert_eq!(names(folder.path()).len(), 5);
        drop(RollingFile::open(&path, RETENTION, NOON).unwrap());
        let now = names(folder.path());
        assert_eq!(
            now,
            [
                "events-20270110T000000Z.jsonl",
                "events-20270115T080000Z.jsonl",
                "events-20270115T080001Z.jsonl",
                "events-notes.jsonl",
                "events.jsonl"
            ]
        );
        drop(RollingFile::open(&path, RETENTION, after(8)).unwrap());
        assert_eq!(names(folder.path()), ["events-notes.jsonl", "events.jsonl"]);
    }

    #[test]
    fn a_line_that_a_power_cut_left_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, "{\"at").unwrap();
        let now = std::time::SystemTime::now();
        let now = now
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        let now = WallTime::from_unix_seconds(now.as_secs());
        let mut file = RollingFile::open(&path, RETENTION, now).unwrap();
        file.add("{}", now).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"at\n{}\n");
    }

    #[test]
    fn a_clock_that_goes_back_and_forth_begins_no_file_with_each_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut file = RollingFile::open(&path, RETENTION, NOON).unwrap();
        for day in [0, 1, 0, 1, 0, 1] {
            file.add("x", after(day)).unwrap();
        }
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn bounds_are_named() {
        let retention = |keep_days, max_bytes| Retention {
            keep_days,
            max_bytes,
        };
        assert!(RETENTION.check("events").is_ok());
        for (wrong, named) in [
            (retention(0, LEAST_BYTES), "events.keep_days = 0"),
            (retention(1, 1), "events.max_bytes = 1"),
        ] {
            assert!(wrong.check("events").unwrap_err().starts_with(named));
        }
    }
}

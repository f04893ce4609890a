//! The mark by which the running kiosk knows that something is updated: it then says so and decides about nobody.
//!
//! A file: its first line is what is updated, its second, if there is one, how far it is in percent. One that is older
//! than [`OLDEST`] by its file's time is a left-over and counts for nothing, so that nothing that failed to remove its mark
//! shuts the kiosk for good; neither does one from the future.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use shared::gallery::consent::WallTime;

use super::config::read_start;

/// Age beyond which a mark counts no more.
pub const OLDEST: Duration = Duration::from_secs(15 * 60);
/// How much of a mark is read, in bytes.
const MAX_BYTES: u64 = 512;
/// How much of its first line is kept, in characters.
const MAX_CHARS: usize = 100;

/// What a mark says.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// What is updated.
    pub what: String,
    /// How far it is, 0 to 1.
    pub progress: f32,
}

impl Mark {
    /// The mark at `path`, if there is one that counts by the wall clock's `now`; an empty path has none.
    pub fn read(path: &Path, now: WallTime) -> Option<Self> {
        if path.as_os_str().is_empty() {
            return None;
        }
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let made = metadata.modified().ok()?;
        let made = made.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        if made.abs_diff(now.unix_seconds()) > OLDEST.as_secs() {
            return None;
        }
        // One that is just being written, or not in UTF-8, is a mark all the same.
        let text = read_start(path, MAX_BYTES).unwrap_or_default();
        let mut lines = text.lines();
        let what = lines.next().unwrap_or_default().trim();
        let percent = lines.next().and_then(|line| line.trim().parse::<u8>().ok());
        Some(Self {
            what: what
                .chars()
                .filter(|char| !char.is_control())
                .take(MAX_CHARS)
                .collect(),
            progress: f32::from(percent.unwrap_or(0).min(100)) / 100.0,
        })
    }
}

/// A mark of ours, which goes when this is dropped, whatever happened.
#[derive(Debug)]
pub struct Marking {
    ours: Option<(PathBuf, String)>,
}

impl Marking {
    /// Puts a mark at `path`. There is none where the path is empty, where its folder is not there (no kiosk has run
    /// since the device was switched on), or where somebody else's mark counts already.
    ///
    /// # Errors
    /// What the system says when it cannot be written: the kiosk then goes on greeting meanwhile.
    pub fn begin(path: &Path, what: &str, now: WallTime) -> io::Result<Self> {
        let has_folder = path.parent().is_some_and(Path::is_dir);
        if !has_folder || Mark::read(path, now).is_some() {
            return Ok(Self { ours: None });
        }
        let marking = Self {
            ours: Some((path.to_owned(), what.to_owned())),
        };
        marking.write(0)?;
        Ok(marking)
    }

    /// No mark.
    pub fn none() -> Self {
        Self { ours: None }
    }

    /// It is so many percent done; that the mark stays young is the purpose too.
    pub fn progress(&self, percent: u8) {
        if let Err(error) = self.write(percent) {
            tracing::debug!(%error, "the mark of an update stays as it is");
        }
    }

    fn write(&self, percent: u8) -> io::Result<()> {
        match &self.ours {
            Some((path, what)) => fs::write(path, format!("{what}\n{percent}\n")),
            None => Ok(()),
        }
    }
}

impl Drop for Marking {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.ours
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(%error, "the mark of an update stays; it counts for 15 minutes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> WallTime {
        crate::command::now()
    }

    #[test]
    fn a_mark_says_what_and_how_far() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("updating");
        assert_eq!(Mark::read(&path, now()), None);
        for (text, what, progress) in [
            (
                &b"model usher-small-7\n42\n"[..],
                "model usher-small-7",
                0.42,
            ),
            (b"the whole system", "the whole system", 0.0),
            (b"", "", 0.0),
            (b"a\n300\n", "a", 0.0),
            (b"a\n101\n", "a", 1.0),
            (b"\x1b[2Ja\nx\n", "[2Ja", 0.0),
            (b"\xff\xfe", "", 0.0),
        ] {
            fs::write(&path, text).unwrap();
            let mark = Mark::read(&path, now()).unwrap();
            assert_eq!((mark.what.as_str(), mark.progress), (what, progress));
        }
        assert_eq!(Mark::read(Path::new(""), now()), None);
        assert_eq!(
            Mark::read(folder.path(), now()),
            None,
            "a folder is no mark"
        );
    }

    #[test]
    fn a_left_over_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("updating");
        fs::write(&path, "x").unwrap();
        let made = now().unix_seconds();
        for (now, counts) in [
            (made + 14 * 60, true),
            (made + 16 * 60, false),
            (made - 14 * 60, true),
            (made - 16 * 60, false),
            (0, false),
        ] {
            let now = WallTime::from_unix_seconds(now);
            assert_eq!(Mark::read(&path, now).is_some(), counts, "{now:?}");
        }
    }

    #[test]
    fn ours_goes_and_anothers_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("updating");
        let marking = Marking::begin(&path, "a model", now()).unwrap();
        marking.progress(30);
        assert_eq!(Mark::read(&path, now()).unwrap().progress, 0.3);
        let second = Marking::begin(&path, "another", now()).unwrap();
        second.progress(90);
        drop(second);
        assert_eq!(Mark::read(&path, now()).unwrap().what, "a model");
        drop(marking);
        assert!(!path.exists());
        let failed = std::panic::catch_unwind(|| {
            let _marking = Marking::begin(&path, "a model", now()).unwrap();
            panic!("on the way");
        });
        assert!(failed.is_err() && !path.exists());
        let nowhere = folder.path().join("no/updating");
        drop(Marking::begin(&nowhere, "x", now()).unwrap());
        assert!(!nowhere.exists());
        fs::write(&path, "left over").unwrap();
        let later = WallTime::from_unix_seconds(now().unix_seconds() + 3600);
        drop(Marking::begin(&path, "x", later).unwrap());
        assert!(!path.exists(), "a left-over is taken over");
    }
}

//! What was done, a line of JSON for each photo, written as soon as its face lies on disk.
//!
//! A run that is killed goes on from here. A line counts once it ends in a line feed; the face it
//! tells of was synced and renamed before. A photo whose length or time of change is no longer
//! the line's is done again; its later line counts.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cause::Cause;
use super::cut::Measures;
use super::scan::Photo;
use super::settings::{Settings, differences};

/// Name of the journal in the folder of the aligned set.
pub const NAME: &str = "prepare.journal";

/// Identity and name of a photo.
pub type Key = (String, String);

/// What became of a photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The photo's identity.
    pub identity: String,
    /// The photo's file name.
    pub photo: String,
    /// The photo's length in bytes.
    pub bytes: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// What was found.
    #[serde(flatten)]
    pub found: Found,
}

/// What was found in a photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// A face, cut.
    Cut(Measures),
    /// None that can be used.
    LeftOut {
        /// Why.
        cause: Cause,
        /// More of it in words, perhaps nothing.
        detail: String,
    },
}

/// Which pictures of an identity are unlike its others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgment {
    /// The identity.
    pub identity: String,
    /// Digest of the pictures that were compared.
    pub of: String,
    /// Those which are unlike the others.
    pub outliers: Vec<Outlier>,
}

/// A picture unlike its identity's others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    /// The photo's file name.
    pub photo: String,
    /// Its mean cosine to the identity's others.
    pub similarity: f32,
    /// The median of that over the identity's pictures.
    pub median: f32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Settings(BTreeMap<String, Value>),
    Photo(Record),
    Judgment(Judgment),
}

/// Why a folder cannot be prepared into.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another `prepare` writes there.
    #[error("another `prepare` is writing into {folder}; wait for it, or choose another --out")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// There is something which no `prepare` of this kind has made.
    #[error(
        "expected {folder} to be empty or made by `prepare`, found {found} in it and no {NAME}; choose another --out, or empty it"
    )]
    NotOurs {
        /// The folder.
        folder: PathBuf,
        /// Something that lies there.
        found: String,
    },
    /// An earlier run had other settings.
    #[error(
        "{folder} was prepared with other settings ({differences}); choose another --out, the same settings to go on with it, or --overwrite to make it anew"
    )]
    Settings {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        differences: String,
    },
}

/// An open journal, this process's alone.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    done: Mutex<Done>,
}

/// What a journal tells.
#[derive(Debug, Default)]
pub struct Done {
    /// By identity and photo.
    pub records: BTreeMap<Key, Record>,
    /// By identity.
    pub judgments: BTreeMap<String, Judgment>,
}

impl Journal {
    /// Opens the journal of a folder, or begins it; `overwrite` clears what an earlier run made.
    ///
    /// # Errors
    /// [`JournalError`] if the folder is in use, holds something else, or other settings made it.
    pub fn open(
        folder: &Path,
        settings: &Settings,
        overwrite: bool,
        clear: impl Fn(&Done) -> std::io::Result<()>,
    ) -> Result<Journal, JournalError> {
        let path = folder.join(NAME);
        let io = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        let settings = settings.fields().map_err(|error| io(error.into()))?;
        let fresh = !path.exists();
        if fresh {
            refuse_others(folder)?;
        }
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::InUse {
                folder: folder.to_owned(),
            },
            TryLockError::Error(source) => io(source),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let (earlier, mut done, sound) = parse(&bytes);
        let mut end = sound;
        match earlier {
            Some(_) if overwrite => {
                clear(&done).map_err(io)?;
                (done, end) = (Done::default(), 0);
            }
            Some(earlier) => {
                let differences = differences(&earlier, &settings);
                if !differences.is_empty() {
                    return Err(JournalError::Settings {
                        folder: folder.to_owned(),
                        differences,
                    });
                }
            }
            // Killed before its first line was whole: nothing was made yet.
            None => refuse_others(folder)?,
        }
        file.set_len(end).map_err(io)?;
        file.seek(SeekFrom::Start(end)).map_err(io)?;
        let journal = Journal {
            path: path.clone(),
            file,
            done: Mutex::new(done),
        };
        if end == 0 {
            journal.write(&Line::Settings(settings))?;
        }
        Ok(journal)
    }

    /// What was done so far.
    pub fn done(&self) -> MutexGuard<'_, Done> {
        self.done
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Keeps what became of a photo; its face must lie on disk before.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub fn photo(&self, record: Record) -> Result<(), JournalError> {
        let mut done = self.done();
        self.write(&Line::Photo(record.clone()))?;
        let key = (record.identity.clone(), record.photo.clone());
        done.records.insert(key, record);
        Ok(())
    }

    /// Keeps a judgment.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub fn judgment(&self, judgment: Judgment) -> Result<(), JournalError> {
        let mut done = self.done();
        self.write(&Line::Judgment(judgment.clone()))?;
        done.judgments.insert(judgment.identity.clone(), judgment);
        Ok(())
    }

    /// One write for the whole line, so that what a kill leaves is a beginning of it at most.
    fn write(&self, line: &Line) -> Result<(), JournalError> {
        let write = || {
            let mut text = serde_json::to_string(line)?;
            text.push('\n');
            (&self.file).write_all(text.as_bytes())
        };
        write().map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })
    }
}

impl Record {
    /// Whether it tells of this photo as it is now.
    ///
    /// What the system refused to read it may allow today, and no time of change tells that.
    pub fn is_of(&self, photo: &Photo) -> bool {
        let unreadable = matches!(
            self.found,
            Found::LeftOut {
                cause: Cause::Unreadable,
                ..
            }
        );
        !unreadable && self.bytes == photo.bytes && self.modified_ns == photo.modified_ns
    }
}

/// The settings, what was done, and how many bytes of it are sound.
fn parse(bytes: &[u8]) -> (Option<BTreeMap<String, Value>>, Done, u64) {
    let (mut settings, mut done, mut sound) = (None, Done::default(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let parsed = line.ends_with(b"\n").then(|| serde_json::from_slice(line));
        match parsed {
            Some(Ok(Line::Settings(found))) if settings.is_none() => settings = Some(found),
            Some(Ok(Line::Photo(record))) if settings.is_some() => {
                let key = (record.identity.clone(), record.photo.clone());
                done.records.insert(key, record);
            }
            Some(Ok(Line::Judgment(judgment))) if settings.is_some() => {
                done.judgments.insert(judgment.identity.clone(), judgment);
            }
            // The rest is what a crash left: its photos are done again.
            _ => break,
        }
        sound += line.len() as u64;
    }
    (settings, done, sound)
}

fn refuse_others(folder: &Path) -> Result<(), JournalError> {
    let io = |source| JournalError::Io {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        if name != NAME {
            return Err(JournalError::NotOurs {
                folder: folder.to_owned(),
                found: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

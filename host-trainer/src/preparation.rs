//! Photos become a set of aligned faces, by all cores, and a run that was killed goes on.
//!
//! | step | room |
//! |---|---|
//! | what lies in the folder of photos | [`scan`] |
//! | what an earlier run has done already | [`journal`] |
//! | each other photo: decode, detect, align, measure, write | [`cut`], [`store`], on all cores |
//! | which faces repeat another, which are unlike their identity | [`duplicates`], [`outliers`] |
//! | what stays, from the journal alone | [`decision`] |
//! | tar shards, if asked for | [`shards`] |
//! | counts by cause, and which photos | [`report`] |
//!
//! A face lies on disk before the journal tells of it, and what is decided over several photos is
//! computed anew from the journal each time, so a kill at any moment loses the photos in hand and
//! no more. The set comes out the same whatever the number of threads and kills.

pub mod cause;
pub mod cut;
pub mod decision;
pub mod duplicates;
pub mod journal;
pub mod outliers;
pub mod report;
pub mod scan;
pub mod settings;
pub mod shards;
pub mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use shared::{Detector, DetectorError, Embedder, EmbedderError};

use cause::Cause;
use cut::{CutError, Cutter, Outcome};
use decision::{Decided, candidates_digest, decide, is_candidate, same_identity};
use journal::{Done, Found, Journal, JournalError, Judgment, Record};
use outliers::OutlierError;
use report::Report;
use scan::{Photo, Scan};
use settings::Settings;
use store::Store;

use crate::dataset::DatasetError;
use crate::parallel;

/// Fewest photos of which a share may be too bad.
const FEWEST_FOR_SHARE: usize = 20;

/// What is prepared, into where and by what.
#[derive(Clone, Debug)]
pub struct Preparation {
    /// Photos, a folder per identity.
    pub photos: PathBuf,
    /// Where the aligned set goes.
    pub out: PathBuf,
    /// The face detector's file.
    pub detector: PathBuf,
    /// The model's manifest by which outliers are told.
    pub model: Option<PathBuf>,
    /// What decides how the set comes out.
    pub settings: Settings,
    /// Greatest share of photos that cannot be used, 0 to 1.
    pub max_bad: f64,
    /// How many photos are worked on at once.
    pub threads: usize,
    /// Whether what an earlier run with a journal made is removed first.
    pub overwrite: bool,
}

/// Why a set could not be prepared. What was done stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PreparationError {
    /// The photos cannot be listed.
    #[error(transparent)]
    Photos(#[from] DatasetError),
    /// The folder of the set cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The set would lie among its photos.
    #[error("expected --out outside of the photos, found {out} in {photos}; choose another --out")]
    Inside {
        /// The folder of the set.
        out: PathBuf,
        /// The folder of photos.
        photos: PathBuf,
    },
    /// The detector does not load.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The model does not load.
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
    /// A photo shows a fault of ours.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// Outliers cannot be looked for.
    #[error(transparent)]
    Outliers(#[from] OutlierError),
    /// The file system refused.
    #[error("cannot write into {path}: {source}")]
    Io {
        /// The folder of the set.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too many photos cannot be used.
    #[error(
        "expected at most {allowed:.0} % of {photos} photos that cannot be used, found {bad} already: {causes}; mend or remove them, or allow more by --max-bad"
    )]
    TooManyBad {
        /// The greatest share, in percent.
        allowed: f64,
        /// Photos there are.
        photos: usize,
        /// Photos that cannot be used, so far.
        bad: usize,
        /// The most common causes with examples.
        causes: String,
    },
}

/// Prepares the set and writes its report.
///
/// # Errors
/// [`PreparationError`]; that a single photo cannot be used is none.
pub fn prepare(preparation: &Preparation) -> Result<Report, PreparationError> {
    let Preparation { out, settings, .. } = preparation;
    let io = |source| PreparationError::Io {
        path: out.clone(),
        source,
    };
    let scan = scan::scan(&preparation.photos, settings.follow_symlinks)?;
    std::fs::create_dir_all(out).map_err(io)?;
    refuse_inside(preparation).map_err(io)??;
    let store = Store::new(out, settings.shard_mib.is_some());
    let clear = |done: &Done| store.clear(done.records.keys());
    let journal = Journal::open(out, settings, preparation.overwrite, clear)?;
    store.remove_temporary().map_err(io)?;

    let run = Run {
        preparation,
        scan: &scan,
        store: &store,
        journal: &journal,
    };
    let new: Vec<&Photo> = scan
        .photos
        .iter()
        .filter(|photo| run.is_new(photo))
        .collect();
    if !new.is_empty() {
        // While there is no report, the set is not finished.
        store.remove_report().map_err(io)?;
    }
    run.cut_all(&new)?;
    if let Some(report) = run.finished_shards() {
        store.remove_waiting().map_err(io)?;
        return Ok(report);
    }
    run.cut_missing()?;
    run.judge_all()?;
    run.finish().map_err(io)
}

/// `out` is removed again if it was made in there.
fn refuse_inside(preparation: &Preparation) -> std::io::Result<Result<(), PreparationError>> {
    let (out, photos) = (&preparation.out, &preparation.photos);
    let inside = out.canonicalize()?.starts_with(photos.canonicalize()?);
    if !inside {
        return Ok(Ok(()));
    }
    // With something in it, it stays.
    let _ = std::fs::remove_dir(out);
    Ok(Err(PreparationError::Inside {
        out: out.clone(),
        photos: photos.clone(),
    }))
}

struct Run<'a> {
    preparation: &'a Preparation,
    scan: &'a Scan,
    store: &'a Store,
    journal: &'a Journal,
}

/// An identity to judge: its name, the digest of its candidates, and their faces as photo and file.
type Unjudged = (String, String, Vec<(String, PathBuf)>);

impl Run<'_> {
    fn is_new(&self, photo: &Photo) -> bool {
        let key = (photo.identity.clone(), photo.name.clone());
        let done = self.journal.done();
        !done
            .records
            .get(&key)
            .is_some_and(|record| record.is_of(photo))
    }

    fn cut_all(&self, photos: &[&Photo]) -> Result<(), PreparationError> {
        let Preparation {
            settings, detector, ..
        } = self.preparation;
        let bad = AtomicUsize::new(self.bad_before(photos));
        self.refuse_share(bad.load(Ordering::Relaxed))?;
        parallel::map(
            photos,
            self.preparation.threads,
            ("photos", |_| 1),
            || -> Result<Cutter, PreparationError> {
                let detector = Detector::load(detector, settings.detector_side)?;
                Ok(Cutter::new(detector, settings.faces, settings.limits))
            },
            |cutter, photo| {
                let found = match cutter.cut(&photo.path)? {
                    Outcome::Cut { jpeg, measures } => {
                        let written = self.store.write(&photo.identity, &photo.name, &jpeg);
                        written.map_err(|source| PreparationError::Io {
                            path: self.store.path(&photo.identity, &photo.name),
                            source,
                        })?;
                        Found::Cut(measures)
                    }
                    Outcome::LeftOut { cause, detail } => Found::LeftOut { cause, detail },
                };
                let is_bad = matches!(&found, Found::LeftOut { cause, .. } if cause.is_bad());
                self.journal.photo(Record {
                    identity: photo.identity.clone(),
                    photo: photo.name.clone(),
                    bytes: photo.bytes,
                    modified_ns: photo.modified_ns,
                    found,
                })?;
                if is_bad {
                    self.refuse_share(bad.fetch_add(1, Ordering::Relaxed) + 1)?;
                }
                Ok(())
            },
        )?;
        Ok(())
    }

    /// Photos that cannot be used, by what is known before these are looked at.
    fn bad_before(&self, new: &[&Photo]) -> usize {
        let new: BTreeSet<&Path> = new.iter().map(|photo| photo.path.as_path()).collect();
        let done = self.journal.done();
        let decided = decide(&self.scan.photos, &done, &self.preparation.settings);
        let old = decided
            .iter()
            .filter(|one| !new.contains(one.photo.path.as_path()));
        let is_bad = |one: &&Decided| matches!(&one.left_out, Some((cause, _)) if cause.is_bad());
        self.scan.skipped.len() + old.filter(is_bad).count()
    }

    /// An error once so many cannot be used that the whole has more than its share, come what may.
    fn refuse_share(&self, bad: usize) -> Result<(), PreparationError> {
        let photos = self.scan.len();
        let allowed = self.preparation.max_bad * photos as f64;
        if photos < FEWEST_FOR_SHARE || bad as f64 <= allowed {
            return Ok(());
        }
        let done = self.journal.done();
        let decided = decide(&self.scan.photos, &done, &self.preparation.settings);
        let report = Report::new(self.scan, &decided, &self.preparation.settings);
        Err(PreparationError::TooManyBad {
            allowed: 100.0 * self.preparation.max_bad,
            photos,
            bad,
            causes: most_common_causes(&report),
        })
    }

    /// The report of a finished run with shards, if nothing has changed since.
    fn finished_shards(&self) -> Option<Report> {
        let Preparation { settings, out, .. } = self.preparation;
        settings.shard_mib?;
        let earlier = Report::read(out)?;
        let done = self.journal.done();
        let decided = decide(&self.scan.photos, &done, settings);
        let now = Report {
            shards: earlier.shards,
            ..Report::new(self.scan, &decided, settings)
        };
        let there = shards::list(out).ok()?.len();
        (now == earlier && now.shards == Some(there)).then_some(now)
    }

    /// Cuts again what should be there and is not: removed by hand, or once a duplicate of a photo
    /// that is no longer there.
    fn cut_missing(&self) -> Result<(), PreparationError> {
        let Preparation { settings, out, .. } = self.preparation;
        if settings.shard_mib.is_some() {
            // A damaged shard gives what it can; the rest is cut again.
            let _ = shards::unpack(out, self.store.faces());
        }
        let missing: Vec<Photo> = {
            let done = self.journal.done();
            let decided = decide(&self.scan.photos, &done, settings);
            let kept = decided.iter().filter(|one| one.is_kept());
            let photos = kept.map(|one| one.photo);
            photos
                .filter(|photo| !self.store.path(&photo.identity, &photo.name).exists())
                .cloned()
                .collect()
        };
        self.cut_all(&missing.iter().collect::<Vec<_>>())
    }

    fn judge_all(&self) -> Result<(), PreparationError> {
        let (Some(settings), Some(model)) =
            (&self.preparation.settings.outliers, &self.preparation.model)
        else {
            return Ok(());
        };
        let unjudged = self.unjudged();
        parallel::map(
            &unjudged,
            self.preparation.threads,
            ("identities", |_| 1),
            || -> Result<_, PreparationError> { Ok(Embedder::load(model)?) },
            |embedder, (identity, of, faces)| {
                let outliers = outliers::find(embedder, faces, settings.drop)?;
                let judgment = Judgment {
                    identity: identity.clone(),
                    of: of.clone(),
                    outliers,
                };
                Ok(self.journal.judgment(judgment)?)
            },
        )?;
        Ok(())
    }

    /// Identities with enough faces whose judgment is missing or of other pictures.
    fn unjudged(&self) -> Vec<Unjudged> {
        let done = self.journal.done();
        let decided = decide(&self.scan.photos, &done, &self.preparation.settings);
        let mut unjudged = Vec::new();
        for identity in decided.chunk_by(same_identity) {
            let name = &identity[0].photo.identity;
            let of = candidates_digest(identity);
            let judged = done.judgments.get(name).is_some_and(|old| old.of == of);
            let candidates = identity.iter().filter(|one| is_candidate(one));
            let faces: Vec<(String, PathBuf)> = candidates
                .map(|one| &one.photo.name)
                .map(|photo| (photo.clone(), self.store.path(name, photo)))
                .collect();
            if !judged && faces.len() >= outliers::FEWEST {
                unjudged.push((name.clone(), of, faces));
            }
        }
        unjudged
    }

    /// Removes the faces that are not kept, packs the shards, writes the report.
    fn finish(&self) -> std::io::Result<Report> {
        let Preparation { settings, out, .. } = self.preparation;
        let done = self.journal.done();
        let decided = decide(&self.scan.photos, &done, settings);
        let kept: BTreeSet<(&str, &str)> = decided
            .iter()
            .filter(|one| one.is_kept())
            .map(|one| (&one.photo.identity[..], &one.photo.name[..]))
            .collect();
        for (identity, photo) in done.records.keys() {
            if !kept.contains(&(&identity[..], &photo[..])) {
                self.store.remove(identity, photo)?;
            }
        }
        let mut report = Report::new(self.scan, &decided, settings);
        if let Some(mib) = settings.shard_mib {
            let mut identities: BTreeMap<&str, shards::Members> = BTreeMap::new();
            for (identity, photo) in kept {
                let member = format!("{identity}/{}", store::member(photo));
                let members = identities.entry(identity).or_default();
                members.push((member, self.store.path(identity, photo)));
            }
            let identities: Vec<shards::Members> = identities.into_values().collect();
            report.shards = Some(shards::write(out, &identities, u64::from(mib) << 20)?);
        }
        report.write(out)?;
        if settings.shard_mib.is_some() {
            self.store.remove_waiting()?;
        }
        Ok(report)
    }
}

/// The three most common causes that a photo cannot be used for, each with an example.
fn most_common_causes(report: &Report) -> String {
    let mut causes: Vec<(Cause, usize)> = report
        .left_out
        .iter()
        .map(|(cause, count)| (*cause, *count))
        .filter(|(cause, _)| cause.is_bad())
        .collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = causes.into_iter().take(3).map(|(cause, count)| {
        let photo = report.photos_left_out.iter().find(|one| one.cause == cause);
        let photo = photo.map_or(String::new(), |one| one.photo.escape_debug().to_string());
        format!("{cause} {count} (e.g. {photo})")
    });
    told.collect::<Vec<_>>().join(", ")
}

//! Networks and gallery of `usher run`: loaded, tested, and held while it runs.

use std::io::ErrorKind;
use std::path::PathBuf;

use shared::gallery::options::{Asking, Keys};
use shared::gallery::store::Condition;
use shared::gallery::{Gallery, GalleryError, GalleryStore};
use shared::model_id::{ModelId, sha256_hex};
use shared::pipeline::Pipeline;

use crate::command::pipeline;
use crate::command::sealing::{Held, NewGallery, by};
use crate::config::Config;
use crate::desk::Desk;
use crate::desk::pin::Gate;
use crate::desk::pin::uptime::Uptime;
use crate::desk::words::Words;
use crate::kiosk::Kiosk;
use crate::likeness::{AGREEMENT_POINT, Judgement};
use crate::live::{OpenDesk, Opened};
use crate::liveness::guard::Need;
use crate::liveness::presentation::report;
use crate::liveness::setup;
use crate::screen;
use crate::self_test;
use crate::status::LivenessStatus;

/// What a run opens.
pub(super) struct Opening {
    pub(super) held: Held,
    pub(super) operating_point: Option<String>,
    /// Of the settings.
    pub(super) folder: PathBuf,
}

/// A gallery, and who may change it.
enum Holding {
    /// This process alone.
    Ours(Box<GalleryStore>),
    /// Somebody else, or nobody.
    ReadOnly(Box<Gallery>),
}

impl Holding {
    fn gallery(&self) -> &Gallery {
        match self {
            Self::Ours(store) => store.gallery(),
            Self::ReadOnly(gallery) => gallery,
        }
    }
}

impl Opening {
    /// Detector and embedder.
    pub(super) fn pipeline(&self, config: &Config) -> anyhow::Result<Pipeline> {
        let kiosk = &config.kiosk;
        pipeline(&kiosk.detector(), &kiosk.model, kiosk.threads)
    }

    /// The kiosk for a recording: nobody is enrolled at it, and no check for a living person is on.
    pub(super) fn kiosk(&self, config: &Config) -> anyhow::Result<(Kiosk, Option<GalleryStore>)> {
        let pipeline = self.pipeline(config)?;
        let model = pipeline.embedder().manifest().model_id();
        let keys = self.held.keys.keys(Asking::Once)?;
        let held = self.gallery(&keys, &model)?;
        self.with(pipeline, held, config)
    }

    /// Everything that a live kiosk needs.
    pub(super) fn live(
        self,
        config: &Config,
        consent_text: String,
        model_source: String,
    ) -> anyhow::Result<Opened> {
        let mut pipeline = self.pipeline(config)?;
        let self_test = self_test::run(&mut pipeline, &config.kiosk.model)?;
        let manifest = pipeline.embedder().manifest().clone();
        let model = manifest.model_id();
        let has_desk = config.desk.pin_file.exists();
        let keys = self.held.keys.keys(Asking::Once)?;
        let held = match self.gallery(&keys, &model) {
            Err(error)
                if matches!(
                    error.downcast_ref::<GalleryError>(),
                    Some(GalleryError::Missing { .. })
                ) =>
            {
                // The first person can be enrolled at the kiosk, where somebody may unlock its desk.
                if !has_desk {
                    return Err(error.context(format!(
                        "nobody can be enrolled at this kiosk yet: expected an operator's PIN at {}, found none; \
                         set one (usher pin set NAME; on an image: step 3 of docs/from-box-to-greeting.md)",
                        config.desk.pin_file.display()
                    )));
                }
                let new = NewGallery::default();
                let made = (model, manifest.dimension);
                Holding::Ours(Box::new(self.held.create(
                    &keys,
                    made,
                    &new,
                    by("kiosk"),
                )?))
            }
            held => held?,
        };
        let gallery_sha256 = std::fs::read(&self.held.gallery)
            .map(|bytes| sha256_hex(&bytes))
            .unwrap_or_default();
        let (kiosk, store) = self.with(pipeline, held, config)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| {
            anyhow::anyhow!("expected random numbers from the system, found: {error}; start again")
        })?;
        let rate = config.recognition.most_frames_per_second;
        let guard = setup::guard(&config.liveness, &self.folder, rate, seed)?;
        let liveness = setup::status(&config.liveness);
        let liveness_claim =
            report::claim(&config.liveness, &self.folder).unwrap_or_else(|error| error.to_string());
        let desk = match (store, has_desk) {
            (Some(store), true) => {
                let (language, own) = (config.screen.language, config.screen.words.as_deref());
                let words = Words::of(&screen::words::Words::read(language, own)?)?;
                let judgement = Judgement::new(&manifest, kiosk.decides().point().clone());
                let agreement = manifest.operating_point(AGREEMENT_POINT)?.threshold;
                let desk = Desk::new(
                    config.desk.clone(),
                    config.enrollment,
                    judgement,
                    agreement,
                    consent_text,
                    words,
                );
                let gate = Gate::open(&config.desk.pin_file, &Uptime::now())?;
                let quality = config.recognition.quality;
                Some(OpenDesk::new(desk, store, gate, quality)?)
            }
            (_, false) => {
                tracing::info!(
                    "nobody can be enrolled at the kiosk: no operator has a PIN (usher pin set)"
                );
                None
            }
            (None, true) => None,
        };
        Ok(Opened {
            kiosk,
            guard,
            desk,
            liveness: liveness
                .iter()
                .map(|check| LivenessStatus {
                    check: check.kind.to_string(),
                    on: check.need != Need::Off,
                })
                .collect(),
            liveness_claim,
            self_test: self_test.words(),
            gallery_sha256,
            model_source,
        })
    }

    fn with(
        &self,
        pipeline: Pipeline,
        held: Holding,
        config: &Config,
    ) -> anyhow::Result<(Kiosk, Option<GalleryStore>)> {
        let gallery = held.gallery().clone();
        if gallery.people() == 0 {
            tracing::warn!("the gallery is empty, so everybody is unknown");
        }
        let asked = self.operating_point.as_deref();
        let kiosk = Kiosk::new(pipeline, gallery, asked, config)?;
        let store = match held {
            Holding::Ours(store) => Some(*store),
            Holding::ReadOnly(_) => None,
        };
        Ok((kiosk, store))
    }

    /// The gallery, and what keeps others from changing it: who is removed meanwhile would still be greeted.
    fn gallery(&self, keys: &Keys, model: &ModelId) -> anyhow::Result<Holding> {
        match self.held.open_with(keys, Some(model)) {
            Ok(store) => Ok(Holding::Ours(Box::new(store))),
            // A newer usher's, or one on a read-only disk, may be read, and nothing else.
            Err(GalleryError::Newer { .. }) => self.read_only(keys, model),
            Err(GalleryError::Write { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
                ) =>
            {
                self.read_only(keys, model)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The gallery where it may not be held; an older file in its place is refused all the same.
    fn read_only(&self, keys: &Keys, model: &ModelId) -> anyhow::Result<Holding> {
        let path = &self.held.gallery;
        let (gallery, found) = GalleryStore::inspect(path, Some(model), keys.sealing())?;
        if let Condition::RolledBack { lost } = found.condition() {
            return Err(GalleryError::RolledBack {
                path: path.clone(),
                expected: found.last_sequence + lost,
                found: found.last_sequence,
            }
            .into());
        }
        tracing::warn!(
            "the gallery may only be read: what is changed meanwhile counts from the next start"
        );
        Ok(Holding::ReadOnly(Box::new(gallery)))
    }
}

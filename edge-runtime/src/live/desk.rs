//! The desk at work: what it wants is done here, with the networks, the gallery's file and a thread for slow PINs.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use shared::detector::Detection;
use shared::embedding::Embedding;
use shared::gallery::GalleryStore;
use shared::gallery::consent::WallTime;
use shared::gallery::store::By;
use shared::pipeline::PipelineError;
use shared::quality::{Appearance, Placement, QualityLimits};

use super::outlets::Outlets;
use super::recognition::Word;
use crate::camera::Captured;
use crate::camera::feed::monotonic;
use crate::clock::Timestamp;
use crate::desk::guided::{Face, Glance};
use crate::desk::keep::Kept;
use crate::desk::pin::uptime::Uptime;
use crate::desk::pin::{Gate, PinError};
use crate::desk::view::{DeskView, PinRefusal};
use crate::desk::{Desk, Scene, Wanted};
use crate::event::Happening;
use crate::fault::Fault;
use crate::kiosk::Kiosk;
use crate::likeness::Judgement;
use crate::recognition::hint_for;
use crate::showing::Aim;

/// What became of a PIN: the try, and who it is or why not.
type Verdict = (u64, Result<Result<String, PinRefusal>, PinError>);

/// The desk and what it works with.
pub(crate) struct OpenDesk {
    desk: Desk,
    store: GalleryStore,
    gate: Gate,
    quality: QualityLimits,
    verdicts: (Sender<Verdict>, Receiver<Verdict>),
}

impl OpenDesk {
    /// A locked desk over this gallery.
    ///
    /// # Errors
    /// [`PinError`] when the tries can be neither read nor written.
    pub(crate) fn new(
        mut desk: Desk,
        store: GalleryStore,
        gate: Gate,
        quality: QualityLimits,
    ) -> Result<Self, PinError> {
        let left = gate.left(&Uptime::now())?;
        desk.set_wait(monotonic(), left);
        Ok(Self {
            desk,
            store,
            gate,
            quality,
            verdicts: channel(),
        })
    }

    /// Whose consent has run out is not recognized at the desk either.
    pub(super) fn suspend_expired(&mut self, now: WallTime) {
        self.store.suspend_expired(now);
    }

    /// Whether the screen is the desk's.
    pub(super) fn is_open(&self) -> bool {
        self.desk.is_open()
    }

    /// Whether an operator is at work.
    pub(super) fn is_unlocked(&self) -> bool {
        self.desk.is_unlocked()
    }

    /// What the screen shows; none while it is locked.
    pub(super) fn view(&self, now: Timestamp) -> Option<DeskView> {
        self.desk.view(now)
    }

    /// Takes what was told.
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        wall: WallTime,
        word: Word,
        kiosk: &mut Kiosk,
        outlets: &Outlets,
    ) {
        match word {
            Word::ConsentPages(pages) => self.desk.set_consent_pages(pages),
            Word::Input(input) => self.desk.input(
                &Scene {
                    now,
                    wall,
                    gallery: self.store.gallery(),
                },
                input,
            ),
        }
        self.tick(now, wall, kiosk, outlets);
    }

    /// Time passes: slow PINs are answered, and what is wanted is done.
    pub(super) fn tick(
        &mut self,
        now: Timestamp,
        wall: WallTime,
        kiosk: &mut Kiosk,
        outlets: &Outlets,
    ) {
        while let Ok((ticket, verdict)) = self.verdicts.1.try_recv() {
            self.desk.verified(now, ticket, verdict);
        }
        let gallery = self.store.gallery();
        self.desk.tick(&Scene { now, wall, gallery });
        match self.desk.wants() {
            Wanted::Nothing | Wanted::Embed => {}
            Wanted::Verify { ticket, secret } => {
                let (gate, answer) = (self.gate.clone(), self.verdicts.0.clone());
                let compared =
                    std::thread::Builder::new()
                        .name("pin".to_owned())
                        .spawn(move || {
                            let verdict = gate.verify(&Uptime::now(), &secret);
                            let _ = answer.send((ticket, verdict));
                        });
                if let Err(error) = compared {
                    tracing::error!(%error, "no thread to compare a PIN");
                    let wait = PinRefusal::Wait {
                        left: Duration::from_secs(1),
                    };
                    self.desk.verified(now, ticket, Ok(Err(wait)));
                }
            }
            Wanted::Store { kept, operator, at } => {
                let by = By {
                    operator: &operator,
                    at,
                };
                let stored = self.keep(&kept, by, kiosk, outlets);
                if let Err(fault) = &stored {
                    outlets.tell(Happening::Fault {
                        cause: &fault.cause,
                        remedy: &fault.remedy,
                    });
                }
                self.desk.stored(now, stored);
            }
        }
    }

    /// Looks at a frame for the desk; returns where the face is.
    ///
    /// # Errors
    /// When a network fails.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        wall: WallTime,
        captured: &Captured,
        kiosk: &mut Kiosk,
        outlets: &Outlets,
    ) -> anyhow::Result<Aim> {
        let mut aim = Aim::default();
        if self.desk.is_looking() {
            let glance = glance(captured, kiosk, &self.quality)?;
            let face = glance.face.as_ref().map(|face| face.bounds);
            aim = Aim { face, focus: face };
            let gallery = self.store.gallery();
            self.desk.look(&Scene { now, wall, gallery }, &glance);
        }
        self.tick(now, wall, kiosk, outlets);
        Ok(aim)
    }

    /// Writes it, and lets the kiosk know whom it knows now.
    fn keep(
        &mut self,
        kept: &Kept,
        by: By<'_>,
        kiosk: &mut Kiosk,
        outlets: &Outlets,
    ) -> Result<(), Fault> {
        let failed = |error: &dyn std::fmt::Display| Fault::of_message(error.to_string());
        let who = kept
            .store(&mut self.store, by)
            .map_err(|error| failed(&error))?;
        kiosk
            .replace_gallery(self.store.gallery().clone())
            .map_err(|error| failed(&error))?;
        // Whose consent has run out is not greeted again for somebody else's enrollment.
        kiosk.suspend_expired(by.at);
        let manifest = kiosk.pipeline().embedder().manifest().clone();
        let decides = kiosk.decides().point().clone();
        self.desk.judge_by(Judgement::new(&manifest, decides));
        let name = self.store.gallery().identity(who).map(|known| known.name());
        outlets.tell(Happening::Enrolled {
            identity: who.to_string(),
            name,
            templates: kept.templates(),
            frames: None,
        });
        Ok(())
    }
}

/// What the desk sees of a frame: the largest face, embedded.
fn glance(
    captured: &Captured,
    kiosk: &mut Kiosk,
    quality: &QualityLimits,
) -> Result<Glance, PipelineError> {
    let frame = &captured.frame;
    let size = (frame.width_px(), frame.height_px());
    let mut detections = kiosk.pipeline().detect(frame)?;
    detections.sort_by(|a, b| b.bounds.area().total_cmp(&a.bounds.area()));
    let Some(largest) = detections.first() else {
        return Ok(Glance::default());
    };
    let rival = detections.get(1).map_or(0.0, |next| {
        next.bounds.area() / largest.bounds.area().max(1.0)
    });
    let placement = Placement::of(largest, size);
    let head = placement.head.map(|head| head.pose);
    let (embedding, appearance) = embedded(captured, largest, kiosk)?;
    let mut defects = quality.misplaced(&placement);
    let mut score = 0.0;
    if let Some(appearance) = &appearance {
        defects.extend(quality.blemished(appearance));
        score = quality.weight(&placement, appearance);
    }
    Ok(Glance {
        faces: detections.len(),
        face: Some(Face {
            bounds: largest.bounds,
            rival,
            eye_distance_px: placement.eye_distance_px,
            yaw_degrees: head.map_or(0.0, |pose| pose.yaw_degrees),
            pitch_degrees: head.map_or(0.0, |pose| pose.pitch_degrees),
            roll_degrees: head.map_or(0.0, |pose| pose.roll_degrees),
            score,
            hint: hint_for(&defects),
            embedding,
        }),
    })
}

/// The face as the model sees it and what it looks like; none of it when its landmarks are of no use.
fn embedded(
    captured: &Captured,
    face: &Detection,
    kiosk: &mut Kiosk,
) -> Result<(Option<Embedding>, Option<Appearance>), PipelineError> {
    let pipeline = kiosk.pipeline();
    let aligned = match pipeline.align(&captured.frame, face) {
        Ok(aligned) => aligned,
        Err(PipelineError::Align(_)) => return Ok((None, None)),
        Err(error) => return Err(error),
    };
    let appearance = Appearance::of(&aligned);
    match pipeline.embed(&aligned) {
        Ok(embedding) => Ok((Some(embedding), Some(appearance))),
        Err(PipelineError::Embedder(shared::EmbedderError::Embedding(_))) => {
            Ok((None, Some(appearance)))
        }
        Err(error) => Err(error),
    }
}

//! `usher enroll`: one person's recording becomes a few templates in the gallery.

mod output;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::Args;
use shared::distance::SquaredL2;
use shared::embedder::EmbedderError;
use shared::embedding::Embedding;
use shared::gallery::consent::Clock;
use shared::gallery::options::{Asking, Keys};
use shared::gallery::selection::select;
use shared::gallery::store::By;
use shared::gallery::{
    Consent, Enrollee, Gallery, GalleryError, GalleryStore, IdentityId, MAX_TEMPLATES, NewTemplate,
    name,
};
use shared::pipeline::{Pipeline, PipelineError};

use super::consent::{ConsentTerm, ConsentText};
use super::sealing::{Held, NewGallery, Operator, by, now};
use super::table::{Who, called, counted, day, fields};
use super::{Eyes, PngTarget};
use crate::camera::{Camera, CameraSource, Captured};
use crate::clock::Timestamp;
use crate::enrollment::{Chosen, Enrollment, ONE_OUTLIER_IN};
use crate::event::{EventLog, EventsConfig, Happening};
use crate::likeness::{Judgement, Standing, by_chance, closest, deciding};
use crate::screen::Preview;
use output::Output;

/// How far behind the gallery's newest record a clock may be: two devices' difference, not a clock that fell to 1970.
const MOST_BEHIND_SECONDS: u64 = 3600;

/// How long a live camera is looked at: a willing person needs a third of it.
const LIVE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher enroll \"Ada Lovelace\" --consent standard --camera replay:recordings/ada --gallery people.gallery \\
    --model models/usher-small.toml
  usher enroll --add \"Ada Lovelace\" --label glasses --camera replay:recordings/ada-glasses --gallery people.gallery \\
    --model models/usher-small.toml
  usher enroll --not \"Ada Lovelace\" --camera replay:recordings/stranger --gallery people.gallery \\
    --model models/usher-small.toml

The recording shows this person and nobody else. The gallery is made when it is missing (with its key, unless there is
one), and stays as it was when anything goes wrong. Nobody is enrolled without consent: usher consent prints the
standard text.")]
pub(super) struct Enroll {
    /// The person's name, as the screen will say it
    #[arg(required_unless_present_any = ["add", "not"])]
    name: Option<String>,
    /// Add templates to somebody enrolled, by name or #number: with glasses, after years
    #[arg(long, value_name = "WHO", conflicts_with_all = ["name", "not"])]
    add: Option<Who>,
    /// The face in this recording was taken for WHO and is somebody else's: note it, so that it does not happen again
    #[arg(long, value_name = "WHO", conflicts_with = "name")]
    not: Option<Who>,
    /// The text that the person agreed to: a file, or `standard` for the one that usher consent prints
    #[arg(long, value_name = "FILE|standard", required_unless_present_any = ["add", "not"], conflicts_with = "not")]
    consent: Option<ConsentText>,
    #[command(flatten)]
    term: ConsentTerm,
    #[command(flatten)]
    operator: Operator,
    /// What sets these templates apart: glasses, mask
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Go on though the face looks like somebody's who is enrolled: a twin
    #[arg(long)]
    allow_duplicate: bool,
    #[command(flatten)]
    new: NewGallery,
    #[command(flatten)]
    eyes: Eyes,
    #[command(flatten)]
    held: Held,
    /// Which of the model's thresholds tells whether the frames show one person: a laxer one than that which greets
    #[arg(long, value_name = "NAME", default_value = "verify")]
    agreement_point: String,
    /// Draw the enrollment too: png:DIR, one file for each template and one for the end
    #[arg(long, value_name = "TARGET")]
    screen: Option<PngTarget>,
    /// Add the event to the end of this file
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// What is done with the recording.
enum Deed {
    /// Somebody new is enrolled.
    New { name: String, consent: Consent },
    /// Somebody enrolled gets more templates, perhaps with a new consent.
    Add {
        who: IdentityId,
        consent: Option<Consent>,
    },
    /// Somebody enrolled is not this.
    Not { who: IdentityId },
}

/// What was done.
struct Done {
    who: IdentityId,
    templates: usize,
}

impl Enroll {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let config = self.eyes.config()?;
        let operator = self.operator.name()?;
        let by = by(&operator);
        let mut pipeline = self.eyes.pipeline(&config)?;
        let manifest = pipeline.embedder().manifest().clone();
        let agreement = manifest.operating_point(&self.agreement_point)?.threshold;

        // Everything that can be refused is refused before the person stands in front of the camera.
        let is_new = self.name.is_some() && !self.held.gallery.exists();
        let asking = if is_new { Asking::Twice } else { Asking::Once };
        let keys = self.held.keys.keys(asking)?;
        let store = match self.held.open_with(&keys, Some(&manifest.model_id())) {
            Ok(store) => Some(store),
            Err(GalleryError::Missing { .. }) if is_new => None,
            Err(error) => return Err(error.into()),
        };
        let empty = Gallery::with_form(manifest.model_id(), manifest.dimension, self.new.form());
        let gallery = store.as_ref().map_or(&empty, GalleryStore::gallery);
        let deed = self.deed(gallery, by)?;
        if store.is_some() {
            self.new.check_against(gallery)?;
        }
        let asked = self.eyes.operating_point.as_deref();
        let judgement = Judgement::new(
            &manifest,
            deciding(&manifest, asked, gallery, config.recognition.fpir)?,
        );
        let mut events = self
            .events
            .as_deref()
            .map(|path| EventLog::open(&EventsConfig::at(Some(path)), now()))
            .transpose()?;
        let mut output = Output::open(&self.eyes, self.screen.as_ref())?;

        let place = match &self.eyes.camera {
            CameraSource::Replay(folder) => folder.display().to_string(),
            live => live.to_string(),
        };
        let mut enrollment = Enrollment::new(config.enrollment, place);
        let mut camera = self.eyes.camera.open_with(self.eyes.fps, &config.camera)?;
        let title = deed.title(gallery);
        let last = self.watch(
            camera.as_mut(),
            &mut pipeline,
            &mut enrollment,
            &mut output,
            &title,
        )?;
        let frames = enrollment.frames();
        let chosen = enrollment.finish(agreement)?;

        self.compare(gallery, &chosen, &deed, &judgement)?;
        let seen = seen(&chosen, frames);
        let templates = self.templates(chosen, by);
        let (store, done) = match &deed {
            Deed::New { name, consent } => {
                let enrollee = Enrollee {
                    name: name.clone(),
                    consent: consent.clone(),
                    templates,
                };
                self.enroll(store, &keys, (empty, &enrollee), by)?
            }
            Deed::Add { who, consent } => {
                let mut store = held(store)?;
                let most = config.enrollment.most_templates;
                let templates = add(&mut store, *who, &templates, (most, agreement), by)?;
                if let Some(consent) = consent {
                    store.renew_consent(*who, consent, by)?;
                }
                let who = *who;
                (store, Done { who, templates })
            }
            Deed::Not { who } => {
                let mut store = held(store)?;
                store.add_negative_anchors(*who, &templates, by)?;
                let (who, templates) = (*who, templates.len());
                (store, Done { who, templates })
            }
        };
        self.tell(&store, &deed, &done, &seen, &keys);

        let at = last.as_ref().map_or(Timestamp::default(), |last| last.at);
        if let (Some(events), Deed::New { name, .. }) = (&mut events, &deed) {
            events.write(
                at,
                None,
                Happening::Enrolled {
                    identity: done.who.to_string(),
                    name: Some(name),
                    templates: done.templates,
                    frames: Some(frames),
                },
            )?;
        }
        if let Some(last) = &last {
            output.end(last, &title)?;
        }
        Ok(())
    }

    /// What is to be done, checked as far as it can be without a face.
    fn deed(&self, gallery: &Gallery, by: By<'_>) -> anyhow::Result<Deed> {
        let behind = Clock::judge(by.at, gallery.newest_record());
        if let Clock::Behind(seconds) = behind
            && seconds > MOST_BEHIND_SECONDS
        {
            bail!(
                "expected a clock that is not behind the gallery's newest record of {}, found {}; set the clock",
                day(gallery.newest_record()),
                day(by.at)
            );
        }
        let consent = self
            .consent
            .as_ref()
            .map(|text| text.given(&self.term, by.operator, by.at))
            .transpose()?;
        Ok(match (&self.name, &self.add, &self.not, consent) {
            (Some(name), None, None, Some(consent)) => {
                let name = name::checked(name)?;
                if gallery.named(&name).is_ok() {
                    return Err(GalleryError::NameTaken { name }.into());
                }
                Deed::New { name, consent }
            }
            (None, Some(who), None, consent) => Deed::Add {
                who: who.in_gallery(gallery)?.id(),
                consent,
            },
            (None, None, Some(who), None) => Deed::Not {
                who: who.in_gallery(gallery)?.id(),
            },
            _ => bail!(
                "expected NAME with --consent, --add WHO or --not WHO; see usher enroll --help"
            ),
        })
    }

    /// Looks at all frames; returns the last.
    fn watch(
        &self,
        camera: &mut dyn Camera,
        pipeline: &mut Pipeline,
        enrollment: &mut Enrollment,
        output: &mut Output,
        title: &str,
    ) -> anyhow::Result<Option<Captured>> {
        let mut last = None;
        let begin = Instant::now();
        while let Some(captured) = camera.next_frame()? {
            let detections = pipeline.detect(&captured.frame)?;
            if let Some(face) = enrollment.look(&detections, &captured.origin)? {
                let preview = Preview::of(&captured.frame, Some(face.bounds));
                // Landmarks that are no face's make a useless frame, not a failed enrollment.
                let embedded = pipeline
                    .align(&captured.frame, face)
                    .and_then(|aligned| pipeline.embed(&aligned));
                match embedded {
                    Ok(probe) => enrollment.add(&captured.origin, probe),
                    Err(
                        PipelineError::Align(_)
                        | PipelineError::Embedder(EmbedderError::Embedding(_)),
                    ) => {
                        tracing::debug!(frame = captured.number, "not a usable face")
                    }
                    Err(error) => return Err(error.into()),
                }
                output.progress(&preview, captured.number, title, enrollment.progress())?;
            }
            // A live camera has no end of its own.
            let enough = enrollment.progress().0 >= enrollment.progress().1;
            let ends = self.eyes.camera.is_live() && (enough || begin.elapsed() > LIVE);
            last = Some(captured);
            if ends {
                break;
            }
        }
        Ok(last)
    }

    /// Shows the closest other person, and refuses what looks like a duplicate.
    fn compare(
        &self,
        gallery: &Gallery,
        chosen: &Chosen,
        deed: &Deed,
        judgement: &Judgement,
    ) -> anyhow::Result<()> {
        let own = match deed {
            Deed::New { .. } => None,
            Deed::Add { who, .. } => Some(*who),
            // Whom the stranger was taken for is no other person here.
            Deed::Not { .. } => return Ok(()),
        };
        let Some(nearest) = closest(gallery, &chosen.templates, own) else {
            println!("closest   nobody else is enrolled");
            return Ok(());
        };
        let other = called(gallery, nearest.identity);
        let at = format!("{other} at distance {:.2}", nearest.distance.value());
        let standing = judgement.of(nearest);
        let (point, is) = match standing {
            Standing::Alike => (&judgement.decides, "a match"),
            Standing::Duplicate | Standing::Apart => (&judgement.duplicate, "a possible duplicate"),
        };
        let limit = format!(
            "at most {:.2} ({}) is {is}",
            point.threshold.value(),
            point.name
        );
        let others = gallery.people() - usize::from(own.is_some());
        let chance = by_chance(point, others);
        if standing == Standing::Duplicate && !self.allow_duplicate {
            let chance = chance.map_or(String::new(), |chance| format!(", though {chance}"));
            bail!(
                "expected somebody who is not enrolled, found {at}, where {limit}{chance}; nothing was kept; for the same \
                 person use --add, for a twin or a chance likeness say --allow-duplicate"
            );
        }
        println!("closest   {at}; {limit}");
        if let Some(chance) = chance {
            println!("          {chance}");
        }
        match standing {
            Standing::Apart => {}
            Standing::Alike => eprintln!(
                "warning: this face looks like that of {other}; one of them may be greeted by the other's name"
            ),
            Standing::Duplicate => eprintln!(
                "warning: this face looks very much like that of {other}: the same person enrolled twice, or a twin; one of \
                 them may be greeted by the other's name"
            ),
        }
        Ok(())
    }

    fn templates(&self, chosen: Chosen, by: By<'_>) -> Vec<NewTemplate> {
        let faces = chosen.templates.into_iter();
        faces
            .map(|embedding| NewTemplate {
                embedding,
                label: self.label.clone(),
                taken_at: by.at,
            })
            .collect()
    }

    /// Enrolls somebody new, in a new gallery where there is none.
    fn enroll(
        &self,
        store: Option<GalleryStore>,
        keys: &Keys,
        (mut rehearsal, enrollee): (Gallery, &Enrollee),
        by: By<'_>,
    ) -> anyhow::Result<(GalleryStore, Done)> {
        let mut store = match store {
            Some(store) => store,
            None => {
                // What is unfit for a gallery is unfit for this one too: no empty gallery is left behind.
                rehearsal.enroll(enrollee)?;
                let model = (rehearsal.model(), rehearsal.dimension());
                self.held.create(keys, model, &self.new, by)?
            }
        };
        let who = store.enroll(enrollee, by)?;
        let templates = enrollee.templates.len();
        Ok((store, Done { who, templates }))
    }

    fn tell(&self, store: &GalleryStore, deed: &Deed, done: &Done, seen: &str, keys: &Keys) {
        let gallery = store.gallery();
        let who = called(gallery, done.who);
        let templates = counted(done.templates, "template", "templates");
        let mut lines = vec![match deed {
            Deed::New { .. } => ("enrolled", format!("{who}: {templates} {seen}")),
            Deed::Add { .. } => ("added to", format!("{who}: {templates} now, {seen}")),
            Deed::Not { .. } => ("noted", format!("{templates} as not {who}, {seen}")),
        }];
        if matches!(deed, Deed::Not { .. }) {
            let words = "a face that is closer to these than to the person's own templates is nobody's from now on";
            lines.push(("", words.to_owned()));
        }
        let consent = gallery.identity(done.who).map(|known| known.consent());
        if let (Some(consent), Some(text)) = (consent, &self.consent) {
            let until = day(consent.expires_at());
            lines.push((
                "consent",
                format!("to {text}, before {}, until {until}", consent.operator()),
            ));
        }
        let people = counted(gallery.people(), "person", "people");
        let path = self.held.gallery.display();
        lines.push(("gallery", format!("{path}, {people}, sealed by {keys}")));
        print!("{}", fields(&lines));
        println!("next: {}", self.eyes.next(&self.held.gallery));
    }
}

impl Deed {
    /// The name on the screen.
    fn title(&self, gallery: &Gallery) -> String {
        match self {
            Deed::New { name, .. } => name.clone(),
            Deed::Add { who, .. } | Deed::Not { who } => gallery
                .identity(*who)
                .map_or(String::new(), |known| known.name().to_owned()),
        }
    }
}

/// The store of a deed that needs one, which was opened.
fn held(store: Option<GalleryStore>) -> anyhow::Result<GalleryStore> {
    store.ok_or_else(|| anyhow::anyhow!("expected a gallery, found none; enroll a person first"))
}

/// How many frames were looked at, in words.
fn seen(chosen: &Chosen, frames: u64) -> String {
    let frames = counted(frames as usize, "frame", "frames");
    match chosen.left_out {
        0 => format!("from {frames}"),
        left_out => format!(
            "from {frames}, {} left out that differed",
            counted(left_out, "face", "faces")
        ),
    }
}

/// Adds templates to a person, keeping the best choice of old and new; returns how many there are now.
fn add(
    store: &mut GalleryStore,
    who: IdentityId,
    new: &[NewTemplate],
    (most, agreement): (usize, shared::operating_point::Threshold),
    by: By<'_>,
) -> anyhow::Result<usize> {
    let mut faces = store.gallery().embeddings(who);
    let old = faces.len();
    faces.extend(new.iter().map(|template| template.embedding.clone()));
    let chosen = select(&faces, most, agreement);
    let strange = chosen
        .outliers
        .iter()
        .filter(|&&place| place >= old)
        .count();
    if strange * ONE_OUTLIER_IN > new.len() {
        let own = &faces[..old];
        let distance = |face: &Embedding| {
            own.iter()
                .map(|known| SquaredL2::between(known, face))
                .min()
        };
        let farthest = new
            .iter()
            .filter_map(|template| distance(&template.embedding))
            .max();
        bail!(
            "expected more faces of this person, found {strange} of {} that differ from the templates there are (distance \
             {:.2}, at most {:.2} is one person); nothing was kept; take another recording",
            new.len(),
            farthest.map_or(0.0, SquaredL2::value),
            agreement.value()
        );
    }
    let (mut kept, mut added): (Vec<usize>, Vec<usize>) =
        chosen.kept.into_iter().partition(|&place| place < old);
    added.sort_unstable();
    kept.sort_unstable();
    ensure!(
        !added.is_empty(),
        "expected faces that add something, found none that the templates there are do not cover; nothing was kept; record \
         the person with what is different"
    );
    let added: Vec<_> = added
        .iter()
        .map(|&place| new[place - old].clone())
        .collect();
    if old + added.len() > MAX_TEMPLATES {
        // No room for both, even for a moment.
        let room: Vec<usize> = if kept.is_empty() {
            vec![0]
        } else {
            kept.clone()
        };
        store.keep_templates(who, &room, by)?;
        store.add_templates(who, &added, by)?;
        if kept.is_empty() {
            store.keep_templates(who, &(1..=added.len()).collect::<Vec<_>>(), by)?;
        }
    } else {
        store.add_templates(who, &added, by)?;
        if kept.len() < old {
            kept.extend(old..old + added.len());
            store.keep_templates(who, &kept, by)?;
        }
    }
    Ok(store
        .gallery()
        .identity(who)
        .map_or(0, |known| known.templates().len()))
}

//! A guided capture for somebody: whom it may look like, and which of its faces are kept.

use shared::distance::SquaredL2;
use shared::embedding::Embedding;
use shared::gallery::consent::WallTime;
use shared::gallery::{Consent, Enrollee, Gallery, IdentityId, Nearest, NewTemplate};
use shared::operating_point::Threshold;

use super::guided::{Guided, GuidedError};
use super::keep::Kept;
use super::view::Pose;
use crate::enrollment::{Enrollment, EnrollmentError, EnrollmentRules, ONE_OUTLIER_IN};
use crate::likeness::{Judgement, Standing, by_chance, closest};

/// What the capture is for.
#[derive(Clone)]
pub(super) enum Task {
    /// Somebody new, who has agreed.
    New { name: String, consent: Consent },
    /// Another appearance of somebody.
    Add {
        who: IdentityId,
        name: String,
        label: Option<String>,
        identified: Identified,
    },
}

/// How it is known who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identified {
    /// The gallery recognized them: one face in [`ONE_OUTLIER_IN`] may be far from their templates.
    Recognized,
    /// The operator chose the name from the list: every face has to be close to their templates.
    Chosen,
}

/// A capture under way.
pub(super) struct Capture {
    pub(super) task: Task,
    pub(super) guided: Guided,
    /// Whom the operator has told apart from this person.
    pub(super) twins: Vec<IdentityId>,
}

/// Whom a face looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Likeness {
    pub(super) nearest: Nearest,
    pub(super) standing: Standing,
}

/// Why nothing came of a capture.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error(transparent)]
    Guided(#[from] GuidedError),
    #[error(transparent)]
    Enrollment(#[from] EnrollmentError),
    #[error(
        "expected the person whose appearance is added, found a face that is too far from their templates; take the right name, or enroll the person"
    )]
    NotThisPerson,
    #[error(
        "expected the person whose appearance is added, found a face that is closer to somebody else's templates; take the right name"
    )]
    SomebodyElse,
    #[error("expected somebody who is enrolled, found nobody of that number; choose again")]
    Gone,
    #[error(
        "expected a consent that holds, found one that ran out; ask the person, then run usher gallery consent"
    )]
    ConsentEnded,
    #[error(
        "expected fewer than {most} templates of this person, found {most}; remove the person and enroll them again"
    )]
    Full { most: usize },
}

impl Task {
    /// Whose capture it is.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::New { name, .. } | Self::Add { name, .. } => name,
        }
    }

    /// Another appearance of somebody, who may get one.
    pub(super) fn add(
        gallery: &Gallery,
        who: IdentityId,
        identified: Identified,
        (now, most): (WallTime, usize),
    ) -> Result<Self, CaptureError> {
        let known = gallery.identity(who).ok_or(CaptureError::Gone)?;
        // As the gallery does it: a clock that runs behind the newest record is not believed.
        if known
            .consent()
            .has_expired(now.max(gallery.newest_record()))
        {
            return Err(CaptureError::ConsentEnded);
        }
        if known.templates().len() >= most {
            return Err(CaptureError::Full { most });
        }
        Ok(Self::Add {
            who,
            name: known.name().to_owned(),
            label: None,
            identified,
        })
    }
}

impl Capture {
    pub(super) fn new(task: Task, guided: Guided) -> Self {
        Self {
            task,
            guided,
            twins: Vec::new(),
        }
    }

    /// Whom these faces look like, of those who have not been told apart from this person; for another appearance,
    /// whether they are the person's.
    pub(super) fn compare(
        &self,
        gallery: &Gallery,
        faces: &[Embedding],
        judgement: &Judgement,
        agreement: Threshold,
    ) -> Result<Option<Likeness>, CaptureError> {
        match &self.task {
            Task::New { .. } => Ok(self.alike(gallery, faces, judgement)),
            Task::Add {
                who, identified, ..
            } => {
                is_own(gallery, *who, faces, *identified, agreement)?;
                Ok(None)
            }
        }
    }

    fn alike(
        &self,
        gallery: &Gallery,
        faces: &[Embedding],
        judgement: &Judgement,
    ) -> Option<Likeness> {
        let found = gallery.search_batch(faces).into_iter();
        // Of each face the closest two: when one of them is a known twin, the other may still be a likeness.
        let nearest = match self.twins.as_slice() {
            [] => closest(gallery, faces, None)?,
            twins => found
                .flat_map(|found| [found.best, found.runner_up])
                .flatten()
                .filter(|nearest| !twins.contains(&nearest.identity))
                .min_by_key(|nearest| (nearest.distance, nearest.identity))?,
        };
        let standing = judgement.of(nearest);
        (standing != Standing::Apart).then_some(Likeness { nearest, standing })
    }

    /// The faces that become templates, after outliers are left out.
    pub(super) fn chosen(
        &self,
        gallery: &Gallery,
        rules: EnrollmentRules,
        agreement: Threshold,
        most_of_one: usize,
    ) -> Result<Vec<Embedding>, CaptureError> {
        let has = match &self.task {
            Task::New { .. } => 0,
            Task::Add { who, .. } => gallery
                .identity(*who)
                .ok_or(CaptureError::Gone)?
                .templates()
                .len(),
        };
        let room = most_of_one.saturating_sub(has);
        if room == 0 {
            return Err(CaptureError::Full { most: most_of_one });
        }
        let rules = EnrollmentRules {
            most_templates: rules.most_templates.min(room),
            ..rules
        };
        let mut enrollment = Enrollment::new(rules, "the camera".to_owned());
        for (pose, face) in self.guided.faces() {
            enrollment.add(words(pose), face.clone());
        }
        Ok(enrollment.finish(agreement)?.templates)
    }

    /// What is to be kept.
    pub(super) fn kept(&self, faces: Vec<Embedding>, taken_at: WallTime) -> Kept {
        let label = match &self.task {
            Task::New { .. } => None,
            Task::Add { label, .. } => label.clone(),
        };
        let templates = faces
            .into_iter()
            .map(|embedding| NewTemplate {
                embedding,
                label: label.clone(),
                taken_at,
            })
            .collect();
        match &self.task {
            Task::New { name, consent } => Kept::Enrolled(Enrollee {
                name: name.clone(),
                consent: consent.clone(),
                templates,
            }),
            Task::Add { who, .. } => Kept::Added {
                who: *who,
                templates,
            },
        }
    }
}

impl Likeness {
    /// The chance of it, as a sentence with a space behind it; empty where it was not measured.
    pub(super) fn chance(&self, judgement: &Judgement, people: usize) -> String {
        let point = match self.standing {
            Standing::Duplicate => &judgement.duplicate,
            Standing::Alike | Standing::Apart => &judgement.decides,
        };
        by_chance(point, people).map_or(String::new(), |chance| format!("{chance}. "))
    }
}

/// That the faces are this person's, and nobody else's rather.
fn is_own(
    gallery: &Gallery,
    who: IdentityId,
    faces: &[Embedding],
    identified: Identified,
    agreement: Threshold,
) -> Result<(), CaptureError> {
    let templates = gallery.embeddings(who);
    let to_own = |face: &Embedding| {
        let distances = templates
            .iter()
            .map(|known| SquaredL2::between(known, face));
        distances.min()
    };
    let own: Vec<Option<SquaredL2>> = faces.iter().map(to_own).collect();
    let nearest_own = own
        .iter()
        .flatten()
        .min()
        .copied()
        .ok_or(CaptureError::Gone)?;
    let strange = own
        .iter()
        .filter(|distance| distance.is_none_or(|distance| !agreement.accepts(distance)))
        .count();
    let most_strange = match identified {
        Identified::Recognized => faces.len() / ONE_OUTLIER_IN,
        Identified::Chosen => 0,
    };
    if strange > most_strange {
        return Err(CaptureError::NotThisPerson);
    }
    if closest(gallery, faces, Some(who)).is_some_and(|other| other.distance < nearest_own) {
        return Err(CaptureError::SomebodyElse);
    }
    Ok(())
}

/// Where a face was taken, for a message.
fn words(pose: Pose) -> &'static str {
    match pose {
        Pose::Straight => "the look straight ahead",
        Pose::Left => "the look to the left",
        Pose::Right => "the look to the right",
        Pose::Up => "the look up",
        Pose::Down => "the look down",
    }
}

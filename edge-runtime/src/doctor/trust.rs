//! Whether model, detector and gallery can be trusted: digests, the self-test, the gallery's whole file.

use std::path::Path;

use shared::detector::{DEFAULT_SIDE_PX, Detector};
use shared::embedder::Embedder;
use shared::gallery::consent::WallTime;
use shared::gallery::options::Keys;
use shared::gallery::store::Condition;
use shared::gallery::{Gallery, GalleryStore};
use shared::model_id::ModelId;
use shared::pipeline::Pipeline;

use super::Check;
use crate::self_test::{self, Passed};

/// Model, detector and self-test; the pipeline where both load.
pub fn networks(manifest: &Path, detector: &Path) -> (Vec<Check>, Option<Pipeline>) {
    let mut checks = Vec::new();
    let embedder = match Embedder::load(manifest) {
        Ok(embedder) => {
            let found = embedder.manifest();
            checks.push(Check::ok(
                "model",
                format!("{} ({}), its digest is right", found.name, found.model_id()),
            ));
            if found.operating_points.is_empty() {
                checks.push(Check::fail(
                    "threshold",
                    "the model has no operating point",
                    "calibrate it: usher-train calibrate",
                ));
            }
            Some(embedder)
        }
        Err(error) => {
            checks.push(Check::failed("model", &error));
            None
        }
    };
    let detector = match Detector::load(detector, DEFAULT_SIDE_PX) {
        Ok(found) => {
            checks.push(Check::ok(
                "detector",
                format!("{} loads", detector.display()),
            ));
            Some(found)
        }
        Err(error) => {
            checks.push(Check::failed("detector", &error));
            None
        }
    };
    let (Some(embedder), Some(detector)) = (embedder, detector) else {
        return (checks, None);
    };
    let mut pipeline = Pipeline::new(detector, embedder);
    checks.push(match self_test::run(&mut pipeline, manifest) {
        Ok(passed @ Passed::All) => Check::ok("self-test", passed.words()),
        Ok(passed @ Passed::WithoutReference) => Check::warn(
            "self-test",
            passed.words(),
            "on a machine that you trust: usher doctor --write-self-test; then copy the file beside the model",
        ),
        Err(error) => Check::failed("self-test", &error),
    });
    (checks, Some(pipeline))
}

/// The gallery: whether it opens, is whole and has people who may be greeted; and the time of its newest record.
pub fn gallery(
    path: &Path,
    keys: &Keys,
    model: Option<&ModelId>,
    now: WallTime,
) -> (Vec<Check>, WallTime) {
    let (gallery, inspection) = match GalleryStore::inspect(path, model, keys.sealing()) {
        Ok(found) => found,
        Err(error) => return (vec![Check::failed("gallery", &error)], WallTime::default()),
    };
    let mut checks = vec![match inspection.condition() {
        Condition::Whole | Condition::Cut => people(&gallery, now),
        Condition::RolledBack { lost } => Check::fail(
            "gallery",
            format!("{lost} acknowledged records are missing at its end"),
            "restore the newest backup: usher gallery restore",
        ),
        Condition::Counter => Check::fail(
            "gallery",
            "its counter is damaged or another gallery's",
            "put the right one beside it, or see usher gallery verify --accept-loss",
        ),
    }];
    if matches!(keys, Keys::Plain) {
        checks.push(Check::warn(
            "seal",
            "the gallery is NOT SEALED",
            "usher gallery rekey --plain --to-key KEY",
        ));
    }
    (checks, gallery.newest_record())
}

fn people(gallery: &Gallery, now: WallTime) -> Check {
    let expired = gallery.expired(now).len();
    let found = format!(
        "whole: people {}, templates {}, consent run out {expired}",
        gallery.people(),
        gallery.templates()
    );
    if gallery.people() == 0 {
        return Check::warn("gallery", found, "enroll somebody: usher enroll NAME");
    }
    match expired {
        0 => Check::ok("gallery", found),
        _ => Check::warn(
            "gallery",
            found,
            "renew (usher gallery consent) or remove (usher gallery sweep)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use shared::embedding::Embedding;
    use shared::gallery::search::TemplateForm;
    use shared::gallery::store::{By, Making};
    use shared::gallery::{Consent, Enrollee, NewTemplate};

    #[test]
    fn what_is_missing_fails_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let (checks, pipeline) =
            networks(&folder.path().join("m.toml"), &folder.path().join("d.onnx"));
        assert!(pipeline.is_none());
        assert_eq!(checks.len(), 2);
        assert!(
            checks
                .iter()
                .all(|check| check.level == Level::Fail && check.remedy.is_some()),
            "{checks:?}"
        );
        let (checks, _) = gallery(
            &folder.path().join("g"),
            &Keys::Plain,
            None,
            WallTime::default(),
        );
        assert_eq!(checks[0].level, Level::Fail);
    }

    #[test]
    fn a_gallery_is_judged_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.gallery");
        let at = WallTime::from_unix_seconds(1_800_000_000);
        let by = By {
            operator: "desk",
            at,
        };
        let making = Making {
            sealing: Keys::Plain.sealing(),
            model: ModelId::from_bytes([7; 32]),
            dimension: 2,
            form: TemplateForm::Full,
            rotated: false,
        };
        let mut store = GalleryStore::create(&path, &making, by).unwrap();
        let look = |now: WallTime| gallery(&path, &Keys::Plain, Some(&making.model), now);
        let (checks, newest) = look(at);
        assert_eq!(
            (checks[0].level, checks[1].name),
            (Level::Warn, "seal"),
            "empty: {checks:?}"
        );
        assert_eq!(newest, at);
        let template = NewTemplate {
            embedding: Embedding::from_raw(vec![1.0, 0.0]).unwrap(),
            label: None,
            taken_at: at,
        };
        let enrollee = Enrollee {
            name: "Ada Lovelace".to_owned(),
            consent: Consent::given("I agree.", at, "desk", 30).unwrap(),
            templates: vec![template],
        };
        store.enroll(&enrollee, by).unwrap();
        let (checks, _) = look(at);
        assert_eq!(
            checks[0].found,
            "whole: people 1, templates 1, consent run out 0"
        );
        let (checks, _) = look(at.plus_days(31));
        assert_eq!(checks[0].level, Level::Warn);
        assert!(!format!("{checks:?}").contains("Ada"));
    }
}

//! What is acknowledged is kept, what is removed is gone, and nobody else can read it.

use std::fs;

use super::super::consent::Clock;
use super::super::tests::{NOON, enrollee, model, unit};
use super::*;

const DESK: By<'_> = By {
    operator: "front desk",
    at: NOON,
};

struct Place {
    folder: tempfile::TempDir,
    key: KeyFile,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyFile::create(&folder.path().join("key")).unwrap();
        Place { folder, key }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("people.gallery")
    }

    fn create(&self, rotated: bool) -> GalleryStore {
        let making = Making {
            sealing: Sealing::By(&self.key),
            model: model(),
            dimension: 3,
            form: TemplateForm::Full,
            rotated,
        };
        GalleryStore::create(&self.path(), &making, DESK).unwrap()
    }

    fn open_with(&self, accept_loss: bool) -> Result<(GalleryStore, OpenReport), GalleryError> {
        let model = model();
        let opening = Opening {
            sealing: Sealing::By(&self.key),
            model: Some(&model),
            accept_loss,
        };
        GalleryStore::open(&self.path(), &opening)
    }

    fn open(&self) -> GalleryStore {
        let (store, report) = self.open_with(false).unwrap();
        assert_eq!(report, OpenReport::default());
        store
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }
}

fn x() -> Embedding {
    unit(&[1.0, 0.1, 0.2])
}

fn y() -> Embedding {
    unit(&[0.1, 1.0, 0.3])
}

#[test]
fn every_change_comes_back_from_the_file() {
    for rotated in [false, true] {
        let place = Place::new();
        let mut store = place.create(rotated);
        let ada = store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
        let bo = store
            .enroll(&enrollee("Bo", &[y(), unit(&[0.0, 1.0, 0.0])]), DESK)
            .unwrap();
        let glasses = NewTemplate {
            embedding: unit(&[1.0, 0.3, 0.0]),
            label: Some("glasses".to_owned()),
            taken_at: NOON.plus_days(1),
        };
        store
            .add_templates(ada, std::slice::from_ref(&glasses), DESK)
            .unwrap();
        store.keep_templates(bo, &[1], DESK).unwrap();
        store.rename(bo, " Bob ", DESK).unwrap();
        store.add_negative_anchors(ada, &[glasses], DESK).unwrap();
        let longer = Consent::given("I agree again.", NOON, "desk 2", 700).unwrap();
        store.renew_consent(bo, &longer, DESK).unwrap();
        let acts: Vec<_> = store.gallery().history().map(|entry| entry.act).collect();
        let after = |store: &GalleryStore| {
            let gallery = store.gallery();
            let (ada, bob) = (
                gallery.identity(ada).unwrap(),
                gallery.named("Bob").unwrap(),
            );
            assert_eq!(ada.templates()[1].label(), Some("glasses"));
            assert_eq!((ada.templates().len(), ada.negative_anchors()), (2, 1));
            assert_eq!((bob.id(), bob.templates().len()), (bo, 1));
            assert_eq!(bob.consent(), &longer);
            let template = &gallery.embeddings(bo)[0];
            assert!(SquaredL2::between(template, &unit(&[0.0, 1.0, 0.0])).value() < 1e-12);
            assert_eq!(gallery.is_rotated(), rotated);
        };
        after(&store);
        let kept = store.gallery().clone();
        drop(store);
        let mut again = place.open();
        assert!(again.gallery().same_people(&kept));
        after(&again);
        assert!(
            again
                .gallery()
                .history()
                .map(|entry| entry.act)
                .eq(acts.iter().copied())
        );
        again.compact(DESK).unwrap();
        after(&again);
        drop(again);
        assert!(place.open().gallery().same_people(&kept));
    }
}

#[test]
fn a_thief_reads_nothing() {
    let place = Place::new();
    let mut store = place.create(false);
    store
        .enroll(&enrollee("Ada Lovelace", &[x()]), DESK)
        .unwrap();
    drop(store);
    let bytes = place.bytes();
    let numbers = x().values()[0].to_le_bytes();
    for secret in [&b"Ada"[..], b"front desk", &numbers] {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret));
    }
    let other = KeyFile::create(&place.folder.path().join("other")).unwrap();
    let error = Gallery::read(&place.path(), &model(), Sealing::By(&other)).unwrap_err();
    assert!(matches!(error, GalleryError::WrongKey { .. }), "{error}");
    let error = Gallery::read(&place.path(), &model(), Sealing::Plain).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("sealed by a key file, found nothing"),
        "{error}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(place.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_removed_person_is_out_of_the_file_and_stays_out_of_backups() {
    let place = Place::new();
    let mut store = place.create(false);
    let ada = store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    let backup = place.folder.path().join("monday");
    store.back_up(&backup, DESK).unwrap();
    let bo = store.enroll(&enrollee("Bo", &[y()]), DESK).unwrap();
    let before = place.bytes();
    let receipt = store.remove(ada, RemovalReason::Asked, DESK).unwrap();
    assert!(receipt.erased && receipt.templates == 1);
    assert_eq!(receipt.backups.len(), 1, "monday's holds her");
    assert!(store.gallery().backups_with(bo).is_empty());
    // No run of 32 bytes of her enrollment is left.
    let after = place.bytes();
    let hers = &before[before.len() / 3..before.len() / 3 + 32];
    assert!(!after.windows(32).any(|part| part == hers));
    assert!(matches!(
        store.remove(ada, RemovalReason::Asked, DESK),
        Err(GalleryError::NoSuchNumber { .. })
    ));
    let again = store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    assert!(again > bo, "numbers are never given twice");
    drop(store);

    let restoring = Restoring {
        backup: &backup,
        backup_sealing: Sealing::By(&place.key),
        sealing: Sealing::By(&place.key),
        model: None,
        removed: &[],
        removed_are_all: false,
    };
    let (store, restored) = GalleryStore::restore(&place.path(), &restoring, DESK).unwrap();
    assert_eq!(
        (restored.people, restored.left_out, restored.lost),
        (0, vec![ada], Some(2))
    );
    assert_eq!(store.gallery().people(), 0);
    drop(store);
    // Without the gallery nobody knows who was removed, but for the receipt.
    fs::remove_file(place.path()).unwrap();
    let error = GalleryStore::restore(&place.path(), &restoring, DESK)
        .err()
        .unwrap();
    assert!(
        matches!(error, GalleryError::RemovalsUnknown { .. }),
        "{error}"
    );
    let told = Restoring {
        removed: &[ada.number()],
        removed_are_all: true,
        ..restoring
    };
    let (store, _restored) = GalleryStore::restore(&place.path(), &told, DESK).unwrap();
    assert_eq!(store.gallery().people(), 0);
    drop(store);
    place.open();
}

#[test]
fn another_key_takes_the_old_ones_place() {
    let place = Place::new();
    let mut store = place.create(true);
    let ada = store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    let turned = store
        .gallery()
        .index
        .template(store.gallery().identity(ada).unwrap().templates[0].slot);
    let passphrase = Passphrase::new("a long passphrase").unwrap();
    store.rekey(Sealing::By(&passphrase), true, DESK).unwrap();
    store.enroll(&enrollee("Bo", &[y()]), DESK).unwrap();
    let issued = store
        .gallery()
        .index
        .template(store.gallery().identity(ada).unwrap().templates[0].slot);
    assert!(
        SquaredL2::between(&turned, &issued).value() > 0.01,
        "issued anew"
    );
    assert!(SquaredL2::between(&store.gallery().embeddings(ada)[0], &x()).value() < 1e-12);
    drop(store);
    assert!(matches!(
        place.open_with(false),
        Err(GalleryError::Sealing { .. })
    ));
    let gallery = Gallery::read(&place.path(), &model(), Sealing::By(&passphrase)).unwrap();
    assert_eq!(gallery.people(), 2);
    let wrong = Passphrase::new("another passphrase").unwrap();
    let error = Gallery::read(&place.path(), &model(), Sealing::By(&wrong)).unwrap_err();
    assert!(matches!(error, GalleryError::WrongKey { .. }), "{error}");
}

#[test]
fn an_older_file_in_its_place_is_noticed() {
    let place = Place::new();
    let mut store = place.create(false);
    store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    let older = place.bytes();
    store.enroll(&enrollee("Bo", &[y()]), DESK).unwrap();
    drop(store);
    fs::write(place.path(), &older).unwrap();
    let error = place.open_with(false).err().unwrap();
    assert!(matches!(error, GalleryError::RolledBack { .. }), "{error}");
    let (store, report) = place.open_with(true).unwrap();
    assert_eq!((report.lost, store.gallery().people()), (1, 1));
    drop(store);
    place.open();
    // Without a counter nobody can tell.
    fs::remove_file(beside(&place.path(), "counter")).unwrap();
    let (_store, report) = place.open_with(false).unwrap();
    assert!(report.without_counter);
}

#[test]
fn one_process_at_a_time_writes_and_another_may_read() {
    let place = Place::new();
    let mut store = place.create(false);
    store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    assert!(matches!(
        place.open_with(false),
        Err(GalleryError::Locked { .. })
    ));
    let read = Gallery::read(&place.path(), &model(), Sealing::By(&place.key)).unwrap();
    assert!(read.same_people(store.gallery()));
    drop(store);
    place.open();
}

#[test]
fn a_jumped_clock_removes_nobody() {
    let place = Place::new();
    let mut store = place.create(false);
    store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    let at = |days| By {
        at: NOON.plus_days(days),
        ..DESK
    };
    let Sweep::Removed(nobody) = store.sweep(at(30), false).unwrap() else {
        panic!()
    };
    assert!(nobody.is_empty());
    let Sweep::Refused { clock, expired } = store.sweep(at(4000), false).unwrap() else {
        panic!()
    };
    assert_eq!((matches!(clock, Clock::Ahead(_)), expired.len()), (true, 1));
    let past = By {
        at: WallTime::default(),
        ..DESK
    };
    assert!(matches!(
        store.sweep(past, true).unwrap(),
        Sweep::Refused { .. }
    ));
    assert_eq!(store.gallery().people(), 1);
    let Sweep::Removed(gone) = store.sweep(at(4000), true).unwrap() else {
        panic!()
    };
    assert_eq!(gone[0].removal.reason, RemovalReason::ConsentExpired);
    assert_eq!(store.gallery().people(), 0);
}

#[test]
fn a_negative_anchor_and_a_stranger_stop_a_match() {
    let place = Place::new();
    let mut store = place.create(true);
    let ada = store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    let bo = store.enroll(&enrollee("Bo", &[y()]), DESK).unwrap();
    let threshold = Threshold::new(0.5).unwrap();
    let like_ada = unit(&[1.0, 0.4, 0.2]);
    let matched =
        |store: &GalleryStore, probe: &Embedding| match store.gallery().decide(probe, &threshold) {
            Decision::Match { identity, .. } => Some(identity),
            Decision::NoMatch { .. } => None,
        };
    assert_eq!(matched(&store, &like_ada), Some(ada));
    let not_ada = enrollee("-", &[unit(&[1.0, 0.45, 0.2])]).templates;
    store.add_negative_anchors(ada, &not_ada, DESK).unwrap();
    assert_eq!(matched(&store, &like_ada), None);
    assert_eq!(matched(&store, &x()), Some(ada), "she herself still is");
    store
        .set_cohort(&enrollee("-", &[unit(&[0.2, 1.0, 0.6])]).templates, DESK)
        .unwrap();
    assert_eq!(matched(&store, &unit(&[0.2, 1.0, 0.5])), None);
    assert_eq!(matched(&store, &y()), Some(bo));
    store.compact(DESK).unwrap();
    drop(store);
    let store = place.open();
    assert_eq!(
        (matched(&store, &like_ada), matched(&store, &y())),
        (None, Some(bo))
    );
}

#[test]
fn two_entries_of_one_person_become_one() {
    let place = Place::new();
    let mut store = place.create(true);
    let ada = store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    let twice = store
        .enroll(&enrollee("Ada L.", &[unit(&[1.0, 0.0, 0.0])]), DESK)
        .unwrap();
    let receipt = store.merge(twice, ada, DESK).unwrap();
    assert_eq!(receipt.removal.reason, RemovalReason::Merged);
    let known = store.gallery().identity(ada).unwrap();
    assert_eq!((store.gallery().people(), known.templates().len()), (1, 2));
    assert!(store.merge(ada, ada, DESK).is_err());
}

#[test]
fn templates_of_another_model_are_refused() {
    let place = Place::new();
    drop(place.create(false));
    let device = ModelId::from_bytes([0x91; 32]);
    let error = Gallery::read(&place.path(), &device, Sealing::By(&place.key)).unwrap_err();
    let expected = "was made by model 3f3f3f3f, this device runs 91919191; enroll again, install the model 3f3f3f3f, \
                    or train a model compatible with it (usher-train train --compatible-with)";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn int8_templates_come_back_as_they_went() {
    let place = Place::new();
    let making = Making {
        sealing: Sealing::Plain,
        model: model(),
        dimension: 3,
        form: TemplateForm::Compact,
        rotated: true,
    };
    let mut store = GalleryStore::create(&place.path(), &making, DESK).unwrap();
    store.enroll(&enrollee("Ada", &[x()]), DESK).unwrap();
    let kept = store.gallery().clone();
    store.compact(DESK).unwrap();
    assert!(store.gallery().same_people(&kept));
    drop(store);
    let read = Gallery::read(&place.path(), &model(), Sealing::Plain).unwrap();
    assert!(read.same_people(&kept));
    assert!(
        SquaredL2::between(&read.embeddings(read.named("Ada").unwrap().id())[0], &x()).value()
            < 1e-4
    );
}

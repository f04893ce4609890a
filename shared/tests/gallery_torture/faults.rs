//! The Nth call to the file system fails: the error says so, what was there is there, and what comes
//! after works once the fault is over.

use std::collections::HashSet;

use shared::gallery::GalleryError;

use crate::disk::{EIO, ENOSPC, EROFS, Failing, Fault, Platter, SimulatedDisk};
use crate::kiosk::{self, Key, Picture};
use crate::operations::{Operation, Script, a_template, enrollee};
use crate::power_cut::{PowerCut, power_cuts};
use crate::{is_long, seed};

/// What was covered.
#[derive(Debug, Default)]
struct Covered {
    operations: usize,
    calls: usize,
    faults: usize,
    /// The operation was done all the same.
    done: usize,
    /// Nothing is written before the gallery is opened again.
    poisoned: usize,
    power_cuts: usize,
}

/// One call, or this one and all after it.
fn kinds(call: usize) -> Vec<Failing> {
    let fails = |fault, calls| Failing {
        fault,
        from: call,
        calls,
    };
    let mut kinds = vec![fails(Fault::Short, 1), fails(Fault::ShortThenFull, 1)];
    let all = [ENOSPC, EIO, EROFS];
    // The store looks at no number: in a short run they take turns.
    let turn = if is_long() {
        &all[..]
    } else {
        &all[call % 3..][..1]
    };
    for &number in turn {
        kinds.push(fails(Fault::Errno(number), 1));
        kinds.push(fails(Fault::Errno(number), usize::MAX / 2));
    }
    kinds
}

#[test]
fn a_call_that_fails_loses_nothing() {
    let mut covered = Covered::default();
    let mut script = Script::new(seed());
    let disk = SimulatedDisk::default();
    let mut key = Key(1);
    covered.creation();
    let mut store = Some(kiosk::create(&disk, key).unwrap());
    let operations = if is_long() { 200 } else { 24 };
    for number in 0..operations {
        let before = Picture::of(store.as_ref().unwrap().gallery(), key);
        let operation = script.next(&before);
        let platter = disk.platter();
        operation.run(&disk, &mut store, &mut key).unwrap();
        let after = Picture::of(store.as_ref().unwrap().gallery(), key);
        let case = Case {
            platter: &platter,
            operation: &operation,
            before: &before,
            after: &after,
        };
        covered.operations += 1;
        covered.check(&case, number);
    }
    println!("faults: {covered:?}");
    assert!(covered.poisoned > 50 && covered.done > 50, "{covered:?}");
}

/// An operation, and the gallery before and after it.
struct Case<'a> {
    platter: &'a Platter,
    operation: &'a Operation,
    before: &'a Picture,
    after: &'a Picture,
}

impl Covered {
    /// Fails every call of an operation in every way.
    fn check(&mut self, case: &Case<'_>, number: usize) {
        for call in 0.. {
            for failing in kinds(call) {
                let name = format!("{number}: {:?}, {failing:?}", case.operation);
                if !self.fail(case, failing, &name) {
                    self.calls += call;
                    return;
                }
            }
        }
    }

    /// Whether the operation has so many calls.
    fn fail(&mut self, case: &Case<'_>, failing: Failing, name: &str) -> bool {
        let disk = SimulatedDisk::with(case.platter.clone());
        let mut key = case.before.key;
        let mut store = Some(kiosk::open(&disk, key).unwrap().0);
        disk.fail(Some(failing));
        let done = case.operation.run(&disk, &mut store, &mut key);
        if disk.calls() <= failing.from {
            return false;
        }
        disk.fail(None);
        self.faults += 1;
        let allowed = |found: &Picture| found == case.before || found == case.after;
        let in_memory = store
            .as_ref()
            .map(|store| Picture::of(store.gallery(), key));
        match &done {
            Ok(()) => {
                self.done += 1;
                assert_eq!(in_memory.as_ref(), Some(case.after), "{name}");
            }
            Err(error) => {
                assert!(is_of_the_system(error), "{name}: {error}");
                // What says that nothing was changed changed nothing.
                let unchanged = !matches!(
                    (error, case.operation),
                    (GalleryError::Unsettled { .. }, _) | (_, Operation::BackUp(_))
                );
                if let Some(found) = &in_memory {
                    assert!(allowed(found), "{name}: {error}");
                    assert!(!unchanged || found == case.before, "{name}: {error}");
                }
            }
        }
        // A power cut now: what was done lasts, and what is said to be undone stays so.
        for (cut, found) in self.after_power_cuts(&disk, case, name) {
            assert!(allowed(&found), "{name}, {cut:?}");
            assert!(done.is_err() || found == *case.after, "{name}, {cut:?}");
            let undone = !matches!(case.operation, Operation::BackUp(_))
                && matches!(done, Err(GalleryError::Write { .. }));
            assert!(!undone || found == *case.before, "{name}, {cut:?}");
        }
        // The fault is over: what comes next works, here or after opening again, and lasts.
        let poisoned = matches!(done, Err(GalleryError::Poisoned { .. }));
        if let (Some(held), true) = (&mut store, poisoned) {
            self.poisoned += 1;
            let refused = held.compact(kiosk::DESK).unwrap_err();
            assert!(matches!(refused, GalleryError::Poisoned { .. }), "{name}");
        }
        if poisoned {
            store = None;
        }
        let mut held = store.unwrap_or_else(|| {
            let before = kiosk::open(&disk, case.before.key);
            let opened = before.or_else(|_other_key| kiosk::open(&disk, case.after.key));
            opened.unwrap_or_else(|error| panic!("{name}: {error}")).0
        });
        let key = match in_memory {
            Some(_) => key,
            None => case.before.key,
        };
        let found = Picture::of(held.gallery(), key);
        assert!(allowed(&found), "{name}");
        assert!(poisoned || in_memory.is_none_or(|known| known == found));
        held.enroll(&enrollee("Newcomer", &[a_template()]), kiosk::DESK)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let with_newcomer = Picture::of(held.gallery(), key);
        drop(held);
        for (cut, found) in self.after_power_cuts(&disk, case, name) {
            assert!(found == with_newcomer, "{name}, then {cut:?}");
        }
        let found = open_any(&disk, case).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found == with_newcomer, "{name}: memory and disk differ");
        true
    }

    /// What is found after the power was cut now, in different ways.
    fn after_power_cuts(
        &mut self,
        disk: &SimulatedDisk,
        case: &Case<'_>,
        name: &str,
    ) -> Vec<(PowerCut, Picture)> {
        let seed = number_of(name);
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for cut in power_cuts(seed..seed + 1) {
            let left = disk.platter().after(cut);
            if seen.insert(left.fingerprint()) {
                self.power_cuts += 1;
                let opened = open_any(&SimulatedDisk::with(left), case);
                let opened = opened.unwrap_or_else(|error| panic!("{name}, {cut:?}: {error}"));
                found.push((cut, opened));
            }
        }
        found
    }

    /// Fails every call of making a gallery.
    fn creation(&mut self) {
        for call in 0.. {
            for failing in kinds(call) {
                let disk = SimulatedDisk::default();
                disk.fail(Some(failing));
                let made = kiosk::create(&disk, Key(1)).map(drop);
                if disk.calls() <= call {
                    return;
                }
                self.faults += 1;
                disk.fail(None);
                if let Err(error) = made {
                    assert!(is_of_the_system(&error), "{failing:?}: {error}");
                }
                // It is there and sound, or can be made.
                match kiosk::open(&disk, Key(1)) {
                    Ok(_opened) => {}
                    Err(GalleryError::Missing { .. }) => {
                        drop(kiosk::create(&disk, Key(1)).unwrap())
                    }
                    Err(error) => panic!("{failing:?}: {error}"),
                }
            }
        }
    }
}

/// Opens by the key before or after the operation.
fn open_any(disk: &SimulatedDisk, case: &Case<'_>) -> Result<Picture, GalleryError> {
    let by = |key: Key| {
        let (store, report) = kiosk::open(disk, key)?;
        assert!(!report.without_counter && report.lost == 0, "{report:?}");
        Ok(Picture::of(store.gallery(), key))
    };
    match by(case.before.key) {
        Err(GalleryError::WrongKey { .. }) => by(case.after.key),
        opened => opened,
    }
}

/// Whether an error names what the system said.
fn is_of_the_system(error: &GalleryError) -> bool {
    let source = match error {
        GalleryError::Write { source, .. }
        | GalleryError::Read { source, .. }
        | GalleryError::Poisoned { source, .. }
        | GalleryError::Unsettled { source, .. } => source.to_string(),
        GalleryError::Counter { found, .. } => found.clone(),
        GalleryError::RemovalsUnknown { source, .. } => return is_of_the_system(source),
        _ => return false,
    };
    let said = |number| {
        let expected = std::io::Error::from_raw_os_error(number);
        source == expected.to_string() || source == expected.kind().to_string()
    };
    [EIO, ENOSPC, EROFS].into_iter().any(said)
}

/// A number for a name, other ways of a power cut for each.
fn number_of(name: &str) -> u64 {
    name.bytes().fold(0, |number: u64, byte| {
        number.wrapping_mul(31).wrapping_add(u64::from(byte)) % 1_000_003
    })
}

//! The power is cut before every call that changes the disk, and again while that is recovered from.
//!
//! After each cut the gallery opens without accepting a loss, and is as before or as after the
//! operation that was cut short: all that was acknowledged is there, nobody removed comes back.

use std::collections::HashSet;

use shared::gallery::GalleryError;

use crate::disk::{Platter, SimulatedDisk};
use crate::kiosk::{self, DESK, Key, Picture, Store};
use crate::operations::{Script, a_template, enrollee};
use crate::power_cut::{PowerCut, power_cuts};
use crate::{is_long, seed};

const OPERATIONS: usize = 200;

/// What was covered.
#[derive(Debug, Default)]
struct Covered {
    operations: usize,
    points: usize,
    /// Disks that were different after a power cut.
    disks: usize,
    points_in_recovery: usize,
    disks_in_recovery: usize,
}

/// What may be found after a power cut; none: no gallery.
struct Allowed {
    before: Option<Picture>,
    after: Option<Picture>,
}

#[test]
fn every_boundary_of_a_script_is_survived() {
    let mut covered = Covered::default();
    let disk = SimulatedDisk::default();
    let mut script = Script::new(seed());
    let mut key = Key(1);
    disk.watch();
    let mut store = Some(kiosk::create(&disk, key).unwrap());
    let mut now = Picture::of(store.as_ref().unwrap().gallery(), key);
    let allowed = Allowed {
        before: None,
        after: Some(now.clone()),
    };
    covered.check(&disk.snapshots(), &allowed, "create");
    for number in 0..OPERATIONS {
        let operation = script.next(&now);
        disk.watch();
        operation.run(&disk, &mut store, &mut key).unwrap();
        let mut snapshots = disk.snapshots();
        snapshots.push(disk.platter());
        let after = Picture::of(store.as_ref().unwrap().gallery(), key);
        let allowed = Allowed {
            before: Some(std::mem::replace(&mut now, after.clone())),
            after: Some(after),
        };
        covered.operations += 1;
        covered.check(&snapshots, &allowed, &format!("{number}: {operation:?}"));
    }
    println!("power cuts: {covered:?}");
    assert!(covered.points > 5 * OPERATIONS, "{covered:?}");
    assert!(covered.disks_in_recovery > covered.disks, "{covered:?}");
}

impl Covered {
    /// Cuts the power at each of these points, opens what is left, and cuts the power at each point of that.
    fn check(&mut self, snapshots: &[Platter], allowed: &Allowed, case: &str) {
        let mut seen = HashSet::new();
        let mut seen_in_recovery = HashSet::new();
        for (point, platter) in snapshots.iter().enumerate() {
            self.points += 1;
            for cut in self.cuts() {
                let left = platter.after(cut);
                if !seen.insert(left.fingerprint()) {
                    continue;
                }
                self.disks += 1;
                let case = format!("{case}, point {point}, {cut:?}");
                let disk = SimulatedDisk::with(left);
                let points = allowed.check(&disk, &case);
                for (inner, platter) in points.iter().enumerate() {
                    self.points_in_recovery += 1;
                    for cut in self.cuts() {
                        let left = platter.after(cut);
                        if seen_in_recovery.insert(left.fingerprint()) {
                            self.disks_in_recovery += 1;
                            let case = format!("{case}, recovery's point {inner}, {cut:?}");
                            allowed.check(&SimulatedDisk::with(left), &case);
                        }
                    }
                }
            }
        }
    }

    /// Every way, or a few, others at each point.
    fn cuts(&self) -> Vec<PowerCut> {
        if is_long() {
            return power_cuts(0..8);
        }
        let chance = (self.points + self.points_in_recovery) as u64;
        power_cuts(chance..chance + 1)
    }
}

impl Allowed {
    /// Opens what a power cut left: it is as before or as after, and takes another person. Returns the
    /// points of the recovery.
    fn check(&self, disk: &SimulatedDisk, case: &str) -> Vec<Platter> {
        disk.watch();
        let opened = self.open(disk, case);
        let points = disk.snapshots();
        let Some(mut store) = opened else {
            return points;
        };
        // Every so often: what was recovered can be written.
        if disk.platter().fingerprint().is_multiple_of(16) {
            let before = store.gallery().people();
            let templates = [a_template()];
            store
                .enroll(&enrollee("Newcomer", &templates), DESK)
                .unwrap();
            drop(store);
            let again = [&self.before, &self.after]
                .into_iter()
                .flatten()
                .find_map(|picture| kiosk::open(disk, picture.key).ok());
            let (store, _report) = again.expect(case);
            assert_eq!(store.gallery().people(), before + 1, "{case}");
        }
        points
    }

    fn open(&self, disk: &SimulatedDisk, case: &str) -> Option<Store> {
        for picture in [&self.before, &self.after].into_iter().flatten() {
            match kiosk::open(disk, picture.key) {
                Ok((store, report)) => {
                    assert!(
                        !report.without_counter && report.lost == 0,
                        "{case}: {report:?}"
                    );
                    assert!(!store.awaits_compaction(), "{case}");
                    let found = Picture::of(store.gallery(), picture.key);
                    let fits = |allowed: &Option<Picture>| allowed.as_ref() == Some(&found);
                    assert!(
                        fits(&self.before) || fits(&self.after),
                        "{case}: found neither what was before nor what was to be"
                    );
                    return Some(store);
                }
                Err(GalleryError::WrongKey { .. }) => {}
                Err(GalleryError::Missing { .. }) if self.before.is_none() => {
                    kiosk::create(disk, picture.key).expect(case);
                    return None;
                }
                Err(error) => panic!("{case}: {error}"),
            }
        }
        panic!("{case}: no key opens it");
    }
}

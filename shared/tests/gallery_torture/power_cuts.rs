//! The power is cut before every call that changes the disk, and again while that is recovered from.
//!
//! After each cut the gallery opens without accepting a loss, and is as before or as after the
//! operation that was cut short: all that was acknowledged is there, nobody removed comes back.

use std::collections::HashSet;

use shared::gallery::GalleryError;

use crate::disk::{Platter, SimulatedDisk};
use crate::kiosk::{self, Key, Picture};
use crate::operations::Script;
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
    /// Disks and killed processes; in a short run the power is cut again in a part of them.
    recoveries: usize,
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
    assert!(covered.disks_in_recovery > OPERATIONS, "{covered:?}");
}

impl Covered {
    /// Stops at each of these points, opens what is left, and cuts the power at each point of that.
    fn check(&mut self, snapshots: &[Platter], allowed: &Allowed, case: &str) {
        let mut seen = HashSet::new();
        let mut seen_in_recovery = HashSet::new();
        for (point, platter) in snapshots.iter().enumerate() {
            self.points += 1;
            let mut left: Vec<(String, Platter)> = Vec::new();
            for cut in self.cuts() {
                let after = platter.after(cut);
                if seen.insert(after.fingerprint()) {
                    left.push((format!("{cut:?}"), after));
                }
            }
            self.disks += left.len();
            // The process alone ends, and what it did not sync is there, but does not last.
            if is_long() || self.points.is_multiple_of(5) {
                left.push(("a killed process".to_owned(), platter.clone()));
            }
            for (how, platter) in left {
                let how = how.as_str();
                let case = format!("{case}, point {point}, {how}");
                let disk = SimulatedDisk::with(platter);
                let (found, mut points) = allowed.check(&disk, &case);
                self.recoveries += 1;
                if !is_long() && !self.recoveries.is_multiple_of(4) && how != "a killed process" {
                    continue;
                }
                let last = points.len();
                points.push(disk.platter());
                for (inner, platter) in points.iter().enumerate() {
                    self.points_in_recovery += 1;
                    if inner == last {
                        seen_in_recovery.clear();
                    }
                    for cut in self.cuts() {
                        let left = platter.after(cut);
                        if seen_in_recovery.insert(left.fingerprint()) {
                            self.disks_in_recovery += 1;
                            let case = format!("{case}, recovery's point {inner}, {cut:?}");
                            let (again, _) = allowed.check(&SimulatedDisk::with(left), &case);
                            // Once it is open, what was found lasts.
                            assert!(inner < last || again == found, "{case}: not what was found");
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
    /// Opens what is left: it is as before or as after. Returns what it is, and the points of the recovery.
    fn check(&self, disk: &SimulatedDisk, case: &str) -> (Picture, Vec<Platter>) {
        disk.watch();
        let found = self.open(disk, case);
        (found, disk.snapshots())
    }

    fn open(&self, disk: &SimulatedDisk, case: &str) -> Picture {
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
                    return found;
                }
                Err(GalleryError::WrongKey { .. }) => {}
                Err(GalleryError::Missing { .. }) if self.before.is_none() => {
                    let made = kiosk::create(disk, picture.key).expect(case);
                    return Picture::of(made.gallery(), picture.key);
                }
                Err(error) => panic!("{case}: {error}"),
            }
        }
        panic!("{case}: no key opens it");
    }
}

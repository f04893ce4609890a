//! Batches: the same whoever prepares them and wherever one starts; bounded in memory.

use std::collections::BTreeSet;

use super::*;
use crate::dataset::sampler::{Fill, Mixing, epoch};
use crate::dataset::tests::{bmp, in_shards, write_tar};

const SIDE_PX: u32 = 16;

fn plan(seed: u64) -> Plan {
    Plan {
        shape: Shape {
            identities: 3,
            per_identity: 4,
            fill: Fill::Pictures,
            mixing: Mixing::Free,
        },
        augment: Augment::default(),
        seed,
    }
}

fn batches(dataset: &Arc<Dataset>, from: Position, workers: usize, count: usize) -> Vec<Batch> {
    let mut loader = Loader::start(dataset, plan(1), SIDE_PX, from, workers);
    (0..count).map(|_| loader.next_batch().unwrap()).collect()
}

fn assert_same(found: &Batch, expected: &Batch) {
    assert_eq!(found.pictures, expected.pictures);
    assert_eq!(found.identities, expected.identities);
    assert_eq!((found.epoch, found.next), (expected.epoch, expected.next));
    assert!(found.faces == expected.faces, "faces varied alike");
}

#[test]
fn the_number_of_workers_does_not_matter() {
    let (_folder, dataset) = in_shards(3, 10, u64::MAX);
    let dataset = Arc::new(dataset);
    let expected = batches(&dataset, Position::default(), 1, 20);
    assert!(expected[0].faces[0] != expected[0].faces[1]);
    for workers in [2, 5] {
        let found = batches(&dataset, Position::default(), workers, 20);
        for (found, expected) in found.iter().zip(&expected) {
            assert_same(found, expected);
        }
    }
}

#[test]
fn each_row_is_varied_on_its_own_each_epoch_anew() {
    let folder = tempfile::tempdir().unwrap();
    let member = |number| (format!("{}/{number}.bmp", number / 2), bmp(999));
    let members: Vec<_> = (0..8).map(member).collect();
    write_tar(&folder.path().join("set.tar"), &members);
    let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
    let found = batches(&dataset, Position::default(), 2, 2);
    assert_eq!((found[0].epoch, found[1].epoch), (0, 1));
    let all: Vec<_> = found.iter().flat_map(|batch| &batch.faces).collect();
    assert_eq!(all.len(), 16);
    for (number, face) in all.iter().enumerate() {
        assert!(!all[..number].contains(face), "one picture, varied alike");
    }
}

#[test]
fn another_side_goes_on_where_the_last_ended() {
    let (_folder, dataset) = in_shards(12, 30, 8_000);
    let dataset = Arc::new(dataset);
    let expected = batches(&dataset, Position::default(), 2, 12);
    let mut loader = Loader::start(&dataset, plan(1), SIDE_PX, Position::default(), 2);
    for (number, expected) in expected.iter().enumerate() {
        if number % 3 == 2 {
            let waited = loader.waited();
            let side_px = SIDE_PX + number as u32;
            loader.change_side(side_px);
            assert!(loader.waited() == waited);
            let batch = loader.next_batch().unwrap();
            assert_eq!(batch.faces[0].side_px(), side_px);
            assert_eq!(batch.pictures, expected.pictures);
            loader.change_side(SIDE_PX);
        } else {
            assert_same(&loader.next_batch().unwrap(), expected);
        }
        assert_eq!(loader.next, expected.next);
    }
    drop(loader);
    assert!(dataset.peak_bytes() <= 8_000, "{}", dataset.peak_bytes());
}

#[test]
fn held_or_streamed_it_goes_on_from_any_position() {
    for memory_bytes in [u64::MAX, 5_000] {
        let (_folder, dataset) = in_shards(6, 30, memory_bytes);
        let dataset = Arc::new(dataset);
        let expected = batches(&dataset, Position::default(), 2, 35);
        assert!(expected.last().unwrap().epoch >= 2);
        for pair in expected.windows(2) {
            let found = batches(&dataset, pair[0].next, 2, 1);
            assert_same(&found[0], &pair[1]);
        }
        // A position behind the epoch's end is the next epoch's beginning.
        let behind = Position {
            epoch: 0,
            batch: 999,
        };
        let first = expected.iter().find(|batch| batch.epoch == 1).unwrap();
        assert_same(&batches(&dataset, behind, 2, 1)[0], first);
    }
}

#[test]
fn a_streamed_set_gives_each_picture_once_in_bounded_memory() {
    let budget = 8_000;
    let (_folder, dataset) = in_shards(12, 30, budget);
    assert!(dataset.total_bytes() > 4 * budget && dataset.is_streamed());
    let dataset = Arc::new(dataset);
    let mut loader = Loader::start(&dataset, plan(1), SIDE_PX, Position::default(), 2);
    let mut all = BTreeSet::new();
    let mut next = Position::default();
    for number in 0..4 {
        let mut seen = Vec::new();
        while next.epoch == number {
            let batch = loader.next_batch().unwrap();
            for (picture, identity) in batch.pictures.iter().zip(&batch.identities) {
                assert_eq!(dataset.pictures[*picture].identity as i64, *identity);
            }
            seen.extend(batch.pictures);
            next = batch.next;
        }
        let once: BTreeSet<usize> = seen.iter().copied().collect();
        assert_eq!(once.len(), seen.len(), "none twice an epoch");
        let left_out = epoch(&dataset, plan(1).shape, 1, number).left_out;
        assert_eq!(once.len() + left_out, dataset.pictures.len());
        all.extend(once);
    }
    assert_eq!(
        all.len(),
        dataset.pictures.len(),
        "all pictures after a few epochs"
    );
    let peak = dataset.peak_bytes();
    assert!(peak <= budget, "{peak} bytes held at once");
    assert!(
        peak > budget / 2,
        "the next window is read while one is used"
    );
}

#[test]
fn rows_are_normalized_by_the_recipe() {
    let (_folder, dataset) = in_shards(3, 10, u64::MAX);
    let batch = &batches(&Arc::new(dataset), Position::default(), 2, 1)[0];
    let recipe = Preprocessing::usher(SIDE_PX);
    let of = |row: usize| recipe.normalize(&batch.faces[row]).values().to_vec();
    assert_eq!(batch.normalized(&[3, 1]), [of(3), of(1)].concat());
}

#[test]
fn one_in_a_thousand_may_be_damaged() {
    for (pictures, allowed) in [(999, 0), (1000, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let mut members: Vec<(String, Vec<u8>)> = (0..pictures)
            .map(|number| (format!("{}/{number}.bmp", number / 25), bmp(number)))
            .collect();
        members[7].1 = b"no picture".to_vec();
        write_tar(&folder.path().join("set.tar"), &members);
        let dataset = Arc::new(Dataset::open(folder.path()).unwrap());
        let mut plan = plan(1);
        plan.shape.identities = 40;
        let mut loader = Loader::start(&dataset, plan, SIDE_PX, Position::default(), 2);
        let mut found = loader.next_batch();
        while found.as_ref().is_ok_and(|batch| batch.epoch < 2) {
            found = loader.next_batch();
        }
        assert_eq!(loader.damaged().len(), 1);
        match found {
            Ok(_) => assert_eq!(allowed, 1),
            Err(error) => {
                let said = error.to_string();
                assert_eq!(allowed, 0, "{said}");
                assert!(said.contains("set.tar/0/7.bmp"), "{said}");
            }
        }
    }
}

#[test]
fn a_set_that_vanishes_is_said() {
    let (folder, dataset) = in_shards(6, 30, 5_000);
    std::fs::remove_file(folder.path().join("set-000002.tar")).unwrap();
    let dataset = Arc::new(dataset);
    let mut loader = Loader::start(&dataset, plan(1), SIDE_PX, Position::default(), 2);
    let error = (0..40).find_map(|_| loader.next_batch().err()).unwrap();
    assert!(error.to_string().contains("set-000002.tar"), "{error}");
}

#[test]
fn windows_without_pairs_are_said() {
    // Each identity's two pictures lie far apart, and windows are small.
    let folder = tempfile::tempdir().unwrap();
    let member = |number: u32| (format!("{}/{number}.bmp", number % 50), bmp(number));
    let members: Vec<_> = (0..100).map(member).collect();
    for (shard, members) in members.chunks(10).enumerate() {
        write_tar(&folder.path().join(format!("set-{shard}.tar")), members);
    }
    let dataset = Arc::new(Dataset::open_within(folder.path(), 410).unwrap());
    let mut loader = Loader::start(&dataset, plan(1), SIDE_PX, Position::default(), 1);
    // By luck two pictures may meet now and then; two identities in one window do not.
    let error = loader.next_batch().unwrap_err();
    assert!(
        error.to_string().contains("windows of 205 bytes"),
        "{error}"
    );
}

/// Prints how fast the training set opens, and how fast batches come with nobody else at work.
#[test]
#[ignore = "a measurement: cargo test --workspace --lib -- --ignored --nocapture batches_a_second"]
fn batches_a_second() {
    let Some(manifest) = crate::skip::data("train/manifest.tsv") else {
        return;
    };
    let folder = manifest.parent().unwrap();
    for memory_bytes in [u64::MAX, 40_000_000] {
        let started = Instant::now();
        let dataset = Arc::new(Dataset::open_within(folder, memory_bytes).unwrap());
        println!(
            "opened in {:.2} s, {}",
            started.elapsed().as_secs_f64(),
            dataset.layout
        );
        let mut paper = plan(1);
        paper.shape.identities = 24;
        paper.shape.per_identity = 2;
        for workers in [1, 2] {
            let mut loader = Loader::start(&dataset, paper, 112, Position::default(), workers);
            let started = Instant::now();
            let mut faces = 0;
            while started.elapsed() < Duration::from_secs(4) {
                faces += loader.next_batch().unwrap().faces.len();
            }
            let rate = faces as f64 / started.elapsed().as_secs_f64();
            println!("{workers} workers: {rate:.0} faces a second");
        }
        let left_out = epoch(&dataset, paper.shape, 1, 0).left_out;
        println!(
            "peak {} bytes, {left_out} pictures left out",
            dataset.peak_bytes()
        );
    }
}

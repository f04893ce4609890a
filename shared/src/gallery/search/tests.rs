//! The index against comparing every template: same identities, same bits, whatever is thrown at it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bound;
use super::kernel::Kernel;
use super::*;

pub(super) fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Evenly in all directions, nearly enough: sums of four even numbers.
pub(super) fn random_unit(random: &mut ChaCha8Rng, dimension: usize) -> Embedding {
    let raw = (0..dimension)
        .map(|_| (0..4).map(|_| random.random_range(-1.0_f32..1.0)).sum())
        .collect();
    Embedding::from_raw(raw).unwrap()
}

/// A unit vector `by` away from another, more or less.
fn near(random: &mut ChaCha8Rng, center: &Embedding, by: f32) -> Embedding {
    let other = random_unit(random, center.dimension());
    let raw = center.values().iter().zip(other.values());
    Embedding::from_raw(raw.map(|(&c, &o)| c + by * o).collect()).unwrap_or_else(|_| center.clone())
}

fn opposite(of: &Embedding) -> Embedding {
    Embedding::from_unit(of.values().iter().map(|v| -v).collect()).unwrap()
}

fn identity(number: u32) -> IdentityId {
    IdentityId(number)
}

/// What an index keeps of a template.
fn as_kept(form: TemplateForm, template: &Embedding) -> Embedding {
    match form {
        TemplateForm::Full => template.clone(),
        TemplateForm::Compact => expand(&compact(template)).unwrap(),
    }
}

/// Searches an index of the rows in both forms, by every kernel, one by one and as a batch, and
/// compares with the naive search.
fn check(name: &str, rows: &[(IdentityId, Embedding)], probes: &[Embedding]) {
    let dimension = probes[0].dimension();
    for form in [TemplateForm::Full, TemplateForm::Compact] {
        let kept: Vec<_> = rows.iter().map(|(id, t)| (*id, as_kept(form, t))).collect();
        let expected: Vec<Found> = probes.iter().map(|p| naive::search(&kept, p)).collect();
        for kernel in Kernel::of_this_machine() {
            let mut index = Index::with_kernel(dimension, form, kernel);
            for (owner, template) in rows {
                index.push(*owner, template);
            }
            let name = format!("{name}, {form:?}, {}, {dimension}-D", kernel.name());
            for (i, probe) in probes.iter().enumerate() {
                assert_eq!(index.search(probe), expected[i], "{name}, probe {i}");
            }
            assert_eq!(index.search_batch(probes), expected, "{name}, batch");
        }
    }
}

#[test]
fn every_size_and_dimension_finds_what_the_naive_search_finds() {
    let mut random = seeded(1);
    for count in [0, 1, 2, 15, 16, 17, 31, 32, 33, 100] {
        for dimension in [1, 2, 3, 4, 15, 16, 17, 63, 64, 65, 128, 130, 519] {
            let rows: Vec<_> = (0..count)
                .map(|i| {
                    (
                        identity(1 + i * 7 % 13),
                        random_unit(&mut random, dimension),
                    )
                })
                .collect();
            let probes: Vec<_> = (0..9)
                .map(|_| random_unit(&mut random, dimension))
                .collect();
            check(&format!("{count} templates"), &rows, &probes);
        }
    }
}

#[test]
fn clustered_people_are_found_across_chunks() {
    let mut random = seeded(2);
    let centers: Vec<_> = (0..900).map(|_| random_unit(&mut random, 24)).collect();
    let mut rows = Vec::new();
    for _ in 0..5 {
        for (i, center) in centers.iter().enumerate() {
            rows.push((identity(i as u32 + 1), near(&mut random, center, 0.4)));
        }
    }
    assert!(rows.len() > chunk::ROWS);
    let mut probes: Vec<_> = (0..8)
        .map(|i| near(&mut random, &centers[i * 99], 0.4))
        .collect();
    probes.extend((0..6).map(|_| random_unit(&mut random, 24)));
    check("clusters", &rows, &probes);
}

#[test]
fn adversarial_galleries_find_what_the_naive_search_finds() {
    let mut random = seeded(3);
    for dimension in [1, 2, 7, 33, 128] {
        let center = random_unit(&mut random, dimension);
        let mut axis = vec![0.0; dimension];
        axis[dimension - 1] = -1.0;
        let axis = Embedding::from_raw(axis).unwrap();
        let mut hair = center.values().to_vec();
        hair[0] = f32::from_bits(hair[0].to_bits() + 1);
        let hair = Embedding::from_unit(hair).unwrap();
        let away = opposite(&center);
        let probes = [center.clone(), axis.clone(), hair.clone(), away.clone()];
        let people = |templates: Vec<Embedding>, owner: &dyn Fn(u32) -> u32| -> Vec<_> {
            let numbered = (0_u32..).zip(templates);
            numbered.map(|(i, t)| (identity(owner(i)), t)).collect()
        };
        // Of equal distances the lowest number wins, wherever its template lies.
        check(
            "all equal",
            &people(vec![center.clone(); 70], &|i| 100 - i),
            &probes,
        );
        check(
            "two people share a template",
            &people(vec![center.clone(); 2], &|i| 9 - i),
            &probes,
        );
        check(
            "one person",
            &people(vec![center.clone(); 40], &|_| 5),
            &probes,
        );
        check(
            "all opposite",
            &people(vec![away.clone(); 35], &|i| i % 3 + 1),
            &probes,
        );
        check(
            "one number",
            &people(vec![axis.clone(); 35], &|i| i + 1),
            &probes,
        );
        let hairs = (0..50).map(|i| {
            if i % 2 == 0 {
                center.clone()
            } else {
                hair.clone()
            }
        });
        check(
            "a bit apart",
            &people(hairs.collect(), &|i| i / 2 % 7 + 1),
            &probes,
        );
        for by in [1e-7, 1e-5, 1e-3, 1e-2] {
            let close = (0..80).map(|_| near(&mut random, &center, by)).collect();
            check("nearly equal", &people(close, &|i| i * 5 % 11 + 1), &probes);
        }
        // The cohort's number, and a single owner, among whose templates there is no runner-up.
        let alike = (0..90)
            .map(|_| random_unit(&mut random, dimension))
            .collect();
        check("one owner", &people(alike, &|_| u32::MAX), &probes);
        // Many of the best person's templates before the runner-up's only one.
        let mut crowd: Vec<_> = (0..60).map(|_| near(&mut random, &center, 0.01)).collect();
        crowd.push(away.clone());
        check("a crowd and one", &people(crowd, &|i| 1 + i / 60), &probes);
    }
}

#[test]
fn holes_are_never_found_and_are_filled_again() {
    let mut random = seeded(4);
    for form in [TemplateForm::Full, TemplateForm::Compact] {
        for kernel in Kernel::of_this_machine() {
            let mut index = Index::with_kernel(20, form, kernel);
            let mut rows: Vec<(Slot, IdentityId, Embedding)> = Vec::new();
            let mut most = 0;
            for step in 0..600 {
                if !rows.is_empty() && random.random_range(0..100) < 45 {
                    let (slot, _, _) = rows.swap_remove(random.random_range(0..rows.len()));
                    index.remove(slot);
                } else {
                    let owner = identity(random.random_range(1..9));
                    let template = random_unit(&mut random, 20);
                    let slot = index.push(owner, &template);
                    rows.push((slot, owner, as_kept(form, &template)));
                }
                most = most.max(rows.len());
                assert_eq!(index.len(), rows.len());
                let kept: Vec<_> = rows.iter().map(|(_, id, t)| (*id, t.clone())).collect();
                let probe = random_unit(&mut random, 20);
                assert_eq!(
                    index.search(&probe),
                    naive::search(&kept, &probe),
                    "step {step}"
                );
                for (slot, _, template) in rows.iter().step_by(17) {
                    assert_eq!(index.template(*slot), *template);
                }
            }
            let places: usize = index.chunks.iter().map(Chunk::rows).sum();
            assert_eq!(
                places, most,
                "holes are filled before there are more places"
            );
            for (slot, _, _) in rows.drain(..) {
                index.remove(slot);
            }
            assert!(index.is_empty());
            let zeros = index.chunks[0].codes(0).iter().all(|&code| code == 0);
            assert!(
                zeros
                    && index.chunks[0]
                        .numbers(0)
                        .is_none_or(|n| n.iter().all(|&v| v == 0.0))
            );
            assert_eq!(
                index.search(&random_unit(&mut random, 20)),
                Found::default()
            );
        }
    }
}

/// What the whole search rests on: no template is closer than its value and its block's say.
#[test]
fn the_bound_is_never_violated() {
    let mut random = seeded(5);
    for form in [TemplateForm::Full, TemplateForm::Compact] {
        for dimension in [1, 2, 5, 16, 100, 128, 512, 4096] {
            let count = if dimension > 1000 { 40 } else { 200 };
            let center = random_unit(&mut random, dimension);
            let mut index = Index::new(dimension, form);
            let slots: Vec<_> = (0..count)
                .map(|i| match i % 5 {
                    0 => near(&mut random, &center, 0.001),
                    1 => near(&mut random, &opposite(&center), 0.01),
                    2 => {
                        let mut spike = vec![1e-3; dimension];
                        spike[i % dimension] = 1.0;
                        Embedding::from_raw(spike).unwrap()
                    }
                    _ => random_unit(&mut random, dimension),
                })
                .map(|template| index.push(identity(1), &template))
                .collect();
            for probe in [
                center.clone(),
                opposite(&center),
                random_unit(&mut random, dimension),
            ] {
                let ready = index.ready(&probe);
                let mut largest = vec![0.0; index.blocks()];
                index.scan(ready.quads(), [&mut largest]);
                for slot in &slots {
                    let (chunk, row) = slot.place();
                    let block = index.chunks[chunk].block(row / BLOCK);
                    let value = index.kernel.values(block, ready.quads())[row % BLOCK];
                    assert!(value <= largest[row / BLOCK]);
                    let distance = SquaredL2::between(&probe, &index.template(*slot));
                    let limit = bound::Limit::new(&ready, distance);
                    let numbers = index.template(*slot);
                    let loosely = bound::loosely(probe.values(), numbers.values());
                    assert!(f64::from(loosely) <= limit.ceiling);
                    let floor = limit.floor;
                    assert!(
                        f64::from(value) >= floor,
                        "{dimension}-D: {value} below {floor}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_probe_without_direction_reaches_the_search() {
    // Zero and NaN are refused where an embedding is made, the one type that is searched for.
    assert!(Embedding::from_raw(vec![0.0; 128]).is_err());
    assert!(Embedding::from_unit(vec![0.0; 128]).is_err());
    assert!(Embedding::from_raw(vec![f32::NAN; 128]).is_err());
    assert!(Embedding::from_unit(vec![f32::NAN; 128]).is_err());
}

#[test]
fn memory_per_template_is_as_documented() {
    let mut random = seeded(6);
    let template = random_unit(&mut random, 128);
    for (form, most) in [(TemplateForm::Full, 660), (TemplateForm::Compact, 150)] {
        let mut index = Index::new(128, form);
        let count = 2 * chunk::ROWS;
        for i in 0..count {
            index.push(identity(i as u32 + 1), &template);
        }
        assert!(
            index.bytes() / count <= most,
            "{form:?}: {}",
            index.bytes() / count
        );
    }
    let small = Index::new(128, TemplateForm::Full);
    assert!(small.bytes() < 1000);
}

#[test]
#[should_panic(expected = "a filled slot")]
fn an_empty_slot_has_no_template() {
    let mut index = Index::new(3, TemplateForm::Full);
    let slot = index.push(identity(1), &Embedding::from_raw(vec![1.0; 3]).unwrap());
    index.remove(slot);
    index.template(slot);
}

#[test]
#[should_panic(expected = "a probe of this model")]
fn a_probe_of_another_dimension_is_a_bug() {
    Index::new(3, TemplateForm::Full).search(&Embedding::from_raw(vec![1.0; 4]).unwrap());
}

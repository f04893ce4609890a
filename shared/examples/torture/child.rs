//! The process that is killed: says what it is about to do, does it, says that it is done.

use std::path::Path;
use std::process::ExitCode;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::gallery::{Consent, Enrollee, GalleryError, IdentityId, NewTemplate, RemovalReason};

use crate::place::{DESK, NOON, Place, face};

/// Most people in the gallery: a compaction shall not take all the time.
const MOST_PEOPLE: usize = 40;
/// More than anybody waits for: the child of a parent that is gone ends.
const MOST_OPERATIONS: usize = 20_000;

/// Works until it is killed.
pub(crate) fn run(folder: &Path, seed: u64) -> ExitCode {
    match work(&Place::at(folder), seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(place: &Place, seed: u64) -> Result<(), GalleryError> {
    let (mut store, mut key) = match place.open() {
        Err(GalleryError::Missing { .. }) => (place.create()?, 0),
        opened => opened?,
    };
    println!("opened");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for number in 0..MOST_OPERATIONS {
        let people: Vec<(IdentityId, String)> = (store.gallery().identities())
            .map(|known| (known.id(), known.name().to_owned()))
            .collect();
        let kind = match people.len() {
            0..3 => 0,
            MOST_PEOPLE.. => 50,
            _ => rng.random_range(0..100),
        };
        match kind {
            0..45 => {
                let name = format!("{seed:x}-{number}");
                println!("try enroll {name}");
                store.enroll(&enrollee(&name), DESK)?;
            }
            45..70 => {
                let (id, name) = &people[rng.random_range(0..people.len())];
                println!("try remove {name}");
                store.remove(*id, RemovalReason::Asked, DESK)?;
            }
            70..85 => {
                println!("try compact");
                store.compact(DESK)?;
            }
            _ => {
                println!("try rekey {}", 1 - key);
                key = 1 - key;
                store.rekey(place.sealing(key), rng.random(), DESK)?;
            }
        }
        println!("ok");
    }
    Ok(())
}

fn enrollee(name: &str) -> Enrollee {
    Enrollee {
        name: name.to_owned(),
        consent: Consent::given("I agree.", NOON, "front desk", 365).unwrap(),
        templates: vec![NewTemplate {
            embedding: face(name),
            label: None,
            taken_at: NOON,
        }],
    }
}

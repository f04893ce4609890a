use super::*;

const DIMENSION: usize = 3;

fn found(x: f32, detected: bool) -> Found {
    let at = |i: usize| Point {
        x: x + i as f32,
        y: 2.0 * x,
    };
    Found {
        detection: detected.then(|| Detection {
            bounds: Rect {
                left: x,
                top: 1.0,
                width: 30.0,
                height: 40.0,
            },
            score: 0.75,
            landmarks: Landmarks([at(0), at(1), at(2), at(3), at(4)]),
        }),
        embedding: Embedding::from_raw(vec![x, 1.0, -0.3]).unwrap(),
    }
}

fn cache(folder: &Path) -> Cache {
    let mut cache = Cache {
        folder: None,
        dimension: DIMENSION,
        known: HashMap::new(),
        files: Vec::new(),
        fresh: Mutex::default(),
    };
    cache.read(folder).unwrap();
    cache.folder = Some(folder.to_owned());
    cache
}

fn keep(folder: &Path, pictures: &[(Key, Vec<Found>)]) {
    let cache = cache(folder);
    for (key, found) in pictures {
        cache.put(*key, found).unwrap();
    }
    cache.finish().unwrap();
}

#[test]
fn what_is_kept_comes_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("model");
    let pictures = [
        ([1; 32], vec![found(0.25, true), found(7.0, true)]),
        ([2; 32], vec![]),
        ([3; 32], vec![found(-1.5, false)]),
    ];
    keep(&place, &pictures);
    let cache = cache(&place);
    for (key, found) in &pictures {
        assert!(cache.get(key) == Some(found), "picture {}", key[0]);
    }
    assert!(cache.get(&[4; 32]).is_none());
    // Of another dimension nothing is taken.
    assert!(parse(&std::fs::read(&cache.files[0]).unwrap(), 4).is_none());
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("model");
    keep(&place, &[([1; 32], vec![found(0.25, true)])]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    assert_eq!(mode(&cache(&place).files[0]), 0o600);
}

#[test]
fn a_damaged_file_is_as_if_it_were_not_there() {
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), &[([1; 32], vec![found(0.25, true)])]);
    keep(folder.path(), &[([2; 32], vec![found(0.5, true)])]);
    let file = list(folder.path()).unwrap().remove(0);
    let sound = std::fs::read(&file).unwrap();
    for place in (0..sound.len()).step_by(7) {
        let mut bytes = sound.clone();
        bytes[place] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(cache(folder.path()).known.len(), 1, "byte {place}");
    }
    std::fs::write(&file, &sound[..sound.len() / 2]).unwrap();
    assert_eq!(cache(folder.path()).known.len(), 1);
}

#[test]
fn many_files_become_one() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..=MAX_FILES as u8 {
        keep(
            folder.path(),
            &[([number; 32], vec![found(f32::from(number), true)])],
        );
    }
    assert_eq!(list(folder.path()).unwrap().len(), 1);
    assert_eq!(cache(folder.path()).known.len(), MAX_FILES + 1);
}

//! Runs of the command without networks: faces at known angles, folders looked at.

use std::fs;
use std::path::Path;

use shared::Threshold;

use super::folders::{Folders, LONE, put_pending};
use super::*;

struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("out")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Adds faces `name, index, degrees`, as the command does.
    fn add(&self, faces: &[(&str, usize, f32)], copied: bool) -> Grown {
        let out = self.path("out");
        let (mut state, mut rows) = State::read(&out).unwrap().unwrap_or_else(|| {
            (
                State::new("tiny".into(), 2, 0.1, Method::Average, copied),
                Vec::new(),
            )
        });
        let vectors: Vec<[f32; 2]> = faces
            .iter()
            .map(|(_, _, angle)| [angle.to_radians().cos(), angle.to_radians().sin()])
            .collect();
        let new = faces
            .iter()
            .zip(&vectors)
            .map(|((name, index, _), vector)| {
                let path = self.path(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, name).unwrap();
                let digest = (*name).to_owned();
                NewFace {
                    path,
                    digest,
                    index: *index,
                    label: None,
                    place: None,
                    embedding: vector,
                }
            });
        let d = Threshold::new(0.1).unwrap();
        let grown = grow(&mut state, &mut rows, new.collect(), Method::Average, d).unwrap();
        state.write(&out, &rows).unwrap();
        let mut folders = Folders::find(&out).unwrap();
        put_pending(&state, &out, &mut folders).unwrap();
        state.pending.clear();
        state.write(&out, &rows).unwrap();
        grown
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path("out").join(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }
}

#[test]
fn new_faces_join_old_clusters_and_names_stay() {
    for copied in [false, true] {
        let place = Ground::new();
        let first = [
            ("a.jpg", 0, 0.0),
            ("b.jpg", 0, 5.0),
            ("b.jpg", 1, 90.0),
            ("c.jpg", 0, 180.0),
        ];
        let grown = place.add(&first, copied);
        assert_eq!(
            grown,
            Grown {
                known: 0,
                joined: 0,
                clusters: 1
            }
        );
        assert_eq!(place.list("cluster-0001"), ["a.jpg", "b.jpg"]);
        assert_eq!(place.list(LONE), ["b.jpg", "c.jpg"]);

        fs::rename(place.path("out/cluster-0001"), place.path("out/Ada")).unwrap();
        fs::write(place.path("out/Ada/a-note.txt"), "mine").unwrap();
        // One joins Ada, one makes a lone face a cluster, one is alone, one is known; two files of one name.
        let second = [
            ("more/a.jpg", 0, 3.0),
            ("d.jpg", 0, 178.0),
            ("e.jpg", 0, 270.0),
            ("a.jpg", 0, 0.0),
        ];
        let grown = place.add(&second, copied);
        assert_eq!(
            grown,
            Grown {
                known: 1,
                joined: 1,
                clusters: 1
            }
        );
        assert_eq!(
            place.list("Ada"),
            ["a-2.jpg", "a-note.txt", "a.jpg", "b.jpg"]
        );
        assert_eq!(
            fs::read_to_string(place.path("out/Ada/a-2.jpg")).unwrap(),
            "more/a.jpg"
        );
        assert_eq!(place.list("cluster-0002"), ["c.jpg", "d.jpg"]);
        assert_eq!(place.list(LONE), ["b.jpg", "e.jpg"]);

        let is_link = |name: &str| place.path(name).symlink_metadata().unwrap().is_symlink();
        assert_eq!(is_link("out/Ada/a.jpg"), !copied);
        let again = place.add(&second, copied);
        assert_eq!(
            again,
            Grown {
                known: 4,
                joined: 0,
                clusters: 0
            }
        );
        let names = place.list("");
        assert_eq!(
            names
                .iter()
                .filter(|name| name.starts_with("embeddings-"))
                .count(),
            1
        );
    }
}

#[test]
fn what_a_crash_left_undone_is_done_next_time() {
    let place = Ground::new();
    place.add(&[("a.jpg", 0, 0.0), ("b.jpg", 0, 5.0)], false);
    let out = place.path("out");
    let (mut state, rows) = State::read(&out).unwrap().unwrap();
    state.pending = vec![0, 1];
    state.write(&out, &rows).unwrap();
    fs::remove_file(out.join("cluster-0001/b.jpg")).unwrap();
    place.add(&[], false);
    assert_eq!(place.list("cluster-0001"), ["a.jpg", "b.jpg"]);
}

#[test]
fn a_folder_of_other_things_is_refused() {
    let place = Ground::new();
    let out = place.path("out");
    assert!(State::read(&out).unwrap().is_none());
    assert!(State::read(&place.path("absent")).unwrap().is_none());
    fs::write(out.join("embeddings-0.safetensors"), "a crash's").unwrap();
    assert!(State::read(&out).unwrap().is_none());
    fs::write(out.join("letter.txt"), "dear").unwrap();
    let error = State::read(&out).unwrap_err().to_string();
    assert!(error.contains("other things"), "{error}");
    fs::write(out.join(LIST), "{}").unwrap();
    let error = State::read(&out).unwrap_err().to_string();
    assert!(error.contains("a list of faces"), "{error}");
}

#[test]
fn two_folders_of_one_number_are_told() {
    let place = Ground::new();
    place.add(&[("a.jpg", 0, 0.0), ("b.jpg", 0, 5.0)], true);
    let copy = place.path("out/copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(
        place.path("out/cluster-0001/.usher-cluster"),
        copy.join(".usher-cluster"),
    )
    .unwrap();
    let error = Folders::find(&place.path("out")).unwrap_err().to_string();
    assert!(error.contains("of its own"), "{error}");
}

#[cfg(unix)]
#[test]
fn all_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Ground::new();
    place.add(
        &[("a.jpg", 0, 0.0), ("b.jpg", 0, 5.0), ("c.jpg", 0, 90.0)],
        true,
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in ["clusters.json", "cluster-0001/a.jpg"] {
        assert_eq!(mode(&place.path("out").join(file)), 0o600, "{file}");
    }
    for folder in ["cluster-0001", LONE] {
        assert_eq!(mode(&place.path("out").join(folder)), 0o700, "{folder}");
    }
}

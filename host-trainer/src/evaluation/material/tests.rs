use super::*;

fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file).unwrap();
    }
    folder
}

/// Each fold's counts of genuine and impostor pairs.
fn counts(material: &Material) -> Vec<[usize; 2]> {
    let folds = material.folds.iter();
    folds
        .map(|fold| {
            let genuine = fold.iter().filter(|pair| material.is_genuine(**pair));
            let genuine = genuine.count();
            [genuine, fold.len() - genuine]
        })
        .collect()
}

#[test]
fn people_of_a_folder_are_dealt_into_folds() {
    let mut files = Vec::new();
    for person in 0..24 {
        // Every second has three pictures, the others one.
        for number in 0..(if person % 2 == 0 { 3 } else { 1 }) {
            files.push(format!("p{person:02}/{number}.jpg"));
        }
    }
    let folder = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let material = Material::photos(folder.path(), None).unwrap();
    assert_eq!((material.pictures.len(), material.names.len()), (48, 24));
    assert!(material.all);
    assert_eq!(material.folds.len(), 10);
    for [genuine, impostor] in counts(&material) {
        assert!(
            genuine >= 3 && genuine % 3 == 0 && genuine == impostor,
            "{genuine} {impostor}"
        );
    }
    // No person is in two folds.
    let mut fold_of = BTreeMap::new();
    for (number, fold) in material.folds.iter().enumerate() {
        for place in fold.iter().flatten() {
            assert_eq!(
                *fold_of.entry(material.people[*place]).or_insert(number),
                number
            );
        }
    }
    assert_eq!(material.pictures[0].path, Path::new("p00/0.jpg"));
    assert_eq!(&*material.pictures[0].bytes().unwrap(), b"p00/0.jpg");

    let few = Material::photos(folder.path(), Some(20)).unwrap();
    assert_eq!(counts(&few), [[1, 1]; 10]);
    assert!(!few.all && few.pictures.len() <= 40);
    for (picture, person) in few.pictures.iter().zip(&few.people) {
        assert!(picture.path.starts_with(&few.names[*person]));
    }
}

#[test]
fn folders_without_enough_people_are_refused() {
    let refused = |files: &[&str]| {
        let folder = folder(files);
        Material::photos(folder.path(), None)
            .unwrap_err()
            .to_string()
    };
    let said = refused(&["a/1.jpg", "a/2.jpg", "b/1.jpg", "c/1.jpg", "d/1.jpg"]);
    assert!(said.contains("found 4 and 1"), "{said}");
    let said = refused(&["a/1.jpg", "loose.jpg"]);
    assert!(said.contains("found 1 that do not"), "{said}");
}

#[test]
fn people_of_a_list_are_those_its_pairs_connect() {
    let folder = folder(&["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"]);
    let path = folder.path().join("pairs.tsv");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(
        "a/1.jpg\ta/2.jpg\tsame\told\nb/1.jpg\tb/2.jpg\tsame\tyoung\n\
         a/1.jpg\tb/1.jpg\tdifferent\nb/2.jpg\ta/2.jpg\tdifferent\told\n",
    );
    let material = Material::pair_file(&path, None).unwrap();
    assert_eq!(material.people, [0, 0, 1, 1]);
    assert_eq!(material.names, ["a", "b"]);
    assert_eq!(material.folds, [[[0, 1], [0, 2]], [[2, 3], [3, 1]]]);
    let groups: Vec<Option<&str>> = material.pair_groups.iter().map(Option::as_deref).collect();
    assert_eq!(groups, [Some("old"), None, Some("young"), Some("old")]);

    write("a/1.jpg\ta/2.jpg\tsame\na/2.jpg\tb/1.jpg\tsame\nb/1.jpg\ta/1.jpg\tdifferent\n");
    let error = Material::pair_file(&path, None).unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
}

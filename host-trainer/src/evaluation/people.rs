//! Whose pictures they are: people that a list's `same` pairs connect, and people's groups.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a file of groups cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GroupsError {
    /// The file system refused.
    #[error("cannot read {path}: {source}; --groups needs a file of people and their groups")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is none of a person.
    #[error(
        "{path}, line {line}: expected a person and a group, separated by a tab, and each person once"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// Nobody in it has pictures here.
    #[error(
        "expected people of {path} among those compared, found none of {people}; a person is named as the folder of the pictures"
    )]
    Nobody {
        /// The file.
        path: PathBuf,
        /// People in it.
        people: usize,
    },
}

/// Numbers, from 0 in the order of first pictures, of the people that `same` pairs connect.
pub(super) fn by_same(pictures: usize, same: impl Iterator<Item = [usize; 2]>) -> Vec<usize> {
    let mut parents: Vec<usize> = (0..pictures).collect();
    fn root(parents: &mut [usize], mut at: usize) -> usize {
        while parents[at] != at {
            parents[at] = parents[parents[at]];
            at = parents[at];
        }
        at
    }
    for [first, second] in same {
        let (first, second) = (root(&mut parents, first), root(&mut parents, second));
        parents[first.max(second)] = first.min(second);
    }
    let mut numbers = BTreeMap::new();
    (0..pictures)
        .map(|picture| {
            let next = numbers.len();
            *numbers.entry(root(&mut parents, picture)).or_insert(next)
        })
        .collect()
}

/// Each person's group by a file with a line for each: name, group, separated by a tab; none for
/// people whom it does not name.
///
/// # Errors
/// [`GroupsError`], naming file and line.
pub fn groups(path: &Path, names: &[String]) -> Result<Vec<Option<String>>, GroupsError> {
    let text = std::fs::read_to_string(path).map_err(|source| GroupsError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mut of = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        let sound = text
            .split_once('\t')
            .filter(|(name, group)| !name.is_empty() && !group.is_empty() && !group.contains('\t'))
            .filter(|(name, group)| of.insert(*name, *group).is_none());
        if sound.is_none() {
            let path = path.to_owned();
            return Err(GroupsError::Line { path, line });
        }
    }
    let found = names.iter().map(|name| of.get(name.as_str()));
    let found: Vec<Option<String>> = found.map(|group| group.map(|it| it.to_string())).collect();
    if found.iter().all(Option::is_none) {
        return Err(GroupsError::Nobody {
            path: path.to_owned(),
            people: of.len(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_pairs_connect_people() {
        let people = by_same(7, [[1, 4], [5, 4], [2, 3]].into_iter());
        assert_eq!(people, [0, 1, 2, 2, 1, 1, 3]);
    }

    #[test]
    fn groups_are_read_and_bad_lines_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("groups.tsv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            groups(&path, &["Ada".to_owned(), "Bob".to_owned()])
        };
        let found = read("Ada\twomen\nEve\twomen\n").unwrap();
        assert_eq!(found, [Some("women".to_owned()), None]);
        for (text, said) in [
            ("Ada\twomen\nBob\n", "line 2"),
            ("Ada\twomen\nAda\tmen\n", "line 2"),
            ("Ada\ta\tb\n", "line 1"),
            ("Eve\twomen\n", "found none of 1"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}

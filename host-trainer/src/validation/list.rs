//! What a validation compares: LFW's View 1, or any list of pairs in a file.
//!
//! A file of pairs has a line for each: first picture, second picture, `same` or `different`,
//! separated by tabs, paths relative to the file's folder; a fourth column, the group that the pair
//! belongs to, is for `evaluate` and not used here. Its pairs are dealt into five folds, and
//! the threshold of each is chosen on the other four. Of LFW's View 1 the threshold is chosen on
//! pairsDevTrain and the accuracy measured on pairsDevTest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::dataset::lfw::{Lfw, LfwError, VIEW_1_TEST, VIEW_1_TRAIN};
use crate::verification::pairs::{PairList, PictureId};

/// Folds that a file's pairs are dealt into.
const FOLDS: usize = 5;

/// Two pictures to compare, as indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// One picture.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// Whether both show one person.
    pub genuine: bool,
}

/// Which pairs choose a threshold and which are measured by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// Some choose, others are measured.
    HeldOut {
        /// Pairs that the threshold is chosen on.
        choose: Vec<Pair>,
        /// Pairs that it is measured on.
        measure: Vec<Pair>,
    },
    /// Each fold is measured by the threshold of the others.
    Folds(Vec<Vec<Pair>>),
}

impl Protocol {
    /// The pairs that `change` keeps, as it changes them.
    pub fn filter_map(&self, change: impl Fn(&Pair) -> Option<Pair>) -> Self {
        let all = |pairs: &Vec<Pair>| pairs.iter().filter_map(&change).collect();
        match self {
            Protocol::HeldOut { choose, measure } => Protocol::HeldOut {
                choose: all(choose),
                measure: all(measure),
            },
            // Dealt anew, so that every fold has its share of what is left.
            Protocol::Folds(folds) => Protocol::Folds(deal(&all(&folds.concat()))),
        }
    }
}

/// Pictures and what to compare among them.
#[derive(Debug)]
pub struct List {
    /// Path, for messages, and bytes of each picture.
    pub pictures: Vec<(PathBuf, Vec<u8>)>,
    /// The pairs; indices are into `pictures`.
    pub protocol: Protocol,
}

/// Why a file of pairs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The file system refused.
    #[error(
        "cannot read {path}: {source}; a validation needs a folder of LFW or a file of pairs, and the pictures it names"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is no pair.
    #[error(
        "{path}, line {line}: expected two different pictures, the word same or different and at most a group, separated by tabs, found {found:?}"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The line.
        found: String,
    },
}

impl List {
    /// LFW's View 1 in that folder, at most `limit` pairs of either of its lists.
    ///
    /// # Errors
    /// [`LfwError`] if a list or a picture cannot be read.
    pub fn lfw_view_1(folder: &Path, limit: usize) -> Result<Self, LfwError> {
        let lfw = Lfw::new(folder);
        let named = |list: PairList| -> Vec<(PictureId, PictureId, bool)> {
            let pairs = list.folds.into_iter().flatten();
            let pairs: Vec<_> = pairs
                .map(|pair| {
                    let genuine = pair.is_genuine();
                    (pair.first, pair.second, genuine)
                })
                .collect();
            sample(&pairs, limit)
        };
        let choose = named(lfw.pairs(VIEW_1_TRAIN)?);
        let measure = named(lfw.pairs(VIEW_1_TEST)?);
        let wanted: BTreeSet<PictureId> = both(&choose).chain(both(&measure)).cloned().collect();
        let pictures = lfw.pictures(&wanted)?;
        let places = places(pictures.keys());
        let protocol = Protocol::HeldOut {
            choose: indexed(&choose, &places),
            measure: indexed(&measure, &places),
        };
        let pictures = pictures
            .iter()
            .map(|(id, bytes)| (id.path(), bytes.clone()));
        Ok(Self {
            pictures: pictures.collect(),
            protocol,
        })
    }

    /// A file of pairs, at most `limit` of them.
    ///
    /// # Errors
    /// A [`ListError`] naming the file, and the line where one is no pair.
    pub fn read(path: &Path, limit: usize) -> Result<Self, ListError> {
        let io = |path: &Path, source| ListError::Io {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(|source| io(path, source))?;
        let pairs = parse(&text, path)?.into_iter();
        let pairs: Vec<_> = pairs
            .map(|pair| (pair.first, pair.second, pair.genuine))
            .collect();
        let pairs = sample(&pairs, limit);
        let wanted: BTreeSet<&str> = both(&pairs).copied().collect();
        let places = places(wanted.iter());
        let folder = path.parent().unwrap_or(Path::new(""));
        let read = |name: &&str| {
            let picture = folder.join(name);
            match std::fs::read(&picture) {
                Ok(bytes) => Ok((picture, bytes)),
                Err(source) => Err(io(&picture, source)),
            }
        };
        Ok(Self {
            pictures: wanted.iter().map(read).collect::<Result<_, _>>()?,
            protocol: Protocol::Folds(deal(&indexed(&pairs, &places))),
        })
    }
}

/// A line of a file of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// One picture, relative to the file's folder.
    pub first: &'a str,
    /// The other.
    pub second: &'a str,
    /// Whether both show one person.
    pub genuine: bool,
    /// The group that the pair belongs to, if the line names one.
    pub group: Option<&'a str>,
}

/// The pairs of a file's text; `path` is for messages.
///
/// # Errors
/// [`ListError::Line`], naming the first line that is no pair.
pub fn parse<'a>(text: &'a str, path: &Path) -> Result<Vec<Line<'a>>, ListError> {
    let pair = |line: &'a str| {
        let mut fields = line.split('\t');
        let (first, second, word) = (fields.next()?, fields.next()?, fields.next()?);
        let genuine = match word {
            "same" => true,
            "different" => false,
            _ => return None,
        };
        let group = fields.next();
        let whole = !first.is_empty() && !second.is_empty() && fields.next().is_none();
        (whole && first != second && group != Some("")).then_some(Line {
            first,
            second,
            genuine,
            group,
        })
    };
    let numbered = text.lines().enumerate();
    numbered
        .map(|(index, line)| {
            pair(line).ok_or_else(|| ListError::Line {
                path: path.to_owned(),
                line: index + 1,
                found: line.to_owned(),
            })
        })
        .collect()
}

/// At most `limit` pairs, half of either kind, evenly from the whole list.
fn sample<P: Clone>(pairs: &[(P, P, bool)], limit: usize) -> Vec<(P, P, bool)> {
    sample_by(pairs, limit, |pair| pair.2)
}

/// At most `limit` pairs, half of either kind, evenly from the whole list; `is_genuine` tells the
/// kinds apart.
pub fn sample_by<P: Clone>(pairs: &[P], limit: usize, is_genuine: impl Fn(&P) -> bool) -> Vec<P> {
    let kind = |genuine: bool| {
        let kind: Vec<_> = pairs
            .iter()
            .filter(|pair| is_genuine(pair) == genuine)
            .collect();
        let count = kind.len().min(limit.div_ceil(2));
        let picked = (0..count).map(|index| kind[index * kind.len() / count].clone());
        picked.collect::<Vec<_>>()
    };
    [kind(true), kind(false)].concat()
}

/// Either kind evenly into [`FOLDS`] folds, or as many as there are pairs of the rarer kind.
fn deal(pairs: &[Pair]) -> Vec<Vec<Pair>> {
    let genuine = pairs.iter().filter(|pair| pair.genuine).count();
    let count = FOLDS.min(genuine).min(pairs.len() - genuine).max(1);
    let mut folds = vec![Vec::new(); count];
    let mut dealt = [0; 2];
    for pair in pairs {
        let dealt = &mut dealt[usize::from(pair.genuine)];
        folds[*dealt % count].push(*pair);
        *dealt += 1;
    }
    folds
}

fn both<P>(pairs: &[(P, P, bool)]) -> impl Iterator<Item = &P> {
    pairs.iter().flat_map(|(first, second, _)| [first, second])
}

/// Where each of some different pictures stands among them.
fn places<'a, P: Ord>(pictures: impl Iterator<Item = &'a P>) -> BTreeMap<&'a P, usize> {
    pictures.zip(0..).collect()
}

fn indexed<P: Ord>(pairs: &[(P, P, bool)], places: &BTreeMap<&P, usize>) -> Vec<Pair> {
    let pair = |(first, second, genuine): &(P, P, bool)| Pair {
        first: places[first],
        second: places[second],
        genuine: *genuine,
    };
    pairs.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_even_half_of_either_kind_and_always_the_same() {
        let genuine = (0..100).map(|i| (i, 1000 + i, true));
        let impostor = (0..50).map(|i| (i, 2000 + i, false));
        let pairs: Vec<(i32, i32, bool)> = genuine.chain(impostor).collect();
        let sampled = sample(&pairs, 10);
        let firsts: Vec<(i32, bool)> = sampled.iter().map(|pair| (pair.0, pair.2)).collect();
        let expected = [
            (0, true),
            (20, true),
            (40, true),
            (60, true),
            (80, true),
            (0, false),
            (10, false),
            (20, false),
            (30, false),
            (40, false),
        ];
        assert_eq!(firsts, expected);
        assert_eq!(sample(&pairs, 1000).len(), 150);
        assert!(sample::<i32>(&[], 10).is_empty());
    }

    #[test]
    fn either_kind_is_dealt_evenly() {
        let pair = |index: usize, genuine| Pair {
            first: index,
            second: index + 1,
            genuine,
        };
        let genuine = (0..12).map(|index| pair(index, true));
        let pairs: Vec<Pair> = genuine
            .chain((0..7).map(|index| pair(index, false)))
            .collect();
        let folds = deal(&pairs);
        let counts: Vec<(usize, usize)> = folds
            .iter()
            .map(|fold| {
                let genuine = fold.iter().filter(|pair| pair.genuine).count();
                (genuine, fold.len() - genuine)
            })
            .collect();
        assert_eq!(counts, [(3, 2), (3, 2), (2, 1), (2, 1), (2, 1)]);
        // No fold without an impostor pair where there are but two.
        assert_eq!(deal(&pairs[..14]).len(), 2);
    }

    #[test]
    fn a_file_of_pairs_is_read_with_the_pictures_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("faces")).unwrap();
        for name in ["a1", "a2", "b1"] {
            std::fs::write(folder.path().join("faces").join(name), name).unwrap();
        }
        let path = folder.path().join("pairs.tsv");
        let text = "faces/a1\tfaces/a2\tsame\nfaces/b1\tfaces/a1\tdifferent\n";
        std::fs::write(&path, text).unwrap();
        let list = List::read(&path, 10).unwrap();
        let bytes: Vec<&[u8]> = list.pictures.iter().map(|(_, bytes)| &bytes[..]).collect();
        assert_eq!(bytes, [b"a1", b"a2", b"b1"], "each once");
        let Protocol::Folds(folds) = list.protocol else {
            panic!("folds");
        };
        let pair = |first, second, genuine| Pair {
            first,
            second,
            genuine,
        };
        assert_eq!(folds, [[pair(0, 1, true), pair(2, 0, false)]]);

        std::fs::remove_file(folder.path().join("faces/b1")).unwrap();
        let said = List::read(&path, 10).unwrap_err().to_string();
        assert!(said.contains("faces/b1"), "{said}");
    }

    #[test]
    fn a_line_that_is_no_pair_is_named() {
        for (name, line) in [
            ("empty", ""),
            ("two fields", "a\tb"),
            ("another word", "a\tb\tyes"),
            ("a picture with itself", "a\ta\tsame"),
            ("an empty group", "a\tb\tsame\t"),
            ("more fields", "a\tb\tsame\tc\td"),
            ("no second", "a\t\tsame"),
        ] {
            let text = format!("a\tb\tsame\n{line}\n");
            let error = parse(&text, Path::new("pairs.tsv")).expect_err(name);
            let said = error.to_string();
            assert!(said.contains("pairs.tsv, line 2:"), "{name}: {said}");
        }
    }

    #[test]
    fn view_1_chooses_on_one_list_and_measures_on_the_other() {
        let folder = tempfile::tempdir().unwrap();
        for (person, number) in [("Ada", 1), ("Ada", 2), ("Bob", 1), ("Cleo", 1), ("Cleo", 2)] {
            let path = folder
                .path()
                .join(format!("{person}/{person}_{number:04}.jpg"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{person} {number}")).unwrap();
        }
        for (list, text) in [
            (VIEW_1_TRAIN, "1\nAda\t1\t2\nAda\t1\tBob\t1\n"),
            (VIEW_1_TEST, "1\nCleo\t1\t2\nCleo\t2\tBob\t1\n"),
        ] {
            std::fs::write(folder.path().join(list), text).unwrap();
        }
        let list = List::lfw_view_1(folder.path(), 2).unwrap();
        let Protocol::HeldOut { choose, measure } = &list.protocol else {
            panic!("two lists");
        };
        let shown = |pair: &Pair| {
            let bytes = |index: usize| String::from_utf8(list.pictures[index].1.clone()).unwrap();
            (bytes(pair.first), bytes(pair.second), pair.genuine)
        };
        let text =
            |first: &str, second: &str, genuine| (first.to_owned(), second.to_owned(), genuine);
        let chosen: Vec<_> = choose.iter().map(shown).collect();
        assert_eq!(
            chosen,
            [text("Ada 1", "Ada 2", true), text("Ada 1", "Bob 1", false)]
        );
        let measured: Vec<_> = measure.iter().map(shown).collect();
        assert_eq!(
            measured,
            [
                text("Cleo 1", "Cleo 2", true),
                text("Cleo 2", "Bob 1", false)
            ]
        );
        assert_eq!(list.pictures.len(), 5);
    }
}

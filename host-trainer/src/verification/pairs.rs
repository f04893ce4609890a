//! LFW's lists of pairs: pairs.txt (View 2), pairsDevTrain.txt and pairsDevTest.txt (View 1).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One picture of a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PictureId {
    /// The person, as `George_W_Bush`.
    pub person: String,
    /// Number of the picture, from 1.
    pub number: u32,
}

impl PictureId {
    /// `Name/Name_0001.jpg`.
    pub fn path(&self) -> PathBuf {
        Path::new(&self.person).join(format!("{}_{:04}.jpg", self.person, self.number))
    }
}

/// Two pictures to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// One picture.
    pub first: PictureId,
    /// The other.
    pub second: PictureId,
}

impl Pair {
    /// Whether both show the same person.
    pub fn is_genuine(&self) -> bool {
        self.first.person == self.second.person
    }
}

/// Pairs in the folds that the protocol gives them; a View 1 list has one fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairList {
    /// The folds, half of each genuine.
    pub folds: Vec<Vec<Pair>>,
}

/// Why a list of pairs could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PairsError {
    /// The file system refused.
    #[error("cannot read {path}: {source}; LFW's lists of pairs belong into that folder")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not what its place asks for.
    #[error("{path}, line {line}: expected {expected}, found {found:?}; fetch the list again")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
        /// What stands there, or that the file ends.
        found: String,
    },
}

const HEADER: &str = "the number of folds and of genuine pairs in each, or the latter alone";
const GENUINE: &str = "a name and two different picture numbers, separated by tabs";
const IMPOSTOR: &str = "a name, a picture number, another name, its number, separated by tabs";

impl PairList {
    /// Reads a list of pairs.
    ///
    /// # Errors
    /// A [`PairsError`] naming file and line.
    pub fn read(path: &Path) -> Result<Self, PairsError> {
        let text = std::fs::read_to_string(path).map_err(|source| PairsError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads a list from its text; `path` is for messages.
    ///
    /// # Errors
    /// [`PairsError::Line`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, PairsError> {
        let mut lines = Lines {
            lines: text.lines(),
            read: 0,
            path,
        };
        let (folds, half) = lines.next(HEADER, |fields| match fields {
            [half] => Some((1, count(half)?)),
            [folds, half] => Some((count(folds)?, count(half)?)),
            _ => None,
        })?;
        let mut list = Self { folds: Vec::new() };
        for _ in 0..folds {
            let mut fold = Vec::new();
            for _ in 0..half {
                fold.push(lines.next(GENUINE, genuine)?);
            }
            for _ in 0..half {
                fold.push(lines.next(IMPOSTOR, impostor)?);
            }
            list.folds.push(fold);
        }
        lines.end()?;
        Ok(list)
    }

    /// Every picture that a pair needs, each once, in order.
    pub fn pictures(&self) -> BTreeSet<PictureId> {
        let pairs = self.folds.iter().flatten();
        pairs
            .flat_map(|pair| [pair.first.clone(), pair.second.clone()])
            .collect()
    }
}

/// A positive number.
fn count(field: &str) -> Option<u32> {
    field.parse().ok().filter(|number| *number > 0)
}

fn picture(person: &str, number: &str) -> Option<PictureId> {
    // A name becomes a path, so it must not lead anywhere else.
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    (!person.is_empty() && person.chars().all(plain)).then_some(())?;
    Some(PictureId {
        person: person.to_owned(),
        number: count(number)?,
    })
}

fn genuine(fields: &[&str]) -> Option<Pair> {
    let [person, first, second] = fields else {
        return None;
    };
    let (first, second) = (picture(person, first)?, picture(person, second)?);
    (first != second).then_some(Pair { first, second })
}

fn impostor(fields: &[&str]) -> Option<Pair> {
    let [person, number, other, other_number] = fields else {
        return None;
    };
    let (first, second) = (picture(person, number)?, picture(other, other_number)?);
    (first.person != second.person).then_some(Pair { first, second })
}

/// The lines of a list, counted.
struct Lines<'a> {
    lines: std::str::Lines<'a>,
    read: usize,
    path: &'a Path,
}

impl Lines<'_> {
    fn next<T>(
        &mut self,
        expected: &'static str,
        parse: impl Fn(&[&str]) -> Option<T>,
    ) -> Result<T, PairsError> {
        self.read += 1;
        let line = self.lines.next();
        let fields: Vec<&str> = line.unwrap_or_default().split('\t').collect();
        parse(&fields).ok_or_else(|| self.refuse(expected, line.unwrap_or("the end of the file")))
    }

    fn end(&mut self) -> Result<(), PairsError> {
        self.read += 1;
        match self.lines.next() {
            None => Ok(()),
            Some(line) => Err(self.refuse("the end of the file", line)),
        }
    }

    fn refuse(&self, expected: &'static str, found: &str) -> PairsError {
        PairsError::Line {
            path: self.path.to_owned(),
            line: self.read,
            expected,
            found: found.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PairList, PairsError> {
        PairList::parse(text, Path::new("pairs.txt"))
    }

    #[test]
    fn both_views_are_read() {
        let view_1 = parse("1\nAda\t1\t2\nAda\t1\tBob\t3\n").unwrap();
        assert_eq!(view_1.folds.len(), 1);
        assert_eq!(
            view_1.folds[0][0].second.path(),
            Path::new("Ada/Ada_0002.jpg")
        );
        assert!(view_1.folds[0][0].is_genuine());
        assert!(!view_1.folds[0][1].is_genuine());
        assert_eq!(view_1.pictures().len(), 3);

        let fold = "Ada\t1\t2\nAda\t1\tBob\t3\n";
        let view_2 = parse(&format!("3\t1\n{fold}{fold}{fold}")).unwrap();
        assert_eq!(view_2.folds.len(), 3);
        assert_eq!(view_2.folds[2], view_1.folds[0]);
    }

    #[test]
    fn a_line_that_does_not_belong_is_named() {
        for (name, text, line) in [
            ("empty", "", 1),
            ("no number", "ten\n", 1),
            ("no pairs", "0\n", 1),
            ("cut short", "1\nAda\t1\t2\n", 3),
            ("a picture with itself", "1\nAda\t2\t2\nAda\t1\tBob\t3\n", 2),
            (
                "impostor among genuine",
                "1\nAda\t1\tBob\t3\nAda\t1\tBob\t3\n",
                2,
            ),
            (
                "one person as impostor",
                "1\nAda\t1\t2\nAda\t1\tAda\t3\n",
                3,
            ),
            ("number zero", "1\nAda\t0\t2\nAda\t1\tBob\t3\n", 2),
            ("a path for a name", "1\n../Ada\t1\t2\nAda\t1\tBob\t3\n", 2),
            (
                "more than announced",
                "1\nAda\t1\t2\nAda\t1\tBob\t3\nAda\t1\t3\n",
                4,
            ),
        ] {
            let error = parse(text).expect_err(name).to_string();
            assert!(
                error.contains(&format!("pairs.txt, line {line}:")),
                "{name}: {error}"
            );
        }
    }
}

//! What is measured on: pictures, whose they are, which of them are compared, and in which folds.
//!
//! LFW's lists have their folds. Pairs of a file are dealt into ten. Of a folder per person the
//! people are dealt into ten folds, each with as many impostor pairs as genuine ones for choosing D,
//! as LFW has them; error rates are of every comparison that the folder allows.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::people::by_same;
use crate::dataset::folder::file_name;
use crate::dataset::lfw::{Lfw, LfwError};
use crate::embeddings::{EmbeddingsError, Photos};
use crate::validation::list::{self, ListError, sample_by};
use crate::verification::pairs::{Pair, PictureId};

/// Folds of the protocol, as LFW's View 2 has them.
pub const FOLDS: usize = 10;
/// Most pairs of either kind in a fold of a folder of photos; LFW has 300.
const MOST_IN_FOLD: usize = 3000;
/// Most comparisons of a folder: their distances take 400 MB.
pub const MOST_COMPARISONS: usize = 100_000_000;
/// What the people of a folder are dealt by.
const SEED: u64 = 1;

/// Places of two pictures.
pub type Places = [usize; 2];

/// One picture.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Its path below the folder that was named, for people to read.
    pub path: PathBuf,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Held(Vec<u8>),
    File(PathBuf),
}

/// Pictures and what is compared among them.
#[derive(Debug, Clone)]
pub struct Material {
    /// What it is called: "LFW View 2".
    pub name: String,
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// Each picture's person, as a number from 0.
    pub people: Vec<usize>,
    /// Each person's name, as folders tell it.
    pub names: Vec<String>,
    /// Pairs that a threshold is chosen and measured on, in their folds.
    pub folds: Vec<Vec<Places>>,
    /// Whether error rates are of every two pictures, and not of the folds' pairs.
    pub all: bool,
    /// The group that a list names for each pair of the folds, one after the other; empty if none
    /// does.
    pub pair_groups: Vec<Option<String>>,
}

/// Why there is nothing to measure on.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// LFW.
    #[error(transparent)]
    Lfw(#[from] LfwError),
    /// A file of pairs.
    #[error(transparent)]
    List(#[from] ListError),
    /// A folder of photos.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
    /// Pictures beside the folders of people.
    #[error(
        "expected every picture in {folder} to lie in a folder of its person, found {found} that do not; move them, or name a list by --pairs"
    )]
    Unlabeled {
        /// The folder.
        folder: PathBuf,
        /// Pictures without a person.
        found: usize,
    },
    /// Too few people for folds.
    #[error(
        "expected at least four people in {folder}, two of them with two pictures or more, found {people} and {mated}; add people"
    )]
    TooFewPeople {
        /// The folder.
        folder: PathBuf,
        /// People.
        people: usize,
        /// Of them with two pictures or more.
        mated: usize,
    },
    /// More comparisons than are held in memory.
    #[error(
        "expected at most {MOST_COMPARISONS} comparisons in {folder}, found {found}; give --pairs-limit 1000000 to draw from them"
    )]
    TooMany {
        /// The folder.
        folder: PathBuf,
        /// Comparisons there are.
        found: usize,
    },
    /// Two pictures are the same person's and are not.
    #[error(
        "{path}, line {line}: expected different people, found pictures that other lines say are of one person; correct the list"
    )]
    Contradiction {
        /// The list.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
}

impl Picture {
    /// The file's bytes.
    ///
    /// # Errors
    /// [`EmbeddingsError::Read`], naming the file.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, EmbeddingsError> {
        match &self.content {
            Content::Held(bytes) => Ok(Cow::Borrowed(bytes)),
            Content::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(Cow::Owned(bytes)),
                Err(source) => Err(EmbeddingsError::Read {
                    path: path.clone(),
                    source,
                }),
            },
        }
    }

    /// Where it lies, if it is a file of its own.
    pub fn file(&self) -> Option<&Path> {
        match &self.content {
            Content::Held(_) => None,
            Content::File(path) => Some(path),
        }
    }

    /// The bytes, if they are at hand.
    pub(super) fn held(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Held(bytes) => Some(bytes),
            Content::File(_) => None,
        }
    }
}

impl Material {
    /// One of LFW's lists, at most `limit` pairs evenly from its folds; with `all`, every two of its
    /// pictures are compared.
    ///
    /// # Errors
    /// [`MaterialError::Lfw`].
    pub fn lfw(
        (name, folder, list): (&str, &Path, &str),
        limit: Option<usize>,
        all: bool,
    ) -> Result<Self, MaterialError> {
        let lfw = Lfw::new(folder);
        let mut pairs = lfw.pairs(list)?;
        if let Some(limit) = limit {
            let each = limit.div_ceil(pairs.folds.len().max(1));
            for fold in &mut pairs.folds {
                *fold = sample_by(fold, each, Pair::is_genuine);
            }
        }
        let pictures = lfw.pictures(&pairs.pictures())?;
        let places: BTreeMap<&PictureId, usize> = pictures.keys().zip(0..).collect();
        let folds = pairs.folds.iter().map(|fold| {
            let fold = fold.iter();
            fold.map(|pair| [places[&pair.first], places[&pair.second]])
                .collect()
        });
        let folds = folds.collect();
        let (names, people) = numbered(pictures.keys().map(|id| id.person.clone()));
        Ok(Self {
            name: name.to_owned(),
            people,
            names,
            folds,
            all,
            pair_groups: Vec::new(),
            pictures: pictures
                .into_iter()
                .map(|(id, bytes)| Picture {
                    path: id.path(),
                    content: Content::Held(bytes),
                })
                .collect(),
        })
    }

    /// A file of pairs (see [`list`]), at most `limit` of them. People are whom its `same` pairs
    /// connect, named as the folder of their first picture.
    ///
    /// # Errors
    /// [`MaterialError::List`], [`MaterialError::Contradiction`].
    pub fn pair_file(path: &Path, limit: Option<usize>) -> Result<Self, MaterialError> {
        let text = std::fs::read_to_string(path).map_err(|source| ListError::Io {
            path: path.to_owned(),
            source,
        })?;
        let mut lines: Vec<(usize, list::Line)> = (1..).zip(list::parse(&text, path)?).collect();
        if let Some(limit) = limit {
            lines = sample_by(&lines, limit, |(_, line)| line.genuine);
        }
        let wanted: BTreeSet<&str> = lines
            .iter()
            .flat_map(|(_, line)| [line.first, line.second])
            .collect();
        let places: BTreeMap<&str, usize> = wanted.iter().copied().zip(0..).collect();
        let pair = |line: &list::Line| [places[line.first], places[line.second]];
        let same = lines.iter().filter(|(_, line)| line.genuine);
        let people = by_same(wanted.len(), same.map(|(_, line)| pair(line)));
        let contradiction = lines.iter().find(|(_, line)| {
            let [first, second] = pair(line);
            !line.genuine && people[first] == people[second]
        });
        if let Some((line, _)) = contradiction {
            return Err(MaterialError::Contradiction {
                path: path.to_owned(),
                line: *line,
            });
        }
        let mut names = Vec::new();
        for (picture, person) in wanted.iter().zip(&people) {
            if *person == names.len() {
                names.push(
                    Path::new(picture)
                        .parent()
                        .map_or_else(String::new, file_name),
                );
            }
        }
        let dealt = deal(&lines);
        let fold = |fold: &Vec<list::Line>| fold.iter().map(pair).collect();
        let named = lines.iter().any(|(_, line)| line.group.is_some());
        let groups = dealt
            .iter()
            .flatten()
            .map(|line| line.group.map(str::to_owned));
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            name: file_name(path),
            names,
            folds: dealt.iter().map(fold).collect(),
            all: false,
            pair_groups: if named { groups.collect() } else { Vec::new() },
            people,
            pictures: wanted
                .iter()
                .map(|picture| Picture {
                    path: PathBuf::from(picture),
                    content: Content::File(folder.join(picture)),
                })
                .collect(),
        })
    }

    /// A folder per person. Every two pictures are compared; with a `limit`, as many pairs drawn
    /// from the folds, and only their pictures are looked at.
    ///
    /// # Errors
    /// [`MaterialError`] if the pictures have no people, too few, or too many for memory.
    pub fn photos(folder: &Path, limit: Option<usize>) -> Result<Self, MaterialError> {
        let photos = Photos::open(folder)?;
        let unlabeled = photos.photos.iter().filter(|photo| photo.label.is_none());
        let found = unlabeled.count();
        let folder = || folder.to_owned();
        if found > 0 {
            let folder = folder();
            return Err(MaterialError::Unlabeled { folder, found });
        }
        let labels = photos.photos.iter().filter_map(|photo| photo.label.clone());
        let (names, people) = numbered(labels);
        let count = people.len() * people.len().saturating_sub(1) / 2;
        if limit.is_none() && count > MOST_COMPARISONS {
            return Err(MaterialError::TooMany {
                folder: folder(),
                found: count,
            });
        }
        let mut pictures_of = vec![Vec::new(); names.len()];
        for (picture, person) in people.iter().enumerate() {
            pictures_of[*person].push(picture);
        }
        let Some(folds) = folds_of_people(&pictures_of, limit) else {
            let mated = pictures_of.iter().filter(|pictures| pictures.len() > 1);
            return Err(MaterialError::TooFewPeople {
                folder: folder(),
                people: names.len(),
                mated: mated.count(),
            });
        };
        let pictures = photos.photos.into_iter().map(|photo| Picture {
            path: match photo.path.strip_prefix(&photos.root) {
                Ok(below) => below.to_owned(),
                Err(_) => photo.path.clone(),
            },
            content: Content::File(photo.path),
        });
        let material = Self {
            name: file_name(&photos.root),
            pictures: pictures.collect(),
            people,
            names,
            folds,
            all: limit.is_none(),
            pair_groups: Vec::new(),
        };
        Ok(match limit {
            None => material,
            Some(_) => material.with_only_what_is_compared(),
        })
    }

    /// Every pair of the folds, one after the other.
    pub fn pairs(&self) -> Vec<Places> {
        self.folds.concat()
    }

    /// Whether both pictures are of one person.
    pub fn is_genuine(&self, [first, second]: Places) -> bool {
        self.people[first] == self.people[second]
    }

    /// Without pictures and people that no pair has.
    fn with_only_what_is_compared(mut self) -> Self {
        let kept: BTreeSet<usize> = self.folds.iter().flatten().flatten().copied().collect();
        let places: BTreeMap<usize, usize> = kept.iter().copied().zip(0..).collect();
        for place in self.folds.iter_mut().flatten().flatten() {
            *place = places[place];
        }
        self.pictures = kept
            .iter()
            .map(|place| self.pictures[*place].clone())
            .collect();
        let names = kept
            .iter()
            .map(|place| self.names[self.people[*place]].clone());
        (self.names, self.people) = numbered(names);
        self
    }
}

/// The different names in the order of their first, and the number of each.
fn numbered(names: impl Iterator<Item = String>) -> (Vec<String>, Vec<usize>) {
    let mut known = BTreeMap::new();
    let mut different = Vec::new();
    let numbers = names.map(|name| {
        *known.entry(name).or_insert_with_key(|name: &String| {
            different.push(name.clone());
            different.len() - 1
        })
    });
    let numbers = numbers.collect();
    (different, numbers)
}

/// Either kind evenly into [`FOLDS`] folds, or as many as there are pairs of the rarer kind.
fn deal<'a>(lines: &[(usize, list::Line<'a>)]) -> Vec<Vec<list::Line<'a>>> {
    let genuine = lines.iter().filter(|(_, line)| line.genuine).count();
    let count = FOLDS.min(genuine).min(lines.len() - genuine).max(1);
    let mut folds = vec![Vec::new(); count];
    let mut dealt = [0; 2];
    for (_, line) in lines {
        let dealt = &mut dealt[usize::from(line.genuine)];
        folds[*dealt % count].push(*line);
        *dealt += 1;
    }
    folds
}

/// People in folds, each with its genuine pairs and as many impostor pairs among its people; at
/// most `limit` pairs in all. None if two folds with both kinds cannot be made.
fn folds_of_people(pictures_of: &[Vec<usize>], limit: Option<usize>) -> Option<Vec<Vec<Places>>> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut order: Vec<&Vec<usize>> = pictures_of.iter().collect();
    order.shuffle(&mut random);
    // Those with genuine pairs first, so that every fold has some.
    order.sort_by_key(|pictures| pictures.len() < 2);
    let mated = order.iter().filter(|pictures| pictures.len() > 1).count();
    let count = FOLDS.min(mated).min(order.len() / 2);
    if count < 2 {
        return None;
    }
    let most = match limit {
        Some(limit) => (limit / (2 * count)).clamp(1, MOST_IN_FOLD),
        None => MOST_IN_FOLD,
    };
    let folds = (0..count).map(|fold| {
        let people: Vec<&Vec<usize>> = order.iter().skip(fold).step_by(count).copied().collect();
        fold_of(&people, most, &mut random)
    });
    Some(folds.collect())
}

fn fold_of(people: &[&Vec<usize>], most: usize, random: &mut impl Rng) -> Vec<Places> {
    let genuine = people.iter().flat_map(|pictures| {
        let later = pictures.iter().enumerate();
        later.flat_map(|(index, second)| pictures[..index].iter().map(|first| [*first, *second]))
    });
    let genuine: Vec<Places> = genuine.collect();
    let count = genuine.len().min(most);
    let picked = (0..count).map(|index| genuine[index * genuine.len() / count]);
    let mut fold: Vec<Places> = picked.collect();
    // Pictures are drawn, not people: as in a comparison of all with all.
    let all: Vec<(usize, usize)> = people
        .iter()
        .enumerate()
        .flat_map(|(person, pictures)| pictures.iter().map(move |picture| (person, *picture)))
        .collect();
    let mut impostor = BTreeSet::new();
    for _ in 0..100 * count {
        if impostor.len() == count {
            break;
        }
        let [first, second] = [0; 2].map(|_| all[random.random_range(0..all.len())]);
        if first.0 != second.0 {
            impostor.insert([first.1.min(second.1), first.1.max(second.1)]);
        }
    }
    fold.extend(impostor);
    fold
}

#[cfg(test)]
mod tests;

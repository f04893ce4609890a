//! A folder for each cluster, with links to its pictures or copies of them.
//!
//! A hidden file in each folder holds the cluster's number, so that a folder stays its cluster's
//! when a person renames it. Nothing that lies in a folder is overwritten or removed, but for our own
//! link in `lone` (or a copy, equal to the last byte) of a picture whose face has found others.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{State, StoreError};

/// The folder of faces without others.
pub const LONE: &str = "lone";
/// The folder of contact sheets.
pub const SHEETS: &str = "sheets";
const MARK: &str = ".usher-cluster";

/// The folders of clusters, by number.
#[derive(Debug, Default)]
pub struct Folders(BTreeMap<u32, PathBuf>);

impl Folders {
    /// Finds those there are.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be read, or two folders claim one number.
    pub fn find(out: &Path) -> Result<Self, StoreError> {
        let mut found = BTreeMap::new();
        let mut entries = fs::read_dir(out)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(StoreError::io(out))?;
        entries.sort_by_key(fs::DirEntry::path);
        for entry in entries {
            let folder = entry.path();
            let Ok(text) = fs::read_to_string(folder.join(MARK)) else {
                continue;
            };
            let Ok(number) = text.trim().parse::<u32>() else {
                continue;
            };
            if let Some(other) = found.insert(number, folder.clone()) {
                return Err(StoreError::Content {
                    path: folder,
                    expected: "a cluster's number of its own",
                    found: format!(
                        "that of {}; remove {MARK} from one of both",
                        other.display()
                    ),
                });
            }
        }
        Ok(Self(found))
    }

    /// The folder of a cluster, if it has one.
    pub fn get(&self, number: u32) -> Option<&Path> {
        self.0.get(&number).map(PathBuf::as_path)
    }

    /// What a cluster is called: its folder's name, or the one it will get.
    pub fn name(&self, number: u32) -> String {
        let name = self.0.get(&number).and_then(|folder| folder.file_name());
        name.map_or_else(
            || new_name(number),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// The folder of a cluster, made if it has none.
    fn make(&mut self, out: &Path, number: u32) -> Result<PathBuf, StoreError> {
        if let Some(folder) = self.0.get(&number) {
            return Ok(folder.clone());
        }
        // A person's own folder of that name is let be.
        let names = (0_u32..).map(|more| match more {
            0 => new_name(number),
            more => format!("{}-{more}", new_name(number)),
        });
        for name in names {
            let folder = out.join(name);
            match private_folder(&folder) {
                Ok(()) => {
                    let mark = folder.join(MARK);
                    fs::write(&mark, format!("{number}\n")).map_err(StoreError::io(&mark))?;
                    self.0.insert(number, folder.clone());
                    return Ok(folder);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(StoreError::io(&folder)(source)),
            }
        }
        unreachable!("there are more names than folders")
    }
}

fn new_name(number: u32) -> String {
    format!("cluster-{number:04}")
}

/// Makes a folder that its owner alone can look into.
///
/// # Errors
/// Those of the system; also if it is there.
pub fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Puts the pictures of the pending faces into the folders of their clusters, or into `lone`.
///
/// What is there already is left as it is, so doing it twice does no more than once.
///
/// # Errors
/// [`StoreError`]; what was put until then stays.
pub fn put_pending(state: &State, out: &Path, folders: &mut Folders) -> Result<(), StoreError> {
    let lone = out.join(LONE);
    let faces = state.faces.iter();
    let still_lone: HashSet<&Path> = faces
        .filter(|face| face.cluster.is_none())
        .map(|face| face.path.as_path())
        .collect();
    for face in state.pending.iter().map(|face| &state.faces[*face]) {
        let folder = match face.cluster {
            Some(number) => {
                let folder = folders.make(out, number)?;
                // Another face of the picture may be lone still.
                if !still_lone.contains(face.path.as_path())
                    && let Some(old) = lies_in(&lone, &face.path, state.copied)
                {
                    take_out(&old, &folder, &face.path, state.copied)?;
                    continue;
                }
                folder
            }
            None => match private_folder(&lone) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(StoreError::io(&lone)(error));
                }
                _ => lone.clone(),
            },
        };
        put(&folder, &face.path, state.copied)?;
    }
    Ok(())
}

/// Moves a picture from `lone` into its cluster; where the cluster has it already, it just goes.
fn take_out(old: &Path, folder: &Path, picture: &Path, copied: bool) -> Result<(), StoreError> {
    put(folder, picture, copied)?;
    fs::remove_file(old).map_err(StoreError::io(old))
}

/// The names a picture may have in a folder: its own, then with numbers.
fn names(picture: &Path) -> impl Iterator<Item = String> {
    let part = |part: Option<&std::ffi::OsStr>| {
        part.map_or_else(String::new, |part| part.to_string_lossy().into_owned())
    };
    let (stem, extension) = (part(picture.file_stem()), part(picture.extension()));
    (1_u32..).map(move |number| match number {
        1 => format!("{stem}.{extension}"),
        number => format!("{stem}-{number}.{extension}"),
    })
}

/// Where that picture lies in a folder, under one of its names.
fn lies_in(folder: &Path, picture: &Path, copied: bool) -> Option<PathBuf> {
    let places = names(picture).map(|name| folder.join(name));
    let mut places = places.take_while(|place| place.symlink_metadata().is_ok());
    places.find(|place| is_of(place, picture, copied))
}

/// Whether the file there is our link to that picture, or a copy of it.
fn is_of(place: &Path, picture: &Path, copied: bool) -> bool {
    if copied {
        let Ok(metadata) = place.symlink_metadata() else {
            return false;
        };
        let same_length = picture
            .metadata()
            .is_ok_and(|other| other.len() == metadata.len());
        metadata.is_file()
            && same_length
            && fs::read(place)
                .ok()
                .is_some_and(|a| fs::read(picture).ok() == Some(a))
    } else {
        fs::read_link(place).is_ok_and(|target| target == picture)
    }
}

/// Links or copies a picture into a folder under the first of its names that is free.
fn put(folder: &Path, picture: &Path, copied: bool) -> Result<(), StoreError> {
    for name in names(picture) {
        let place = folder.join(name);
        let done = if copied {
            copy(picture, &place)
        } else {
            link(picture, &place)
        };
        match done {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if is_of(&place, picture, copied) {
                    return Ok(());
                }
            }
            Err(source) => return Err(StoreError::io(&place)(source)),
        }
    }
    unreachable!("there are more names than files")
}

/// Copies whole or not at all, over nothing.
fn copy(picture: &Path, place: &Path) -> std::io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    // For its owner alone, as temporary files are made.
    let mut file = tempfile::Builder::new()
        .prefix(shared::atomic_file::TEMPORARY)
        .tempfile_in(folder)?;
    std::io::copy(&mut fs::File::open(picture)?, file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(place)?;
    Ok(())
}

#[cfg(unix)]
fn link(picture: &Path, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(picture, place)
}

#[cfg(not(unix))]
fn link(picture: &Path, place: &Path) -> std::io::Result<()> {
    copy(picture, place)
}

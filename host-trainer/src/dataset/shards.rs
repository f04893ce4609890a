//! Tar files as WebDataset writes them, and the index of a tar from its headers alone.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::DatasetError;
use super::folder::{file_name, is_hidden, is_picture};
use super::index::{Found, Index};

/// Longest class label read, in bytes.
const LABEL_BYTES: u64 = 1024;

/// A file inside a tar.
pub(super) struct Member {
    pub(super) path: PathBuf,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The files inside a tar; its headers are read and their contents skipped.
pub(super) fn members(tar: &Path) -> Result<Vec<Member>, DatasetError> {
    let list = || -> std::io::Result<Vec<Member>> {
        let file = File::open(tar)?;
        let end = file.metadata()?.len();
        let mut archive = tar::Archive::new(file);
        let mut members = Vec::new();
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                continue; // a folder or a link
            }
            let member = Member {
                path: entry.path()?.into_owned(),
                offset: entry.raw_file_position(),
                length: entry.size(),
            };
            if member.offset.saturating_add(member.length) > end {
                // Skipping by seeking goes past the end of a file cut short without noticing.
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            members.push(member);
        }
        Ok(members)
    };
    list().map_err(|source| DatasetError::Io {
        path: tar.to_owned(),
        source,
    })
}

/// Indexes a shard: identities by the labels in `<key>.cls` if it has any, else by folders.
pub(super) fn read(tar: &Path, index: &mut Index) -> Result<(), DatasetError> {
    let mut members = members(tar)?;
    // Such as the `._1.jpg` that macOS packs beside each `1.jpg`.
    members.retain(|member| !member.path.iter().any(|part| is_hidden(Path::new(part))));
    let labels = labels(tar, &members).map_err(|source| DatasetError::Io {
        path: tar.to_owned(),
        source,
    })?;
    index.tars.push(tar.to_owned());
    let set = group_of(tar);
    let mut unlabeled: Vec<&Path> = Vec::new();
    for member in members.iter().filter(|member| is_picture(&member.path)) {
        let folder = member.path.parent().and_then(Path::file_name);
        let identity = match labels.is_empty() {
            true => folder.map(|_| file_name(member.path.parent().unwrap_or(&member.path))),
            false => labels.get(&key(&member.path)).cloned(),
        };
        let Some(identity) = identity else {
            unlabeled.push(&member.path);
            continue;
        };
        index.add(&Found {
            identity: &identity,
            source: (set, "not stated"),
            group: set,
            tar: Some(index.tars.len() - 1),
            path: &member.path,
            offset: member.offset,
            length: member.length,
        })?;
    }
    match unlabeled.first() {
        None => Ok(()),
        Some(example) => Err(DatasetError::Unlabeled {
            tar: tar.to_owned(),
            count: unlabeled.len(),
            example: (*example).to_owned(),
        }),
    }
}

/// Keys and what their `.cls` files say.
fn labels(tar: &Path, members: &[Member]) -> std::io::Result<HashMap<PathBuf, String>> {
    let mut file = File::open(tar)?;
    let mut labels = HashMap::new();
    for member in members {
        if member.path.extension().is_none_or(|it| it != "cls") {
            continue;
        }
        let mut label = String::new();
        file.seek(SeekFrom::Start(member.offset))?;
        let content = file.by_ref().take(member.length.min(LABEL_BYTES));
        std::io::BufReader::new(content).read_to_string(&mut label)?;
        labels.insert(key(&member.path), label.trim().to_owned());
    }
    Ok(labels)
}

/// What the files of one sample have in common: the path up to the first dot of the name.
fn key(path: &Path) -> PathBuf {
    let name = file_name(path);
    path.with_file_name(name.split('.').next().unwrap_or_default())
}

/// The name that a tar's group of pictures has: the tar's own without `.tar`, and without a
/// shard's number behind `-` or `_`, so that all shards of one set are one group.
pub(super) fn group_of(tar: &Path) -> &str {
    let stem = tar.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.unwrap_or_default();
    let name = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    match name.strip_suffix(['-', '_']) {
        Some(group) if name.len() < stem.len() && !group.is_empty() => group,
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_of_one_set_are_one_group() {
        for (tar, group) in [
            ("x/web-000001.tar", "web"),
            ("web_12.tar", "web"),
            ("celeba44.tar", "celeba44"),
            ("0001.tar", "0001"),
            ("-1.tar", "-1"),
            ("part-a.tar", "part-a"),
        ] {
            assert_eq!(group_of(Path::new(tar)), group);
        }
    }
}

//! Tar files with a `manifest.tsv`: tar, path inside, identity, source, licence.

use std::collections::HashMap;
use std::path::Path;

use super::DatasetError;
use super::index::{Found, Index};
use super::shards::{group_of, members};

struct Line {
    identity: String,
    source: String,
    licence: String,
}

pub(super) fn read(folder: &Path, manifest: &Path, index: &mut Index) -> Result<(), DatasetError> {
    let text = std::fs::read_to_string(manifest).map_err(|source| DatasetError::Io {
        path: manifest.to_owned(),
        source,
    })?;
    let mut tars: Vec<String> = Vec::new();
    let mut listed: HashMap<(String, String), Line> = HashMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [tar, path, identity, source, licence] = fields[..] else {
            return Err(DatasetError::Manifest {
                path: manifest.to_owned(),
                line: number + 1,
                found: line.to_owned(),
            });
        };
        if !tars.iter().any(|known| known == tar) {
            tars.push(tar.to_owned());
        }
        let entry = Line {
            identity: identity.to_owned(),
            source: source.to_owned(),
            licence: licence.to_owned(),
        };
        let twice = listed.insert((tar.to_owned(), path.to_owned()), entry);
        if twice.is_some() {
            return Err(DatasetError::Twice {
                path: manifest.to_owned(),
                line: number + 1,
            });
        }
    }
    for tar in tars {
        let path = folder.join(&tar);
        index.tars.push(path.clone());
        for member in members(&path)? {
            let inside = member.path.to_string_lossy().into_owned();
            let Some(line) = listed.remove(&(tar.clone(), inside)) else {
                continue; // a picture that the manifest leaves out
            };
            index.add(&Found {
                identity: &line.identity,
                source: (&line.source, &line.licence),
                group: group_of(&path),
                tar: Some(index.tars.len() - 1),
                path: &member.path,
                offset: member.offset,
                length: member.length,
            })?;
        }
        let mut lacking = listed.keys().filter(|(listed, _)| *listed == tar);
        if let Some((_, example)) = lacking.next() {
            return Err(DatasetError::Missing {
                example: example.clone(),
                count: lacking.count() + 1,
                tar: path,
                manifest: manifest.to_owned(),
            });
        }
    }
    Ok(())
}

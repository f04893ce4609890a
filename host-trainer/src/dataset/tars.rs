//! Tar files with a `manifest.tsv`: tar, path inside, identity, source, licence.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::{DatasetError, Found};

struct Line {
    identity: String,
    source: String,
    licence: String,
}

pub(super) fn read(folder: &Path, manifest: &Path) -> Result<Vec<Found>, DatasetError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| DatasetError::Io { path, source }
    };
    let text = std::fs::read_to_string(manifest).map_err(io(manifest))?;
    let mut tars: Vec<String> = Vec::new();
    let mut listed: HashMap<(String, String), Line> = HashMap::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [tar, path, identity, source, licence] = fields[..] else {
            return Err(DatasetError::Manifest {
                path: manifest.to_owned(),
                line: index + 1,
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
                line: index + 1,
            });
        }
    }
    let mut found = Vec::with_capacity(listed.len());
    for tar in tars {
        let path = folder.join(&tar);
        let file = File::open(&path).map_err(io(&path))?;
        let mut archive = tar::Archive::new(BufReader::new(file));
        for entry in archive.entries().map_err(io(&path))? {
            let mut entry = entry.map_err(io(&path))?;
            let inside = entry
                .path()
                .map_err(io(&path))?
                .to_string_lossy()
                .into_owned();
            let Some(line) = listed.remove(&(tar.clone(), inside.clone())) else {
                continue; // a folder, or a picture that the manifest leaves out
            };
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(io(&path))?;
            found.push(Found {
                name: path.join(inside),
                identity: line.identity,
                source: line.source,
                licence: line.licence,
                bytes,
            });
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
    Ok(found)
}

//! Tar shards in WebDataset's way: `shard-000000.tar` with `<identity>/<photo>.jpg`.
//!
//! An identity lies whole in one shard; a shard is closed before the identity that would make it
//! larger than asked for. Equal faces give equal bytes: members are in order, without time or
//! owner.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shared::atomic_file::{self, Readers};

/// Bytes of a member beside its content: a header, and the filling up to 512.
const MEMBER_BYTES: u64 = 1024;

/// An identity's faces: name inside the shard, and file.
pub type Members = Vec<(String, PathBuf)>;

/// Writes the shards of those identities, and removes what an earlier run made beyond them.
///
/// # Errors
/// Any error of reading a face or writing a shard; each shard is whole or as before.
pub fn write(folder: &Path, identities: &[Members], max_bytes: u64) -> io::Result<usize> {
    let mut shards = 0;
    let mut open: Vec<&Members> = Vec::new();
    let mut open_bytes = 0;
    for members in identities {
        let bytes = size(members)?;
        if !open.is_empty() && open_bytes + bytes > max_bytes {
            write_one(&path(folder, shards), &open)?;
            shards += 1;
            open.clear();
            open_bytes = 0;
        }
        open.push(members);
        open_bytes += bytes;
    }
    if !open.is_empty() {
        write_one(&path(folder, shards), &open)?;
        shards += 1;
    }
    for stale in list(folder)?.into_iter().skip(shards) {
        fs::remove_file(stale)?;
    }
    Ok(shards)
}

/// The shards in a folder, in order.
///
/// # Errors
/// If the folder cannot be listed.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut shards = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("shard-") && name.ends_with(".tar") {
            shards.push(folder.join(&*name));
        }
    }
    shards.sort();
    Ok(shards)
}

/// Puts the faces of a folder's shards back into `faces`, but for those that lie there already.
///
/// A member whose name is not plainly `<identity>/<file>` is none of ours and left alone.
///
/// # Errors
/// Any error of reading a shard or writing a face.
pub fn unpack(folder: &Path, faces: &Path) -> io::Result<()> {
    for shard in list(folder)? {
        let mut archive = tar::Archive::new(io::BufReader::new(fs::File::open(shard)?));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let inside = entry.path()?.into_owned();
            let plain = inside.components().count() == 2
                && inside
                    .components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)));
            let path = faces.join(&inside);
            if !plain || path.exists() {
                continue;
            }
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut entry, &mut bytes)?;
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            atomic_file::replace(&path, &bytes, Readers::Everyone)?;
        }
    }
    Ok(())
}

fn path(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("shard-{index:06}.tar"))
}

fn size(members: &Members) -> io::Result<u64> {
    members.iter().try_fold(0, |sum, (_, path)| {
        Ok(sum + fs::metadata(path)?.len() + MEMBER_BYTES)
    })
}

fn write_one(path: &Path, identities: &[&Members]) -> io::Result<()> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, file) in identities.iter().copied().flatten() {
        let bytes = fs::read(file)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, name, bytes.as_slice())?;
    }
    atomic_file::replace(path, &archive.into_inner()?, Readers::Everyone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(folder: &Path, name: &str, sizes: &[usize]) -> Members {
        fs::create_dir_all(folder.join(name)).unwrap();
        let members = sizes.iter().enumerate().map(|(index, size)| {
            let inside = format!("{name}/{index}.jpg");
            fs::write(folder.join(&inside), vec![index as u8; *size]).unwrap();
            (inside.clone(), folder.join(inside))
        });
        members.collect()
    }

    #[test]
    fn identities_stay_whole_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let (faces, out) = (folder.path().join("faces"), folder.path().join("out"));
        fs::create_dir_all(&out).unwrap();
        let long = "n".repeat(130);
        let identities = [
            identity(&faces, "ada", &[3000, 3000]),
            identity(&faces, "bob", &[9000, 9000]),
            identity(&faces, &long, &[100]),
            identity(&faces, "dan", &[100, 0]),
        ];
        assert_eq!(write(&out, &identities, 12_000).unwrap(), 3);
        let held: Vec<Vec<String>> = list(&out)
            .unwrap()
            .iter()
            .map(|shard| {
                let mut archive = tar::Archive::new(fs::File::open(shard).unwrap());
                let entries = archive.entries().unwrap();
                entries
                    .map(|entry| entry.unwrap().path().unwrap().display().to_string())
                    .collect()
            })
            .collect();
        let third = vec![
            format!("{long}/0.jpg"),
            "dan/0.jpg".into(),
            "dan/1.jpg".into(),
        ];
        assert_eq!(held[0], ["ada/0.jpg", "ada/1.jpg"]);
        assert_eq!(held[1], ["bob/0.jpg", "bob/1.jpg"]);
        assert_eq!(held[2], third);

        let back = folder.path().join("back");
        fs::create_dir_all(back.join("ada")).unwrap();
        fs::write(back.join("ada/0.jpg"), b"newer").unwrap();
        unpack(&out, &back).unwrap();
        assert_eq!(fs::read(back.join("ada/0.jpg")).unwrap(), b"newer");
        assert_eq!(fs::read(back.join("bob/1.jpg")).unwrap(), [1; 9000]);

        // Fewer shards than before: what is beyond them goes.
        assert_eq!(write(&out, &identities[..1], 12_000).unwrap(), 1);
        assert_eq!(list(&out).unwrap().len(), 1);
        assert_eq!(write(&out, &[], 12_000).unwrap(), 0);
        assert!(list(&out).unwrap().is_empty());
    }
}

//! Where a command writes: never over what it reads, and told before the work is done.

use std::path::Path;

use anyhow::{Context, bail, ensure};

/// Refuses to write a folder among the pictures that are read, or to read what was written.
///
/// # Errors
/// If one lies in the other, or the pictures cannot be found.
pub(super) fn apart(photos: &Path, out: &Path) -> anyhow::Result<()> {
    let photos = photos
        .canonicalize()
        .with_context(|| format!("cannot read {}", photos.display()))?;
    // What is not there yet lies in a folder that is.
    let absolute = std::path::absolute(out)?;
    let there = absolute.ancestors().find(|folder| folder.exists());
    let there = there.context("expected a path for --out")?;
    let rest = absolute.strip_prefix(there)?;
    let out = there.canonicalize()?.join(rest);
    if out.starts_with(&photos) || photos.starts_with(&out) {
        bail!(
            "expected --out apart from the photos, found {} and {}; name a folder elsewhere",
            out.display(),
            photos.display()
        );
    }
    Ok(())
}

/// Refuses a file to write that has another extension than its content will have, is one of those
/// read, or lies in no folder.
///
/// # Errors
/// What was expected, and what to do.
pub(super) fn file(out: &Path, extension: &str, read: &[&Path]) -> anyhow::Result<()> {
    let found = out.extension().unwrap_or_default();
    ensure!(
        found.eq_ignore_ascii_case(extension),
        "expected a file name that ends in .{extension} to write, found {}",
        out.display()
    );
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    ensure!(
        folder.is_dir(),
        "expected a folder to write {} into, found none at {}; make it first",
        out.display(),
        folder.display()
    );
    if let Ok(out) = out.canonicalize() {
        let same = |read: &&&Path| read.canonicalize().is_ok_and(|read| read == out);
        ensure!(
            !read.iter().any(|path| same(&path)),
            "expected another file to write than those read, found {}; name another",
            out.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_read_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("photos")).unwrap();
        std::fs::write(at("photos/a.png"), b"a picture").unwrap();
        let words = |result: anyhow::Result<()>| match result {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        let picture = at("photos/a.png");
        for (name, out, expected) in [
            ("a new file", "both.png", ""),
            (
                "the input",
                "photos/../photos/a.png",
                "another file to write",
            ),
            ("another kind", "photos/a.jpg", "ends in .png"),
            ("no folder", "no/both.png", "make it first"),
        ] {
            let said = words(file(&at(out), "png", &[&picture]));
            assert!(
                said.contains(expected) && said.is_empty() == expected.is_empty(),
                "{name}: {said}"
            );
        }
        for (name, out, expected) in [
            ("elsewhere", "out/deep", ""),
            ("among them", "photos/out", "apart"),
            ("the same", "photos", "apart"),
            ("around them", ".", "apart"),
        ] {
            let said = words(apart(&at("photos"), &at(out)));
            assert!(
                said.contains(expected) && said.is_empty() == expected.is_empty(),
                "{name}: {said}"
            );
        }
    }
}

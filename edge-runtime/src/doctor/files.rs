//! Whether files are where they should be, for whom they should be, and have room.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::Check;

/// Room below which a change of the gallery may fail, and below which events crowd it out, in bytes.
const LEAST_ROOM: u64 = 50 << 20;
const LITTLE_ROOM: u64 = 500 << 20;

/// Room on the disk that holds `folder`.
pub fn room(folder: &Path) -> Check {
    let folder = existing(folder);
    let found = match statvfs(folder) {
        Ok(found) => found,
        Err(error) => {
            let found = format!("{}: {error}", folder.display());
            return Check::fail("disk", found, "see that the disk is mounted");
        }
    };
    judge_room(
        &folder.display().to_string(),
        found.f_bavail * found.f_frsize,
    )
}

fn judge_room(folder: &str, free: u64) -> Check {
    let found = format!("{} MB free for {folder}", free / 1_000_000);
    let remedy = "delete old recordings and logs";
    match free {
        ..LEAST_ROOM => Check::fail("disk", found, remedy),
        LEAST_ROOM..LITTLE_ROOM => Check::warn("disk", found, remedy),
        _ => Check::ok("disk", found),
    }
}

/// Whether a file can be added to in the folder of `file`, which events or log names.
pub fn writable(name: &'static str, file: &Path) -> Check {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Check::ok(name, file.display().to_string()),
        Err(error) => Check::fail(
            name,
            format!("{}: {error}", folder.display()),
            "make the folder, and let the kiosk's user write in it",
        ),
    }
}

/// Whether nobody but its owner may read a file with somebody's data or a secret.
pub fn private(name: &'static str, file: &Path) -> Check {
    let mode = match fs::metadata(file) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) => {
            let found = format!("{}: {error}", file.display());
            return Check::fail(name, found, "put the file there, or name another");
        }
    };
    match mode & 0o077 {
        0 => Check::ok(name, format!("{}, for its owner alone", file.display())),
        _ => Check::warn(
            name,
            format!("{}: others may use it (mode {mode:03o})", file.display()),
            format!("chmod 600 {}", file.display()),
        ),
    }
}

/// Whether the service may speak to a broker: its unit has no network unless a drop-in gives it one. None where no
/// such unit is installed.
pub fn network(root: &Path) -> Option<Check> {
    if !root.join("usr/lib/systemd/system/usher.service").exists() {
        return None;
    }
    let opens = |file: fs::DirEntry| {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        text.lines().any(|line| line.trim() == "PrivateNetwork=no")
    };
    let drop_ins = fs::read_dir(root.join("etc/systemd/system/usher.service.d"));
    Some(match drop_ins.into_iter().flatten().flatten().any(opens) {
        true => Check::ok("mqtt", "the service has the network"),
        false => Check::warn(
            "mqtt",
            "a broker is named, but the service has no network",
            "sudo mkdir -p /etc/systemd/system/usher.service.d, sudo ln -s /usr/share/usher/drop-ins/network.conf \
             /etc/systemd/system/usher.service.d/, sudo systemctl daemon-reload, sudo systemctl restart usher",
        ),
    })
}

/// The nearest folder above that is there.
fn existing(folder: &Path) -> &Path {
    let here = Path::new(".");
    folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(here)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn room_is_judged() {
        for (free, expected) in [
            (LEAST_ROOM - 1, Level::Fail),
            (LEAST_ROOM, Level::Warn),
            (1 << 40, Level::Ok),
        ] {
            assert_eq!(judge_room("/data", free).level, expected, "{free}");
        }
        let check = room(Path::new("/nowhere/deep/down"));
        assert!(check.found.ends_with("MB free for /"), "{check}");
    }

    #[test]
    fn a_broker_needs_the_drop_in() {
        let root = tempfile::tempdir().unwrap();
        assert!(network(root.path()).is_none());
        let units = root.path().join("usr/lib/systemd/system");
        let drop_ins = root.path().join("etc/systemd/system/usher.service.d");
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
        fs::create_dir_all(&units).unwrap();
        fs::copy(packaging.join("usher.service"), units.join("usher.service")).unwrap();
        assert_eq!(network(root.path()).unwrap().level, Level::Warn);
        fs::create_dir_all(&drop_ins).unwrap();
        for (name, expected) in [("backlight.conf", Level::Warn), ("network.conf", Level::Ok)] {
            fs::copy(packaging.join("drop-ins").join(name), drop_ins.join(name)).unwrap();
            assert_eq!(network(root.path()).unwrap().level, expected, "{name}");
        }
    }

    #[test]
    fn permissions_are_judged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("people.gallery");
        assert_eq!(private("gallery", &file).level, Level::Fail);
        fs::write(&file, b"x").unwrap();
        for (mode, expected) in [
            (0o600, Level::Ok),
            (0o640, Level::Warn),
            (0o604, Level::Warn),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(private("gallery", &file).level, expected, "{mode:o}");
        }
        assert_eq!(writable("events", &file).level, Level::Ok);
        assert_eq!(
            writable("events", Path::new("/nowhere/events.jsonl")).level,
            Level::Fail
        );
    }
}

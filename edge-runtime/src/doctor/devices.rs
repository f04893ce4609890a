//! Whether there is a camera and a screen that this user may open.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Check;

/// The cameras below `root` (the whole system is `/`).
pub fn camera(root: &Path) -> Check {
    let nodes = nodes(&root.join("dev"), "video");
    let remedy = "plug a camera in, or replay a recording: --camera replay:DIR";
    if nodes.is_empty() {
        return Check::fail("camera", "no /dev/video*", remedy);
    }
    judge("camera", "video", &nodes, |node| {
        let number = node.file_name().unwrap_or_default();
        let name = root.join("sys/class/video4linux").join(number).join("name");
        fs::read_to_string(name).map_or(String::new(), |name| format!(" ({})", name.trim()))
    })
}

/// The displays below `root`; `has_desktop` where a window can be opened instead.
pub fn screen(root: &Path, has_desktop: bool) -> Check {
    let mut nodes = nodes(&root.join("dev/dri"), "card");
    nodes.extend(self::nodes(&root.join("dev"), "fb"));
    if nodes.is_empty() {
        return match has_desktop {
            true => Check::ok(
                "screen",
                "no display device, but a desktop: --screen window",
            ),
            false => Check::fail(
                "screen",
                "no /dev/dri/card*, no /dev/fb*, no desktop",
                "connect a display and see that its driver is loaded, or draw into files: --screen png:DIR",
            ),
        };
    }
    let check = judge("screen", "video", &nodes, |_| String::new());
    let connectors = connectors(root);
    let dark = !connectors.is_empty() && connectors.iter().all(|status| status == "disconnected");
    match dark && check.remedy.is_none() {
        true => Check::warn(
            "screen",
            format!("{}, but nothing is connected to it", check.found),
            "connect the display's cable and switch it on",
        ),
        false => check,
    }
}

/// Opens each node; one that opens is enough.
fn judge(
    name: &'static str,
    group: &str,
    nodes: &[PathBuf],
    more: impl Fn(&Path) -> String,
) -> Check {
    let opened: Vec<(&PathBuf, io::Result<()>)> =
        nodes.iter().map(|node| (node, opens(node))).collect();
    let good: Vec<String> = opened
        .iter()
        .filter(|(_, result)| result.is_ok())
        .map(|(node, _)| format!("{}{}", node.display(), more(node)))
        .collect();
    if !good.is_empty() {
        return Check::ok(name, good.join(", "));
    }
    let denied = opened.iter().any(|(_, result)| {
        result
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    });
    let found: Vec<String> = opened
        .iter()
        .filter_map(|(node, result)| {
            Some(format!("{}: {}", node.display(), result.as_ref().err()?))
        })
        .collect();
    let remedy = match denied {
        true => format!("let this user in: usermod -aG {group} USER, then log in again"),
        false => "stop the program that holds it, or plug it in again".to_owned(),
    };
    Check::fail(name, found.join(", "), remedy)
}

fn opens(node: &Path) -> io::Result<()> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(node)
        .map(drop)
}

/// Device files `prefix0`, `prefix1`, ... in their order.
fn nodes(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let number = path.file_name()?.to_str()?.strip_prefix(prefix)?;
            Some((number.parse().ok()?, path))
        })
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_, path)| path).collect()
}

/// What each connector of the graphics cards says: "connected", "disconnected" or "unknown".
fn connectors(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join("sys/class/drm"));
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("status")).ok())
        .map(|status| status.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn cameras_are_listed_by_number_and_name() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(camera(root.path()).level, Level::Fail);
        for node in ["dev/video10", "dev/video2", "dev/videoX", "dev/null"] {
            put(root.path(), node, "");
        }
        put(
            root.path(),
            "sys/class/video4linux/video2/name",
            "USB Camera\n",
        );
        let check = camera(root.path());
        let dev = root.path().join("dev");
        let expected = format!("{0}/video2 (USB Camera), {0}/video10", dev.display());
        assert_eq!((check.level, check.found), (Level::Ok, expected));
    }

    #[test]
    fn a_device_that_does_not_open_fails() {
        let root = tempfile::tempdir().unwrap();
        // A folder opens for nobody's writing, root's neither.
        fs::create_dir_all(root.path().join("dev/video0")).unwrap();
        let check = camera(root.path());
        assert_eq!(check.level, Level::Fail);
        assert!(check.remedy.unwrap().contains("plug it in again"));
    }

    #[test]
    fn screens_and_their_cables() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(screen(root.path(), true).level, Level::Ok);
        assert_eq!(screen(root.path(), false).level, Level::Fail);
        put(root.path(), "dev/dri/card0", "");
        put(root.path(), "dev/dri/renderD128", "");
        assert_eq!(screen(root.path(), false).level, Level::Ok);
        put(
            root.path(),
            "sys/class/drm/card0-HDMI-A-1/status",
            "disconnected\n",
        );
        assert_eq!(screen(root.path(), false).level, Level::Warn);
        put(
            root.path(),
            "sys/class/drm/card0-DSI-1/status",
            "connected\n",
        );
        assert_eq!(screen(root.path(), false).level, Level::Ok);
    }
}

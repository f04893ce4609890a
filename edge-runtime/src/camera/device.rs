//! Finds a camera: by its node, by where it is plugged in, or the first that gives pictures; and finds it again.

use std::fmt;
use std::path::{Path, PathBuf};

/// Which camera is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `/dev/videoN`: the camera that is found there first, and from then on wherever it reappears.
    Node(PathBuf),
    /// A link below `/dev/v4l/by-path`: whatever is plugged in there.
    Place(PathBuf),
    /// The first that gives pictures.
    Any,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(path) | Self::Place(path) => write!(f, "{}", path.display()),
            Self::Any => f.write_str("/dev/video*"),
        }
    }
}

/// Folder of links by the place where a camera is plugged in.
const BY_PATH: &str = "/dev/v4l/by-path";

impl Wanted {
    /// What stands after `v4l:`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "auto" {
            return Some(Self::Any);
        }
        for start in ["by-path/", "/dev/v4l/by-path/"] {
            match text.strip_prefix(start) {
                Some("") => return None,
                // A name, not a way out of the folder.
                Some(name) if !name.contains('/') => {
                    return Some(Self::Place(Path::new(BY_PATH).join(name)));
                }
                _ => {}
            }
        }
        (text.starts_with('/') && !text.ends_with('/')).then(|| Self::Node(text.into()))
    }
}

/// What tells one camera from another when it comes back under another number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Where it is plugged in, as the driver says: `usb-0000:00:14.0-2`.
    pub(crate) bus: String,
    /// Its name.
    pub(crate) card: String,
    /// Its number among the nodes of one camera (`/sys/class/video4linux/videoN/index`), if known.
    pub(crate) index: Option<u32>,
}

/// Nodes to try, in this order, for a camera that was seen before as `known` or not at all.
///
/// A camera named by its node is looked for there first: most come back under the same number. After that every other
/// node may be it; whoever opens them compares the identity.
pub(crate) fn candidates(
    wanted: &Wanted,
    known: Option<&Identity>,
    nodes: Vec<PathBuf>,
) -> Vec<PathBuf> {
    match (wanted, known) {
        (Wanted::Place(path), _) => vec![path.clone()],
        (Wanted::Node(path), None) => vec![path.clone()],
        (Wanted::Node(path), Some(_)) => {
            let mut all = vec![path.clone()];
            all.extend(nodes.into_iter().filter(|node| node != path));
            all
        }
        (Wanted::Any, _) => nodes,
    }
}

/// All `/dev/videoN`, by number.
pub(crate) fn nodes() -> Vec<PathBuf> {
    nodes_in(Path::new("/dev"))
}

fn nodes_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix("video")?.parse().ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
        .into_iter()
        .map(|number| folder.join(format!("video{number}")))
        .collect()
}

/// The number of a node among those of its camera: the second of a USB camera gives metadata.
pub(crate) fn index_of(node: &Path) -> Option<u32> {
    let node = std::fs::canonicalize(node).ok()?;
    let name = node.file_name()?.to_str()?;
    let text =
        std::fs::read_to_string(Path::new("/sys/class/video4linux").join(name).join("index"));
    text.ok()?.trim().parse().ok()
}

/// The link below `/dev/v4l/by-path` that leads to a node, if udev made one.
pub(crate) fn place_of(node: &Path) -> Option<PathBuf> {
    let node = std::fs::canonicalize(node).ok()?;
    let entries = std::fs::read_dir(BY_PATH).ok()?.flatten();
    entries
        .map(|entry| entry.path())
        .find(|link| std::fs::canonicalize(link).is_ok_and(|target| target == node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        let node = |path: &str| Some(Wanted::Node(path.into()));
        for (text, expected) in [
            ("auto", Some(Wanted::Any)),
            ("/dev/video0", node("/dev/video0")),
            (
                "by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0",
                Some(Wanted::Place(
                    "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0".into(),
                )),
            ),
            (
                "/dev/v4l/by-path/x",
                Some(Wanted::Place("/dev/v4l/by-path/x".into())),
            ),
            ("by-path/", None),
            ("by-path/../../etc", None),
            ("video0", None),
            ("", None),
            ("/", None),
        ] {
            assert_eq!(Wanted::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn nodes_come_by_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["video10", "video2", "video", "videoX", "media0"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = nodes_in(folder.path());
        let names: Vec<_> = found.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, ["video2", "video10"]);
        assert!(nodes_in(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn a_camera_seen_before_is_looked_for_everywhere() {
        let nodes = || vec![PathBuf::from("/dev/video0"), PathBuf::from("/dev/video2")];
        let known = Identity {
            bus: "usb-2".to_owned(),
            card: "Camera".to_owned(),
            index: Some(0),
        };
        let node = Wanted::Node("/dev/video2".into());
        assert_eq!(
            candidates(&node, None, nodes()),
            [PathBuf::from("/dev/video2")]
        );
        assert_eq!(
            candidates(&node, Some(&known), nodes()),
            [PathBuf::from("/dev/video2"), PathBuf::from("/dev/video0")]
        );
        let place = Wanted::Place("/dev/v4l/by-path/x".into());
        assert_eq!(candidates(&place, Some(&known), nodes()).len(), 1);
        assert_eq!(candidates(&Wanted::Any, Some(&known), nodes()), nodes());
    }
}

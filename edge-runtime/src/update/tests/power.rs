//! The power is cut after every call to the disk, with what was not synced lost, kept or anything between.
//!
//! The disk is a model of files and folders as nodes: what a folder names and what a file holds is one thing while the
//! device runs, and another after a cut. Renames are atomic, as on any journaled file system; nothing else is promised
//! that was not synced.

use std::collections::BTreeMap;
use std::io::{self, Read};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// One call to the disk.
#[derive(Clone, Debug)]
enum Call {
    MakeFolder(PathBuf),
    Write(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Link(String, PathBuf),
    RemoveFile(PathBuf),
    RemoveFolder(PathBuf),
}

/// Does what it is told, and notes it; fails from a certain call on.
#[derive(Default)]
struct Noting {
    calls: RefCell<Vec<Call>>,
    fails_at: Option<usize>,
}

impl Noting {
    fn note(&self, call: Call) -> io::Result<()> {
        let mut calls = self.calls.borrow_mut();
        calls.push(call);
        match self.fails_at.is_some_and(|place| calls.len() == place + 1) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl Disk for Noting {
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.note(Call::MakeFolder(path.to_owned()))?;
        RealDisk.make_folder(path, mode)
    }
    fn write(&self, path: &Path, content: &mut dyn Read) -> io::Result<u64> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        let noted = self.note(Call::Write(path.to_owned(), bytes.clone()));
        if noted.is_err() {
            // A disk that is full takes the beginning.
            RealDisk.write(path, &mut &bytes[..bytes.len() / 2])?;
        }
        noted?;
        RealDisk.write(path, &mut bytes.as_slice())
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.note(Call::SyncFile(path.to_owned()))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.note(Call::SyncFolder(path.to_owned()))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note(Call::Rename(from.to_owned(), to.to_owned()))?;
        RealDisk.rename(from, to)
    }
    fn link(&self, target: &str, path: &Path) -> io::Result<()> {
        self.note(Call::Link(target.to_owned(), path.to_owned()))?;
        RealDisk.link(target, path)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.note(Call::RemoveFile(path.to_owned()))?;
        RealDisk.remove_file(path)
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.note(Call::RemoveFolder(path.to_owned()))?;
        RealDisk.remove_folder(path)
    }
}

type Node = usize;

#[derive(Clone, Debug)]
enum Holds {
    File { now: Vec<u8>, lasting: Vec<u8> },
    Link(String),
    Folder(BTreeMap<String, Node>),
}

/// A change of names, which lasts or does not as one.
#[derive(Clone, Debug)]
struct Change {
    sets: Vec<(Node, String, Option<Node>)>,
    lasts: bool,
}

/// Nodes, what their folders named at the beginning, and the changes since.
struct Model {
    nodes: Vec<Holds>,
    begin: Vec<Holds>,
    changes: Vec<Change>,
    root: PathBuf,
}

impl Model {
    fn of(root: &Path) -> Self {
        let mut model = Self {
            nodes: vec![],
            begin: vec![],
            changes: vec![],
            root: root.to_owned(),
        };
        model.load(root);
        model.begin = model.nodes.clone();
        model
    }

    /// The same without what was done since the beginning.
    fn again(&self) -> Self {
        Self {
            nodes: self.nodes.clone(),
            begin: self.begin.clone(),
            changes: vec![],
            root: self.root.clone(),
        }
    }

    fn load(&mut self, path: &Path) -> Node {
        let node = self.nodes.len();
        self.nodes.push(Holds::Folder(BTreeMap::new()));
        self.nodes[node] = match fs::read_link(path) {
            Ok(target) => Holds::Link(target.to_str().unwrap().to_owned()),
            Err(_) if path.is_dir() => Holds::Folder(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| {
                        let entry = entry.unwrap();
                        let name = entry.file_name().into_string().unwrap();
                        (name, self.load(&entry.path()))
                    })
                    .collect(),
            ),
            Err(_) => {
                let bytes = fs::read(path).unwrap();
                Holds::File {
                    now: bytes.clone(),
                    lasting: bytes,
                }
            }
        };
        node
    }

    fn add(&mut self, holds: Holds) -> Node {
        self.nodes.push(holds.clone());
        self.begin.push(match holds {
            Holds::Folder(_) => Holds::Folder(BTreeMap::new()),
            other => other,
        });
        self.nodes.len() - 1
    }

    fn named(&self, folder: Node, name: &str) -> Option<Node> {
        match &self.nodes[folder] {
            Holds::Folder(names) => names.get(name).copied(),
            _ => None,
        }
    }

    fn find(&self, path: &Path) -> Option<Node> {
        let below = path.strip_prefix(&self.root).unwrap();
        below
            .iter()
            .try_fold(0, |node, name| self.named(node, name.to_str().unwrap()))
    }

    fn place(&self, path: &Path) -> (Node, String) {
        let folder = self.find(path.parent().unwrap()).unwrap();
        (
            folder,
            path.file_name().unwrap().to_str().unwrap().to_owned(),
        )
    }

    fn change(&mut self, sets: Vec<(Node, String, Option<Node>)>) {
        for (folder, name, node) in &sets {
            let Holds::Folder(names) = &mut self.nodes[*folder] else {
                panic!("{name} in no folder");
            };
            match node {
                Some(node) => names.insert(name.clone(), *node),
                None => names.remove(name),
            };
        }
        self.changes.push(Change { sets, lasts: false });
    }

    fn set(&mut self, path: &Path, node: Option<Node>) {
        let (folder, name) = self.place(path);
        self.change(vec![(folder, name, node)]);
    }

    fn call(&mut self, call: &Call) {
        match call {
            Call::MakeFolder(path) => {
                if self.find(path).is_none() {
                    let node = self.add(Holds::Folder(BTreeMap::new()));
                    self.set(path, Some(node));
                }
            }
            Call::Write(path, bytes) => {
                let node = self.add(Holds::File {
                    now: bytes.clone(),
                    lasting: vec![],
                });
                self.set(path, Some(node));
            }
            Call::Link(target, path) => {
                let node = self.add(Holds::Link(target.clone()));
                self.set(path, Some(node));
            }
            Call::Rename(from, to) => {
                let node = self.find(from).unwrap();
                let ((old, old_name), (new, new_name)) = (self.place(from), self.place(to));
                self.change(vec![(old, old_name, None), (new, new_name, Some(node))]);
            }
            Call::RemoveFile(path) | Call::RemoveFolder(path) => {
                if self.find(path).is_some() {
                    self.set(path, None);
                }
            }
            Call::SyncFile(path) => {
                let node = self.find(path).unwrap();
                if let Holds::File { now, lasting } = &mut self.nodes[node] {
                    lasting.clone_from(now);
                }
            }
            Call::SyncFolder(path) => {
                let node = self.find(path).unwrap();
                for change in &mut self.changes {
                    change.lasts |= change.sets.iter().any(|(folder, _, _)| *folder == node);
                }
            }
        }
    }

    /// Writes to `into` what is there after the cut; `keeps` says of each thing that need not last whether it does.
    fn cut(&self, into: &Path, keeps: &mut dyn FnMut() -> bool) {
        let mut nodes = self.begin.clone();
        for change in &self.changes {
            if !change.lasts && !keeps() {
                continue;
            }
            for (folder, name, node) in &change.sets {
                let Holds::Folder(names) = &mut nodes[*folder] else {
                    panic!("{name} in no folder");
                };
                match node {
                    Some(node) => names.insert(name.clone(), *node),
                    None => names.remove(name),
                };
            }
        }
        self.write(0, into, &nodes, keeps);
    }

    fn write(&self, node: Node, path: &Path, nodes: &[Holds], keeps: &mut dyn FnMut() -> bool) {
        match (&nodes[node], &self.nodes[node]) {
            (Holds::Folder(names), _) => {
                fs::create_dir(path).unwrap();
                for (name, node) in names {
                    self.write(*node, &path.join(name), nodes, keeps);
                }
            }
            (Holds::Link(target), _) => std::os::unix::fs::symlink(target, path).unwrap(),
            (_, Holds::File { now, lasting }) => {
                let is_lasting = lasting.len() == now.len();
                let bytes = match (is_lasting || keeps(), keeps()) {
                    (true, _) => &now[..],
                    (false, true) => &now[..now.len() / 2],
                    (false, false) => &[],
                };
                fs::write(path, bytes).unwrap();
            }
            _ => panic!("a file that is none"),
        }
    }
}

/// A device before the change, and the change.
struct Scene {
    name: &'static str,
    prepare: fn(&Device),
    change: fn(&Device, &dyn Disk) -> Result<(), UpdateError>,
    /// What may be in use after a cut.
    old: Option<&'static str>,
    new: Option<&'static str>,
}

fn install(device: &Device, serial: u64) {
    device.install(&device.send_model(serial)).unwrap();
}

const SCENES: [Scene; 6] = [
    Scene {
        name: "the first model",
        prepare: |device| fs::create_dir(device.models()).unwrap(),
        change: |device, disk| device.install_on(disk, &device.send_model(7)).map(|_| ()),
        old: None,
        new: Some("net-7"),
    },
    Scene {
        name: "the second",
        prepare: |device| install(device, 3),
        change: |device, disk| device.install_on(disk, &device.send_model(7)).map(|_| ()),
        old: Some("net-3"),
        new: Some("net-7"),
    },
    Scene {
        name: "the third",
        prepare: |device| {
            [1, 3]
                .into_iter()
                .for_each(|serial| install(device, serial))
        },
        change: |device, disk| device.install_on(disk, &device.send_model(7)).map(|_| ()),
        old: Some("net-3"),
        new: Some("net-7"),
    },
    Scene {
        name: "back",
        prepare: |device| {
            [3, 7]
                .into_iter()
                .for_each(|serial| install(device, serial))
        },
        change: |device, disk| device.roll_back_on(disk).map(|_| ()),
        old: Some("net-7"),
        new: Some("net-3"),
    },
    Scene {
        name: "back to the settings' model",
        prepare: |device| install(device, 7),
        change: |device, disk| device.roll_back_on(disk).map(|_| ()),
        old: Some("net-7"),
        new: None,
    },
    Scene {
        name: "forward from the settings' model",
        prepare: |device| {
            install(device, 7);
            device.roll_back_on(&RealDisk).unwrap();
        },
        change: |device, disk| device.roll_back_on(disk).map(|_| ()),
        old: None,
        new: Some("net-7"),
    },
];

/// The device is as before or after the change, and the next installation succeeds and leaves nothing behind.
fn must_be_whole(device: &Device, scene: &Scene, when: &str) -> bool {
    let found = in_use(device.models());
    let found = found.as_deref();
    assert!(
        found == scene.old || found == scene.new,
        "{when}: {found:?}"
    );
    let stock = shelf::stock(device.models()).unwrap();
    let serial = stock.current.as_ref().map_or(0, Label::serial);
    assert!(stock.model_serial >= serial, "{when}: {stock:?}");
    let is_new = found == scene.new;
    // Syncs nothing, which takes most of the time and shows nothing here.
    let disk = Noting::default();
    device.install_on(&disk, &device.send_model(9)).unwrap();
    assert_eq!(in_use(device.models()).as_deref(), Some("net-9"), "{when}");
    let folders = names(device.models());
    let expected = match found {
        Some(found) => vec!["current", found, "net-9", "previous", "serials.toml"],
        None => vec!["current", "net-9", "serials.toml"],
    };
    assert_eq!(folders, expected, "{when}");
    is_new
}

/// A change, noted call by call, and the disk before it.
struct Story {
    scene: &'static Scene,
    before: Model,
    calls: Vec<Call>,
}

impl Story {
    fn of(scene: &'static Scene) -> Self {
        let device = Device::new();
        (scene.prepare)(&device);
        let before = Model::of(device.models());
        let disk = Noting::default();
        (scene.change)(&device, &disk).unwrap();
        Self {
            scene,
            before,
            calls: disk.calls.take(),
        }
    }

    /// Cuts the power after so many calls; whether the change counts then.
    fn cut(&self, after: usize, variant: u64) -> bool {
        let mut model = self.before.again();
        self.calls[..after].iter().for_each(|call| model.call(call));
        let place = in_memory();
        let mut device = Device::new();
        device.config.update.folder = place.path().join("models");
        let mut random = ChaCha8Rng::seed_from_u64(variant);
        model.cut(device.models(), &mut || match variant {
            0 => false,
            1 => true,
            _ => random.random_bool(0.5),
        });
        let when = format!(
            "{}, after {after} of {} calls ({:?}), variant {variant}",
            self.scene.name,
            self.calls.len(),
            self.calls.get(after.wrapping_sub(1))
        );
        let is_new = must_be_whole(&device, self.scene, &when);
        // Before the first call nothing has changed; what was acknowledged lasts.
        assert!(after > 0 || !is_new, "{when}");
        assert!(after < self.calls.len() || is_new, "{when}");
        is_new
    }
}

/// How much of what was not synced lasts: nothing, everything, and ten draws.
const VARIANTS: u64 = 12;

#[test]
fn a_cut_at_any_call_leaves_the_old_or_the_new_one() {
    let mut cuts = 0;
    for scene in &SCENES {
        let story = Story::of(scene);
        let mut outcomes = [0, 0];
        for after in 0..=story.calls.len() {
            for variant in 0..VARIANTS {
                outcomes[usize::from(story.cut(after, variant))] += 1;
                cuts += 1;
            }
        }
        assert!(
            outcomes[0] > 0 && outcomes[1] > 0,
            "{}: {outcomes:?}",
            scene.name
        );
    }
    assert!(cuts > 1000, "{cuts}");
}

#[test]
fn a_sync_that_is_left_out_is_noticed() {
    type LeavesOut = fn(&Call) -> bool;
    let table: [(&str, LeavesOut); 3] = [
        ("files", |call| matches!(call, Call::SyncFile(_))),
        (
            "the new model's folder",
            |call| matches!(call, Call::SyncFolder(path) if path.ends_with(".incoming/net-7")),
        ),
        (
            "the folder above",
            |call| matches!(call, Call::SyncFolder(path) if path.ends_with("models")),
        ),
    ];
    for (what, leaves_out) in table {
        let mut story = Story::of(&SCENES[1]);
        let before = story.calls.len();
        story.calls.retain(|call| !leaves_out(call));
        assert!(story.calls.len() < before, "{what}");
        let noticed = (0..=story.calls.len()).any(|after| {
            (0..VARIANTS).any(|variant| {
                let cut = std::panic::AssertUnwindSafe(|| story.cut(after, variant));
                std::panic::catch_unwind(cut).is_err()
            })
        });
        assert!(noticed, "{what}");
    }
}

#[test]
fn a_disk_that_fails_at_any_call_leaves_the_old_or_the_new_one() {
    for scene in &SCENES {
        for fails_at in 0.. {
            let device = Device::new();
            (scene.prepare)(&device);
            let disk = Noting {
                fails_at: Some(fails_at),
                ..Noting::default()
            };
            let done = (scene.change)(&device, &disk);
            let when = format!("{}, call {fails_at}: {done:?}", scene.name);
            if let Err(error) = &done {
                assert!(matches!(error, UpdateError::Disk { .. }), "{when}");
            }
            assert!(!device.config.update.mark.exists(), "{when}");
            let is_new = must_be_whole(&device, scene, &when);
            assert!(done.is_err() || is_new, "{when}");
            if disk.calls.borrow().len() <= fails_at {
                break;
            }
        }
    }
}

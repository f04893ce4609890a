"""Installs the kiosk's package in a Debian of its own, runs it, upgrades, removes and purges it.

No systemd runs in there: the kiosk is started as its unit says, by its user, without capabilities, and told to stop as
systemd would. What systemd adds (the sandbox) is not tried here.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fetch
from toolchain import AARCH64, ROOT, ToolchainError, run

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
GALLERY = "/var/lib/usher/people.gallery"
KEY = "/var/lib/usher/gallery.key"
MODEL = ["--model", "/usr/share/usher/models/usher-small.toml"]
DETECTOR = "/usr/share/usher/models/yunet.onnx"
# Emulation is some thirty times as slow as a device: the kiosk is given time.
EDITED = {
    ("kiosk", "camera"): '"replay:/var/lib/usher/visit"',
    ("screen", "backend"): '"none"',
    ("recognition", "oldest_frame_ms"): "10000",
    ("session.consensus", "window_ms"): "600000",
    ("session.presence", "longest_gap_ms"): "60000",
    ("watchdog", "capture_ms"): "120000",
    ("watchdog", "recognition_ms"): "120000",
    ("watchdog", "screen_ms"): "120000",
    ("watchdog", "hard_ms"): "0",
}
WAIT_SECONDS = 420
# What an installation may leave: dpkg's own records, and copies that the tools for users make.
LEFT = re.compile(
    r"/(var/lib/dpkg|var/log|var/cache|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/\.pwd\.lock|etc/ld\.so\.cache"
    r"|proc|run/lock|tmp)"
)


def base_root(target):
    """The tar of a small Debian for the target, made if need be.

    For arm64 it is the root that images are made from, which has systemd; for amd64 one without, so that the maintainer
    scripts are tried both ways.
    """
    folder = fetch.cache_folder() / "vm"
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"root-{target.debian}-base.tar"
    if target is AARCH64:
        if not place.exists():
            run([sys.executable, ROOT / "scripts/vm/root.py"])
        return place
    part = place.with_suffix(".part.tar")
    with open(folder / f"root-{target.debian}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else may be making it
        if not place.exists():
            if not shutil.which("mmdebstrap"):
                raise ToolchainError("expected mmdebstrap, found none; sudo apt-get install mmdebstrap")
            fetch.say(f"  making {place}: about a minute")
            run(["mmdebstrap", "--variant=minbase", f"--architectures={target.debian}", SUITE, part, MIRROR])
            part.replace(place)
    return place


class Root:
    """A root folder in which commands are run, with its own /proc and its own processes."""

    def __init__(self, folder):
        """Uses an unpacked root."""
        self.folder = Path(folder)

    def path(self, place):
        """A file of the root, from outside."""
        return self.folder / str(place).lstrip("/")

    def command(self, arguments):
        """What runs these arguments inside; as the leader of a group of its own it dies with all that it started."""
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--ipc", "--net", f"--root={self.folder}", "--mount-proc",
                "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *map(str, arguments)]

    def run(self, *arguments):
        """Runs a command inside and returns what it prints; raises ToolchainError when it fails."""
        done = subprocess.run(self.command(arguments), capture_output=True, text=True)
        if done.returncode != 0:
            raise ToolchainError(f"expected `{shlex.join(map(str, arguments))}` to succeed, found {done.returncode}: "
                                 f"{(done.stdout + done.stderr).strip()[-900:]}; see packaging/")
        return done.stdout

    def as_kiosk(self, arguments):
        """Arguments that run others as the kiosk's user, as its service would."""
        return ["setpriv", "--reuid=usher", "--regid=usher", "--init-groups", "--no-new-privs", "--bounding-set=-all",
                "--inh-caps=-all", "env", f"USHER_KEY={KEY}", "USER=front desk", *arguments]

    def files(self):
        """Each file and folder: its place -> kind, mode, owner."""
        found = {}
        for path in self.folder.rglob("*"):
            about = path.lstat()
            found["/" + str(path.relative_to(self.folder))] = (about.st_mode, about.st_uid, about.st_gid)
        return found


class Service:
    """What usher.service says, as far as it is played here."""

    def __init__(self, text):
        """Reads a unit."""
        self.settings = {}
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                self.settings.setdefault(key, []).append(value)

    def one(self, key):
        """The only value of a setting."""
        [value] = self.settings[key]
        return value


def edited(text):
    """Settings as somebody might edit them; raises ToolchainError when a key is not there."""
    section, left, lines = None, dict(EDITED), text.splitlines()
    for number, line in enumerate(lines):
        if found := re.fullmatch(r"\[([\w.]+)\]", line):
            section = found[1]
        if (found := re.match(r"(\w+) = ", line)) and (section, found[1]) in left:
            lines[number] = f"{found[1]} = {left.pop((section, found[1]))}"
    if left:
        names = ", ".join(".".join(key) for key in left)
        raise ToolchainError(f"expected {names} in the installed settings, found none; mend EDITED in scripts/device/trial.py")
    return "\n".join(lines) + "\n"


def digest(path):
    """What tells whether a file was changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Trial:
    """The steps, each of which is told as it is done."""

    def __init__(self, root, target):
        """A trial in a root that has nothing of the kiosk yet."""
        self.root, self.target, self.good = root, target, True
        self.service = None

    def told(self, good, what):
        """Says how a step went."""
        print(f"{'ok    ' if good else 'FAILED'} {self.target.debian}: {what}", flush=True)
        self.good &= bool(good)

    def usher(self, *arguments):
        """Runs `usher` as the kiosk's user."""
        return self.root.run(*self.root.as_kiosk(["usher", *arguments]))

    def install(self, package):
        """Installs a package file by dpkg, keeping settings that were edited."""
        shutil.copy(package, self.root.path("/tmp/usher.deb"))
        told = self.root.run("dpkg", "--force-confdef", "--force-confold", "--install", "/tmp/usher.deb")
        self.root.path("/tmp/usher.deb").unlink()
        return told

    def check_installed(self):
        """User, groups, folders, settings."""
        groups = set(self.root.run("id", "-nG", "usher").split())
        self.told({"usher", "video", "render", "input", "gpio"} <= groups, f"the user usher is in {', '.join(sorted(groups))}")
        modes = self.root.run("stat", "-c", "%n %a %U", "/var/lib/usher", "/var/lib/usher/models", "/var/log/usher").split("\n")
        self.told(all(line.endswith(" 700 usher") for line in modes if line), "its folders are its own")
        self.told(not self.root.run("dpkg", "--verify", "usher").strip(), "dpkg --verify finds every file as it was packed")
        self.usher("config", "check", "/etc/usher/kiosk.toml")
        self.told(True, "usher config check takes the installed settings")
        self.service = Service(self.root.path("/usr/lib/systemd/system/usher.service").read_text())

    def prepare(self):
        """Enrolls somebody from a recording, and makes recording and settings for the kiosk."""
        place = self.root.path("/tmp/picture.jpg")
        shutil.copy(ROOT / ".demo/pictures/barack-obama/obama.jpg", place)
        place.chmod(0o644)
        # A picture each four seconds: emulation takes about as long to compare one face.
        for recording, frames, rate, seed in (("enrollment", 8, 10, 1), ("visit", 60, 0.25, 2)):
            self.usher("replay", "make", "--picture", "/tmp/picture.jpg", "--out", f"/var/lib/usher/{recording}", "--detector", DETECTOR,
                       "--frames", frames, "--fps", rate, "--seed", seed, "--size", "640x480")
        self.usher("enroll", "Barack Obama", "--consent", "standard", "--camera", "replay:/var/lib/usher/enrollment",
                   "--gallery", GALLERY, "--detector", DETECTOR, *MODEL)
        told = self.usher("gallery", "list", "--gallery", GALLERY)
        self.told("Barack Obama" in told, "somebody is enrolled from a recording")
        settings = self.root.path("/etc/usher/kiosk.toml")
        settings.write_text(edited(settings.read_text()))
        self.usher("config", "check", "/etc/usher/kiosk.toml")

    def owner(self):
        """The kiosk's user and group, as numbers."""
        about = self.root.path("/var/lib/usher").stat()
        return about.st_uid, about.st_gid

    @contextlib.contextmanager
    def running(self):
        """The kiosk, started as the unit says; gives the process and the socket on which it tells systemd."""
        start = self.service.one("ExecStart").split()
        environment = [*self.service.settings.get("Environment", []), "NOTIFY_SOCKET=/run/usher/notify", "WATCHDOG_USEC=60000000"]
        place = self.root.path("/run/usher/notify")
        place.parent.mkdir(exist_ok=True)  # RuntimeDirectory=
        shutil.chown(place.parent, *self.owner())
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(place))
        notify.settimeout(1)
        shutil.chown(place, *self.owner())
        umask, folder = self.service.one("UMask"), self.service.one("WorkingDirectory")
        shell = ["sh", "-c", f'umask {umask}; cd {folder}; exec "$@"', "sh", *start]
        inside = self.root.as_kiosk(["env", *environment, *shell])
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(self.root.command(inside), stdout=log, stderr=subprocess.STDOUT)
            try:
                yield process, notify
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                notify.close()
                place.unlink()
                log.seek(0)
                self.log = log.read()

    def visit(self, when):
        """Runs the kiosk until it has greeted who is in the recording, then tells it to stop."""
        events = self.root.path("/var/log/usher/events.jsonl")
        before = events.read_text().count("\n") if events.exists() else 0
        told, greeted, began = [], None, time.monotonic()
        with self.running() as (process, notify):
            while process.poll() is None and time.monotonic() - began < WAIT_SECONDS:
                with contextlib.suppress(TimeoutError):
                    told += notify.recv(4096).decode().split("\n")
                lines = events.read_text().splitlines()[before:] if events.exists() else []
                greeted = next((line for line in lines if json.loads(line)["event"] == "greeted"), None)
                if greeted and "READY=1" in told and "WATCHDOG=1" in told:
                    break
            seconds = time.monotonic() - began
            status = ""
            if process.poll() is None:
                status = self.root.run("usher", "status", "--socket", "/run/usher/usher.sock")
                inside = int(run(["pgrep", "--parent", process.pid]).split()[0])
                os.kill(inside, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(60)
            code = process.poll()
        self.told("READY=1" in told and "WATCHDOG=1" in told, f"{when} the kiosk tells systemd that it is ready and alive")
        self.told(greeted and '"identity":"1"' in greeted.replace(" ", ""), f"{when} it greets who is enrolled, after {seconds:.0f} s")
        self.told(bool(status), f"{when} usher status reads its socket")
        self.told(code == 0, f"{when} it ends when told to: {code}")
        if not self.good:
            print(self.log[-3000:])

    def upgrade(self, newer):
        """Installs a newer version with other settings: what is the owner's stays."""
        mine = [self.root.path(place) for place in (GALLERY, KEY, "/etc/usher/kiosk.toml")]
        before = [digest(path) for path in mine]
        self.install(newer)
        version = self.root.run("dpkg-query", "--show", "--showformat=${Version} ${db:Status-Status}", "usher")
        self.told(version.endswith("+trial installed"), f"upgraded: {version}")
        self.told(before == [digest(path) for path in mine], "gallery, key and edited settings are as they were")
        self.told(self.root.path("/etc/usher/kiosk.toml.dpkg-dist").exists(), "the newer settings lie beside them")

    def remove(self):
        """Removes: what is the owner's stays."""
        self.root.run("dpkg", "--remove", "usher")
        places = ("/usr/bin/usher", "/usr/share/usher", "/usr/lib/systemd/system/usher.service")
        left = [place for place in places if self.root.path(place).exists()]
        self.told(not left, f"removed{': but there is ' + ', '.join(left) if left else ''}")
        kept = [self.root.path(place).exists() for place in (GALLERY, KEY, "/etc/usher/kiosk.toml")]
        self.told(all(kept), "gallery, key and settings are still there")

    def purge(self, before):
        """Purges: nothing stays, not even the package that scripts/flash keeps for the way back."""
        kept = self.root.path("/var/cache/usher")
        kept.mkdir()
        (kept / "usher.deb").write_bytes(b"a package")
        self.root.run("dpkg", "--purge", "usher")
        after = self.root.files()
        left = sorted(place for place in after.keys() - before.keys() if not LEFT.match(place))
        changed = sorted(place for place in before if place in after and before[place] != after[place] and not LEFT.match(place))
        lost = sorted(place for place in before.keys() - after.keys() if not LEFT.match(place))
        self.told(not left, f"purged{': left are ' + ', '.join(left[:9]) if left else ', nothing is left'}")
        self.told(not changed and not lost, f"nothing else was changed {', '.join([*changed, *lost][:9])}")
        named = [place for place in after if "usher" in place and not place.startswith("/var/log/")]
        self.told(not named, f"no file has its name {', '.join(named[:9])}")
        users = "".join(self.root.path(f"/etc/{name}").read_text() for name in ("passwd", "group", "shadow", "gshadow"))
        self.told("usher" not in users, "its user is gone")


def run_trial(target, package, newer):
    """All steps on one architecture; returns whether all went well."""
    if os.geteuid() != 0:
        raise ToolchainError("expected root, found another user; sudo scripts/package --try")
    if not (ROOT / ".demo/pictures/barack-obama").is_dir():
        raise ToolchainError("expected the demo pictures, found none; scripts/setup demo")
    if target is AARCH64 and os.uname().machine != target.name and not Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        raise ToolchainError("expected binfmt_misc to know arm64's programs, found it without; "
                             "sudo apt-get install qemu-user-static binfmt-support")
    tar = base_root(target)
    with tempfile.TemporaryDirectory(prefix="usher-trial-") as folder:
        Path(folder).chmod(0o755)
        run(["tar", "-C", folder, "--numeric-owner", "-xf", tar])
        trial = Trial(Root(folder), target)
        before = trial.root.files()
        trial.install(package)
        trial.check_installed()
        trial.prepare()
        trial.visit("installed,")
        trial.upgrade(newer)
        trial.visit("upgraded,")
        trial.remove()
        trial.install(package)
        told = trial.usher("gallery", "list", "--gallery", GALLERY)
        trial.told("Barack Obama" in told, "installed again, it knows whom it knew")
        trial.purge(before)
    return trial.good

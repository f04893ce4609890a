"""Lays out and builds the Debian package of the kiosk: the same input gives the same bytes."""

import gzip
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import elf
import notices
from toolchain import GLIBC, ROOT, ToolchainError, run

PACKAGING = ROOT / "packaging"
MODEL = "usher-small"
# What the program may be linked to, and the package that has it in every release.
GLIBC_LIBRARIES = re.compile(r"(libc|libm|libpthread|libdl|librt|libutil|libresolv|ld-linux-[\w-]+)\.so\.\d+")
OTHER_LIBRARIES = {"libgcc_s.so.1": "libgcc-s1"}
# What an installed kiosk changes in edge-runtime/deploy/kiosk.toml: section, what stands there, what comes instead.
SETTINGS = [
    ("events", 'path = ""', 'path = "/var/log/usher/events.jsonl"'),
]
CONTROL = """\
Package: usher
Version: {version}
Architecture: {architecture}
Maintainer: The Usher authors <usher@localhost>
Installed-Size: {kibibytes}
Depends: {depends}
Recommends: systemd, udev
Section: misc
Priority: optional
Description: kiosk that greets whom it knows
 Face recognition that runs on the device it guards: camera, face, decision and
 screen in one program. Whom it knows is kept in an encrypted gallery on the
 device; nothing leaves it, and nothing of an unknown person is stored.
 .
 This package runs it as a service on the screen of a machine without desktop,
 with a face detector and a small network for demonstration, whose weights may
 not be used commercially.
"""
MANUAL = """\
# Usher on this machine

    systemctl status usher                     is it running, and what does it wait for
    sudo usher status                          what it sees and how fast
    sudo -u usher env USHER_KEY=/var/lib/usher/gallery.key usher doctor --config /etc/usher/kiosk.toml
    /etc/usher/kiosk.toml                      its settings; then: sudo systemctl restart usher

Its files belong to the user usher, and so do the commands that change them:

    sudo -u usher env USHER_KEY=/var/lib/usher/gallery.key usher gallery list --gallery /var/lib/usher/people.gallery
    sudo -u usher usher pin set "front desk"

/usr/share/usher/drop-ins has ready-made pieces for the service, each saying how it is put in place: the network (MQTT),
a framebuffer in place of DRM, the backlight, a command for a door.

Removing the package keeps gallery, settings and logs. Purging it (apt purge usher) deletes all of them, for good.
"""


def depends(program):
    """What Debian calls what the program needs, as `Depends:` says it.

    Raises ToolchainError when it is linked to a library that is not known.
    """
    others = [name for name in program.libraries if not GLIBC_LIBRARIES.fullmatch(name)]
    if unknown := [name for name in others if name not in OTHER_LIBRARIES]:
        raise ToolchainError(f"expected glibc's libraries alone, found {', '.join(unknown)}; add its package to scripts/device/deb.py")
    if program.glibc > GLIBC:
        raise ToolchainError(f"expected glibc {GLIBC[0]}.{GLIBC[1]} to suffice, found {program.glibc_text}; "
                             "scripts/cross builds such a program")
    version = ".".join(map(str, max(program.glibc, (2, 17))))
    packages = [f"libc6 (>= {version})", *sorted(OTHER_LIBRARIES[name] for name in others), "passwd"]
    return ", ".join(packages)


def settings(text):
    """The commented settings with what an installed kiosk changes.

    Raises ToolchainError when a line that is changed is not there.
    """
    lines, section, left = text.splitlines(), None, list(SETTINGS)
    for number, line in enumerate(lines):
        if found := re.fullmatch(r"\[([\w.]+)\]", line):
            section = found[1]
        for change in list(left):
            if (section, line) == change[:2]:
                lines[number] = change[2]
                left.remove(change)
    if left:
        where, what, _ = left[0]
        raise ToolchainError(f"expected `{what}` in [{where}] of edge-runtime/deploy/kiosk.toml, found none; "
                             "mend SETTINGS in scripts/device/deb.py")
    return "\n".join(lines) + "\n"


def epoch():
    """Seconds since 1970 that everything in the package is dated: $SOURCE_DATE_EPOCH, else the latest commit's."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or run(["git", "log", "-1", "--format=%ct"], cwd=ROOT))


def copyright_text():
    """debian/copyright with the model's licence and the MIT text put in."""
    manifest = tomllib.loads((ROOT / f"models/{MODEL}.toml").read_text())
    paragraphs = (ROOT / "LICENSE-MIT").read_text().strip().splitlines()[4:]
    mit = "\n".join(f" {line}" if line else " ." for line in paragraphs)
    text = (PACKAGING / "debian/copyright").read_text()
    weights = manifest["licence"]
    return text.replace("@WEIGHTS@", weights[0].upper() + weights[1:]).replace("@MIT@", mit)


class Tree:
    """The files of a package, in a folder that becomes it."""

    def __init__(self, folder):
        """Uses an empty folder."""
        self.folder = folder

    def write(self, place, content, mode=0o644):
        """Adds a file of that text or those bytes."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)

    def copy(self, source, place, mode=0o644):
        """Adds a copy of a file.

        Raises ToolchainError when it is not there.
        """
        if not source.is_file():
            raise ToolchainError(f"expected {source.relative_to(ROOT)}, found nothing; run scripts/setup")
        self.write(place, source.read_bytes(), mode)

    def compress(self, place, text):
        """Adds a compressed text, without a date in it."""
        self.write(place, gzip.compress(text.encode(), 9, mtime=0))

    def folders(self):
        """All folders are readable, whatever the umask was."""
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)


def changelog(version, seconds):
    """Debian's form of it; what changed is in the repository."""
    date = run(["date", "--utc", "--rfc-email", f"--date=@{seconds}"], env={**os.environ, "LC_ALL": "C"}).strip()
    head = f"usher ({version}) unstable; urgency=medium"
    return f"{head}\n\n  * Built from the repository.\n\n -- The Usher authors <usher@localhost>  {date}\n"


def lay_out(tree, program, toolchain, version, seconds):
    """Puts all files but those of DEBIAN/ in place."""
    doc, share = "usr/share/doc/usher", "usr/share/usher"
    tree.copy(program, "usr/bin/usher", 0o755)
    for name in (f"{MODEL}.toml", f"{MODEL}.onnx", f"{MODEL}.md", "yunet.onnx"):
        tree.copy(ROOT / "models" / name, f"{share}/models/{name}")
    reference = ROOT / "models" / f"{MODEL}.selftest.toml"
    if reference.is_file():
        tree.copy(reference, f"{share}/models/{reference.name}")
    for name in sorted(path.name for path in (PACKAGING / "drop-ins").iterdir()):
        tree.copy(PACKAGING / "drop-ins" / name, f"{share}/drop-ins/{name}")
    for source, place in [
        ("usher.service", "usr/lib/systemd/system/usher.service"),
        ("usher.sysusers", "usr/lib/sysusers.d/usher.conf"),
        ("usher.tmpfiles", "usr/lib/tmpfiles.d/usher.conf"),
        ("usher.modules-load", "usr/lib/modules-load.d/usher.conf"),
        ("60-usher.rules", "usr/lib/udev/rules.d/60-usher.rules"),
    ]:
        tree.copy(PACKAGING / source, place)
    tree.write("etc/usher/kiosk.toml", settings((ROOT / "edge-runtime/deploy/kiosk.toml").read_text()))
    (tree.folder / "etc/usher/trusted").mkdir()
    tree.write(f"{doc}/copyright", copyright_text())
    tree.write(f"{doc}/README.md", MANUAL)
    tree.copy(ROOT / "edge-runtime/assets/fonts/OFL.txt", f"{doc}/OFL.txt")
    tree.copy(ROOT / "scripts/licences/yunet.txt", f"{doc}/yunet.txt")
    tree.compress(f"{doc}/crates.txt.gz", notices.of_program(toolchain))
    tree.compress(f"{doc}/changelog.gz", changelog(version, seconds))
    tree.folders()


def control(tree, program, toolchain, version):
    """Puts the files of DEBIAN/ in place."""
    files = [path for path in tree.folder.rglob("*") if path.is_file()]
    sums = "".join(f"{run(['md5sum', path]).split()[0]}  {path.relative_to(tree.folder)}\n" for path in sorted(files))
    kibibytes = sum(-(-path.stat().st_size // 1024) for path in files)
    words = {"version": version, "architecture": toolchain.target.debian, "kibibytes": kibibytes,
             "depends": depends(elf.read(program))}
    tree.write("DEBIAN/control", CONTROL.format(**words))
    tree.write("DEBIAN/conffiles", "/etc/usher/kiosk.toml\n")
    tree.write("DEBIAN/md5sums", sums)
    for name in ("postinst", "prerm", "postrm"):
        tree.copy(PACKAGING / "debian" / name, f"DEBIAN/{name}", 0o755)
    tree.folders()


def build(program, toolchain, version, into, scratch, changed=False):
    """Builds the package; returns its file.

    `program` is a stripped `usher` for the toolchain's target, `scratch` an empty folder. `changed` settings differ from
    those of any release: for a trial of an upgrade.
    """
    if not re.fullmatch(r"\d[A-Za-z0-9.+~]*", version):
        raise ToolchainError(f'expected a version as 0.1.0 or 0.2.0+3, found "{version}"; see deb-version(7)')
    if not shutil.which("dpkg-deb"):
        raise ToolchainError("expected dpkg-deb, found none; install dpkg")
    tree, seconds = Tree(scratch / "tree"), epoch()
    lay_out(tree, program, toolchain, version, seconds)
    if changed:
        place = tree.folder / "etc/usher/kiosk.toml"
        place.write_text(place.read_text() + "# Changed.\n")
    control(tree, program, toolchain, version)
    for path in [tree.folder, *tree.folder.rglob("*")]:
        os.utime(path, (seconds, seconds))
    place = into / f"usher_{version}_{toolchain.target.debian}.deb"
    into.mkdir(parents=True, exist_ok=True)
    # xz, because Debian 11 and Ubuntu 20.04 read no zstd.
    command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree.folder, place]
    done = subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": str(seconds)}, capture_output=True, text=True)
    if done.returncode != 0:
        raise ToolchainError(f"expected dpkg-deb to build the package, found: {done.stderr.strip()}; mend packaging/")
    return place


def version():
    """The workspace's."""
    return tomllib.loads(Path(ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]

"""The packaged program, for a machine that is started and, by qemu-user, for this one.

    runtime = Runtime("build/usher_0.1.0_arm64.deb", folder)
    runtime.install(tree)                          its files, and the C library, into what a machine starts from
    runtime.usher("pin", "set", "front desk", ...) runs it here
    frames = runtime.frames()                      recordings of the demo's people, made once and cached
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from machine import CACHE, MachineError, host, lock, need_tools, run, unpack

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / ".demo" / "pictures"
# Whom the visit shows: known beforehand, a stranger to all, and whoever is enrolled at the kiosk, looking straight.
PEOPLE = {"known": "eileen-collins/astronaut.png", "stranger": "grace-hopper/grace_hopper.jpg", "new": "barack-obama/obama.jpg"}
FRAMES = 8
MODELS = "usr/share/usher/models"


class Runtime:
    """A package, unpacked."""

    def __init__(self, deb, folder):
        """Unpacks the package into a new folder.

        Raises MachineError when it does not hold what it should.
        """
        self.deb, self.folder = Path(deb), Path(folder)
        run(["dpkg", "-x", str(deb), str(folder)])
        for path in ["usr/bin/usher", f"{MODELS}/usher-small.toml", f"{MODELS}/yunet.onnx", "etc/usher/kiosk.toml"]:
            if not (self.folder / path).exists():
                raise MachineError(f"expected /{path} in {deb}, found none; scripts/package")
        with lock("libc-arm64.lock"):
            self.libraries = CACHE / "libc-arm64"
            if not (self.libraries / "complete").exists():
                unpack(["libc6", "libgcc-s1"], self.libraries, "arm64")
                (self.libraries / "complete").touch()

    def install(self, tree):
        """Puts the package's files where they belong, documents aside, and the libraries that the program needs."""
        for file in sorted(self.folder.rglob("*")):
            path = file.relative_to(self.folder)
            if file.is_file() and not str(path).startswith("usr/share/doc/"):
                tree.add(file, f"/{path}")
        told = run(["readelf", "-d", str(self.folder / "usr/bin/usher")])
        needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", told)
        for name in ["ld-linux-aarch64.so.1", *needed] if needed else []:
            file = next((path for path in self.libraries.rglob(name)), None)
            if file is None:
                raise MachineError(f"expected the program to need the C library alone, found {name}; see its Depends")
            tree.add(file.resolve() if file.is_symlink() else file, f"/lib/aarch64-linux-gnu/{name}")
        if needed:
            loader = tree.folder / "lib" / "ld-linux-aarch64.so.1"
            loader.unlink(missing_ok=True)
            loader.symlink_to("aarch64-linux-gnu/ld-linux-aarch64.so.1")

    def command(self, *words):
        """The command that runs the program here."""
        program = str(self.folder / "usr/bin/usher")
        if host() == "arm64":
            return [program, *map(str, words)]
        need_tools({"qemu-aarch64-static": "qemu-user-static"})
        return ["qemu-aarch64-static", "-L", str(self.libraries), program, *map(str, words)]

    def usher(self, *words, **options):
        """Runs the program here; returns what it printed."""
        return run(self.command(*words), **options)

    def model(self):
        """Where its models lie here, as options of its commands."""
        folder = self.folder / MODELS
        return ["--model", folder / "usher-small.toml", "--detector", folder / "yunet.onnx"]

    def frames(self):
        """A folder with `known`, `stranger`, `new` and `empty`: JPEG frames of 1280x720, and YUYV ones of 640x360 of `new`.

        Raises MachineError when the demo's pictures are missing.
        """
        if not all((PICTURES / picture).exists() for picture in PEOPLE.values()):
            raise MachineError(f"expected the demo's pictures in {PICTURES}, found none; scripts/setup")
        digest = hashlib.sha256()
        for picture in PEOPLE.values():
            digest.update((PICTURES / picture).read_bytes())
        digest.update((self.folder / MODELS / "yunet.onnx").read_bytes())
        target = CACHE / f"frames-{digest.hexdigest()[:12]}"
        with lock("frames.lock"):
            if not (target / "complete").exists():
                shutil.rmtree(target, ignore_errors=True)
                target.mkdir(parents=True)
                self.make_frames(target)
                (target / "complete").touch()
        return target

    def make_frames(self, target):
        """Makes them."""
        for name, picture in PEOPLE.items():
            walk = target / f"{name}-walk"
            self.usher("replay", "make", "--picture", PICTURES / picture, "--out", walk, "--frames", "40",
                       "--detector", self.folder / MODELS / "yunet.onnx")  # fmt: skip
            (target / name).mkdir()
            for number, frame in enumerate(sorted(walk.glob("*.jpg"))[-FRAMES:]):
                frame.rename(target / name / f"{number}.jpg")
            shutil.rmtree(walk)
        empty = target / "empty"
        self.usher("replay", "make", "--empty", "--out", empty, "--frames", "2")
        for name in ["new", "empty"]:
            (target / f"{name}-yuyv").mkdir()
            for frame in sorted((target / name).glob("*.jpg")):
                place = target / f"{name}-yuyv" / f"{frame.stem}.yuyv"
                place.write_bytes(yuyv(frame))

    def people(self, folder, pin):
        """Puts a gallery with the known person, its key and an operator's PIN into a folder; made once for a package."""
        digest = hashlib.sha256(self.deb.read_bytes() + pin.encode()).hexdigest()[:12]
        made = CACHE / f"people-{digest}"
        frames = self.frames() / "known"
        with lock("people.lock"):
            if not (made / "operators.toml").exists():
                shutil.rmtree(made, ignore_errors=True)
                three = made / "three"
                three.mkdir(parents=True)
                for number in range(3):
                    shutil.copy(frames / f"{number}.jpg", three)
                environment = {**os.environ, "USHER_KEY": str(made / "gallery.key"), "USER": "vm"}
                self.usher("enroll", "Eileen Collins", "--consent", "standard", "--camera", f"replay:{three}",
                           "--gallery", made / "people.gallery", *self.model(), env=environment)  # fmt: skip
                shutil.rmtree(three)
                self.usher("pin", "set", "front desk", "--stdin", "--operators", made / "operators.toml", input=f"{pin}\n")
        shutil.copytree(made, folder, dirs_exist_ok=True)


def yuyv(frame):
    """A JPEG file of 1280x720 as bytes of YUYV, 640x360."""
    need_tools({"djpeg": "libjpeg-turbo-progs"})
    done = subprocess.run(["djpeg", "-rgb", "-scale", "4/8", "-ppm", str(frame)], capture_output=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"expected a JPEG in {frame}, found: {done.stderr.decode().strip()}; make it anew")
    kind, width, height, _ = done.stdout.split(None, 3)[:3] + [b""]
    width, height = int(width), int(height)
    pixels = done.stdout[len(done.stdout) - 3 * width * height :]
    made = bytearray(2 * width * height)
    for place in range(0, width * height, 2):
        r, g, b, s, h, c = pixels[3 * place : 3 * place + 6]
        red, green, blue = (r + s) / 2, (g + h) / 2, (b + c) / 2
        at = 2 * place
        # BT.601, limited range, as cameras have it.
        made[at] = int(16.5 + (65.481 * r + 128.553 * g + 24.966 * b) / 255)
        made[at + 1] = int(128.5 + (-37.797 * red - 74.203 * green + 112.0 * blue) / 255)
        made[at + 2] = int(16.5 + (65.481 * s + 128.553 * h + 24.966 * c) / 255)
        made[at + 3] = int(128.5 + (112.0 * red - 93.786 * green - 18.214 * blue) / 255)
    return bytes(made)

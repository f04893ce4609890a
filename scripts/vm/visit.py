"""The visit: Debian's ARM64 kernel, the packaged program, a V4L2 camera, a screen, a keyboard, two starts of the machine.

First start, MJPG and DRM: idle, the enrolled person is greeted by name, a stranger is not, somebody is enrolled by keys.
Second start, YUYV and the framebuffer: whoever was enrolled is greeted, from the disk that outlived the first.
"""

import json
import shutil
import time
from pathlib import Path

from machine import Kernel, Machine, Tree, compile_static, run
from picture import Picture
from runtime import FRAMES
from settings import PIN, settings

HERE = Path(__file__).resolve().parent
DRIVERS = ["virtio_pci", "virtio_blk", "virtio_gpu", "virtio_input", "evdev", "videodev", "ext4", "crc32c_generic"]
GPU = ["-device", "virtio-gpu-pci,xres=1280,yres=800"]
KEYBOARD = ["-device", "virtio-keyboard-pci"]

# What a machine begins with: the camera, the screen, the data disk, and how the trial asks the kiosk.
BEGIN = """
export USHER_KEY=/var/lib/usher/gallery.key USER=vm PATH=/usr/bin:/bin
for m in virtio_pci virtio_blk virtio_gpu virtio_input evdev videodev ext4; do modprobe $m 2>/dev/null; done
while [ ! -e /dev/dri/card0 ]; do sleep 0.1; done
echo 0 > /sys/class/vtconsole/vtcon1/bind 2>/dev/null
mkdir -p /var/lib/usher
i=0; while [ ! -b /dev/vda ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
modprobe crc32c_generic
mount -t ext4 /dev/vda /var/lib/usher || echo '@ failed to mount the data'
say() { sed "s/^/@ $1 /"; }
ask() { ask-kiosk /run/usher/usher.sock 2>/dev/null; }
alive() { kill -0 $KIOSK 2>/dev/null || { echo "@ dead $1"; sed 's/^/out: /' /tmp/out; sync; poweroff -f; }; }
wait_for() { i=0; while [ $i -lt $2 ] && ! ask | grep -q "\\"state\\": *\\"$1\\""; do alive "$1"; sleep 1; i=$((i+1)); done; echo "@ waited $(up) for $1 $i of $2"; }
start() { usher run --config /kiosk.toml --events /var/lib/usher/events.jsonl >> /tmp/out 2>&1 & KIOSK=$!; }
stop() { kill -TERM $KIOSK; wait $KIOSK; echo "@ ended $?"; }
finish() {
    sed 's/^/out: /' /tmp/out
    dmesg | grep -E 'Oops|BUG:|WARNING:' | grep -v regulatory | head -20 | sed 's/^/kernel: /'
    cd /; umount /var/lib/usher; sync
}
"""

LOOPBACK = """
insmod /lib/v4l2loopback.ko video_nr=10 exclusive_caps=1 card_label=kioskcam
FEED=
feed_with() { [ -n "$FEED" ] && kill $FEED && wait $FEED; feed /dev/video10 $KIND 5 100000 /frames/$1/* & FEED=$!; }
"""

FIRST = f"""
KIND="MJPG 1280 720"
feed_with empty
start; wait_for idle 240; sleep 3; echo '@ shot idle'; sleep 2
feed_with known; wait_for greeting 240; sleep 2; echo '@ shot greeting'; sleep 2
feed_with empty; wait_for idle 120
feed_with stranger; wait_for unknown 240; sleep 2; echo '@ shot unknown'; sleep 2
feed_with new; sleep 2
echo '@ keys f2'; sleep 3; echo '@ keys {" ".join(PIN)} ret'; sleep 15; echo '@ shot menu'; sleep 2
echo '@ keys 1'; sleep 3; echo '@ keys shift-b a r a c k'; sleep 3; echo '@ shot name'; sleep 2
echo '@ keys ret'; sleep 3; echo '@ shot consent'; sleep 2
echo '@ keys pgdn pgdn pgdn pgdn'; sleep 3; echo '@ keys ret'; sleep 4; echo '@ shot guided'; sleep 2
i=0; while [ $i -lt 300 ] && ! grep -q enrolled /var/lib/usher/events.jsonl; do sleep 1; i=$((i+1)); done; echo "@ waited $(up) for enrolled $i of 300"
# That it is done stands there for four seconds, which an emulated machine misses now and then: then the menu is back.
sleep 8; echo '@ shot after'; sleep 2
usher status --socket /run/usher/usher.sock 2>&1 | say status
stop; say first < /var/lib/usher/events.jsonl; : > /var/lib/usher/events.jsonl
finish
"""

SECOND = """
KIND="YUYV 640 360"
feed_with new-yuyv
start; wait_for greeting 300; sleep 2; echo '@ shot again'; sleep 2
stop; say second < /var/lib/usher/events.jsonl
finish
"""

# What differs from visit to visit: the camera's picture, and how rare a mistake is, which is the model's.
CAMERA = (0.03, 0.06, 0.56, 0.94)
RARE = (0.56, 0.56, 1.0, 0.64)
SHOTS = {
    "idle": [],
    "greeting": [CAMERA, RARE],
    "unknown": [CAMERA],
    "menu": [CAMERA],
    "name": [],
    "consent": [(0.0, 0.12, 1.0, 0.86)],
    "after": [CAMERA],
    "again": [CAMERA, RARE],
}


def tree(kernel, runtime, folder, drivers=(), camera_frames=True):
    """What a machine with the packaged program starts from."""
    made = Tree(folder, kernel, [*DRIVERS, *drivers])
    runtime.install(made)
    for source, name in [("feed.c", "feed"), ("ask.c", "ask-kiosk")]:
        program = Path(folder).with_suffix(f".{name}")
        compile_static(HERE / source, program, "arm64")
        made.add(program, f"/bin/{name}")
    made.add(kernel.build_module("v4l2loopback-dkms", "v4l2loopback"), "/lib/v4l2loopback.ko")
    if camera_frames:
        frames = runtime.frames()
        for name in ["known", "stranger", "new", "empty", "new-yuyv"]:
            for frame in sorted((frames / name).iterdir())[:FRAMES]:
                made.add(frame, f"/frames/{name}/{frame.name}")
    return made


def data_disk(runtime, folder):
    """A disk with a gallery of one person and an operator."""
    seed = Path(folder) / "seed"
    runtime.people(seed, PIN)
    disk = Path(folder) / "data.ext4"
    with disk.open("wb") as image:
        image.truncate(64 << 20)
    run(["mkfs.ext4", "-q", "-F", "-d", str(seed), str(disk)])
    return disk


def drive(file):
    """How qemu attaches a disk: what the machine has written is on it when qemu is killed, synced or not."""
    return ["-drive", f"if=none,id=d0,format=raw,file={file},cache=unsafe", "-device", "virtio-blk-pci,drive=d0"]


class Listener:
    """Does what the machine asks for (@ shot, @ keys) and keeps what it tells (@ word ...)."""

    def __init__(self, name, out, findings, masks, update):
        """`masks` are the shots that are compared."""
        self.name, self.out, self.findings, self.masks, self.update = name, out, findings, masks, update
        self.told, self.shots = {}, {}
        self.began = time.monotonic()

    def hear(self, machine):
        """Runs the machine until it ends."""
        with (self.out / f"{self.name}.log").open("a") as log:
            for line in machine.lines():
                print(f"[{time.monotonic() - self.began:6.1f}] {line}", file=log, flush=True)
                if line.startswith("@ shot "):
                    name = line.split()[2]
                    self.shots[name] = Picture.of_screen(machine, name, self.out)
                elif line.startswith("@ keys "):
                    machine.press(line.split()[2:])
                elif line.startswith("out: "):
                    self.told.setdefault("out:", []).append(line)
                elif line.startswith(("@ ", "kernel: ")):
                    _, word, *rest = line.split(" ", 2) if line.startswith("@ ") else ["", "kernel", line]
                    self.told.setdefault(word, []).append(" ".join(rest))

    def events(self, word):
        """The kiosk's record, as the machine told it after this word."""
        return [json.loads(line) for line in self.told.get(word, []) if line.startswith("{")]

    def judge_shots(self):
        """Compares what the screen showed with how it should look."""
        for name, masks in self.masks.items():
            picture = self.shots.get(name)
            if picture is None:
                self.findings.note(False, f"screen {name}: was not reached")
                continue
            different = picture.compare(name, masks, self.update)
            self.findings.note(different is None, f"screen {name}: {different or 'as it should look'}")

    def judge_end(self, starts):
        """Whether the kiosk ended when told to and only then, and the kernel had nothing to say."""
        findings, told = self.findings, self.told
        findings.note(told.get("ended") == ["0"] * starts, f"it ended when told to: {told.get('ended')}")
        findings.note("dead" not in told and "failed" not in told, f"it never ended by itself {told.get('dead', '')}")
        findings.note("kernel" not in told, f"the kernel did not complain {told.get('kernel', [''])[0]}")
        for line in told.get("waited", []):
            findings.tell(f"{line} s")


def part(runtime, folder, out, findings, update=False):
    """Runs the visit."""
    kernel = Kernel.fetch("arm64")
    made = tree(kernel, runtime, folder / "visit")
    disk = data_disk(runtime, folder)
    listener = Listener("visit", out, findings, SHOTS, update)
    for script, config in [
        (FIRST, settings("v4l:/dev/video10")),
        (SECOND, settings("v4l:/dev/video10", screen="fb:/dev/fb0", form="YUYV", size=(640, 360))),
    ]:
        made.write("/kiosk.toml", config)
        made.init(BEGIN + LOOPBACK + script)
        listener.hear(Machine(kernel, made.pack(), [*GPU, *KEYBOARD, *drive(disk)], memory_mib=1536, seconds=1800))
    judge(listener)
    shutil.copy(disk, out / "visit-data.ext4") if findings.failed else None


def judge(listener):
    """What must have happened."""
    findings, first, second = listener.findings, listener.events("first"), listener.events("second")
    greeted = [event["identity"] for event in first if event["event"] == "greeted"]
    enrolled = [event["identity"] for event in first if event["event"] == "enrolled"]
    again = [event["identity"] for event in second if event["event"] == "greeted"]
    findings.note(greeted[:1] == ["1"], "MJPG, DRM: the enrolled person was greeted")
    findings.note(any(event["event"] == "unknown" for event in first), "a stranger was refused")
    findings.note("1" not in greeted[1:], "and nobody else was taken for the first")
    findings.note(enrolled == ["2"], "somebody was enrolled at the kiosk, by keys")
    findings.note(again[:1] == ["2"], "YUYV, framebuffer: and was greeted after the machine was started again")
    findings.note(not any("name" in event for event in first + second), "no name is in the record")
    listener.judge_shots()
    listener.judge_end(2)

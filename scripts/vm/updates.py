"""The whole device: first start, watchdog, update to the other root, a broken update, refusals, cut power.

Everything goes the way it goes on a device: updates come on a stick named USHERUPDATE, are judged after the start, and
a root that does not work is left again. Only times are longer, by settings on the data partition.
"""

import os
import random
import re
import shutil
from pathlib import Path

from device import Device
from machine import MachineError, run
from runtime import ROOT
from settings import PIN, settings

SLOW = "[Service]\nWatchdogSec=90\nTimeoutStartSec=1500\nTimeoutStopSec=30\n"
WORKS = r"root [AB] works"
# Lines at which an update writes the root, has written it, and with which a start begins.
WRITING, WRITTEN, START = r"writing data to device", r"Updating slot \S+ done", r"."

IMAGE = """
i=0; while [ $i -lt 600 ] && ! usher status --socket /run/usher/usher.sock > /dev/null 2>&1; do sleep 1; i=$((i+1)); done
echo "@ answers $(up)"
while [ "$(systemctl is-active usher-judge)" = inactive ]; do sleep 1; done
while [ "$(systemctl is-active usher-judge)" = activating ]; do sleep 1; done
echo "@ judged $(up) $(systemctl is-active usher-judge)"; sleep 4
while systemctl list-jobs --no-legend | grep -q usher-stick; do sleep 1; done
echo "@ stick $(up) $(runuser -u usher -- usher update status --json | tr -d ' \\n')"
echo "@ id $(cat /etc/machine-id) $(cat /etc/hostname)"
echo "@ data $(df --output=size -k /data | tail -n 1)"
echo "@ root $(grep ' / ' /proc/mounts | cut -d' ' -f1,3) $(grep -c squashfs /proc/mounts)"
touch /usr/bin/usher.new 2>/dev/null && rm /usr/bin/usher.new; echo "@ written $(ls /usr/bin/usher.new 2>/dev/null)"
echo "@ passwords $(cut -d: -f2 /etc/shadow | sort -u | tr '\\n' ' ')"
echo "@ units $(systemctl list-units --no-legend --plain --state=running --type=service | cut -d' ' -f1 | tr '\\n' ' ')"
echo "@ broken $(systemctl list-units --no-legend --plain --state=failed | cut -d' ' -f1 | tr '\\n' ' ')"
# Ports that listen to others than this machine (0100007F is 127.0.0.1, 3500007F and 3600007F are systemd-resolved's).
echo "@ listens $(cat /proc/net/tcp /proc/net/tcp6 | grep ' 0A ' | tr -s ' ' | cut -d' ' -f3 | grep -v '7F:' | grep -v '^0\\{31\\}1:' | tr '\\n' ' ')"
echo "@ gallery $(stat -c '%U %a' /var/lib/usher /var/lib/usher/people.gallery | tr '\\n' ' ')"
pid=$(systemctl show -p MainPID --value usher); before=$(systemctl show -p NRestarts --value usher)
kill -STOP $pid; echo "@ stopped $(up) $pid"
i=0; while [ $i -lt 600 ] && [ "$(systemctl show -p NRestarts --value usher)" = "$before" ]; do sleep 1; i=$((i+1)); done
echo "@ restarted $(up) $(systemctl show -p NRestarts --value usher)"
usher health --socket /run/usher/usher.sock --wait 600 > /tmp/health 2>&1; echo "@ healthy $? $(up)"
echo "@ end"
"""

REFUSALS = """
# The judge writes it in the start after the broken one.
while [ "$(systemctl is-active usher-judge)" = inactive ]; do sleep 1; done
while [ "$(systemctl is-active usher-judge)" = activating ]; do sleep 1; done
[ -e /data/rauc/refused ] || exit 0
while systemctl list-jobs --no-legend | grep -q usher-stick; do sleep 1; done
sleep 5
before=$(/usr/lib/usher/image/bin/grub-editenv x list | tr '\\n' ' ')
mkdir -p /run/files; mount -o ro /dev/disk/by-label/TRIAL /run/files
try() { rauc install /run/files/$1.raucb > /tmp/told 2>&1; code=$?; echo "@ tried $1 $code $(grep -iE 'failed|expected' /tmp/told | tail -n 1)"; }
try other-key; try other-board; try older; try damaged
[ "$(/usr/lib/usher/image/bin/grub-editenv x list | tr '\\n' ' ')" = "$before" ] && echo "@ unchanged yes"
free=$(df --output=avail -k /data | tail -n 1); dd if=/dev/zero of=/data/fill bs=1024 count=$((free - 1000)) 2>/dev/null
try newer; rm /data/fill
[ "$(/usr/lib/usher/image/bin/grub-editenv x list | tr '\\n' ' ')" = "$before" ] && echo "@ unchanged full"
usher health --socket /run/usher/usher.sock --wait 600 > /tmp/health 2>&1; echo "@ healthy $? $(up)"
echo "@ end"
"""


def seed(folder, runtime):
    """What the owner of a device in a slow machine puts on its data partition."""
    folder = Path(folder)
    for place, text in {
        "etc/usher/kiosk.toml": settings("v4l:/dev/video0", form="YUYV", size=(640, 360), looks=1),
        "etc/usher/judge.env": "WAIT_S=900\n",
        "etc/systemd/system/usher.service.d/slow.conf": SLOW,
    }.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    runtime.people(folder / "lib" / "usher", PIN)
    return folder


def gallery_whole(device, runtime, folder):
    """Looks at the gallery on the device's disk as a power cut left it; returns what is wrong, or None.

    The journal of a copy is replayed, as the device does it.
    """
    copy = device.disk.read("data", folder / "data.ext4")
    run(["sh", "-c", f"e2fsck -p '{copy}' > /dev/null 2>&1 || [ $? -lt 4 ]"])
    found = folder / "found"
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir()
    run(["debugfs", "-R", f"rdump /lib/usher {found}", str(copy)])
    state = found / "usher"
    if not (state / "people.gallery").exists():
        return "there is none"
    environment = {**os.environ, "USHER_KEY": str(state / "gallery.key")}
    try:
        runtime.usher("gallery", "verify", "--gallery", state / "people.gallery", env=environment)
    except MachineError as error:
        return str(error)
    return None


def told(boot, word):
    """What the trial's script said after this word."""
    line = next((line for line in boot.lines if f"@ {word} " in f"{line} "), None)
    return None if line is None else line.partition(f"@ {word}")[2].strip()


def image_part(image, runtime, folder, out, findings, update=False):
    """First start to the first frame, what a device must not have, and the watchdog."""
    device = Device(image, folder / "device", out, "image")
    # As docs/from-box-to-greeting.md has it: an operator's PIN, and nobody enrolled. Gallery and key are the device's own.
    content = seed(folder / "seed", runtime)
    for file in (content / "lib" / "usher").iterdir():
        if file.name != "operators.toml":
            file.unlink()
    key, other = signing_key(folder, "trusted", content), signing_key(folder, "other")
    device.provision(content, IMAGE)
    signings = [(key, 4), (key, 5), (other, 6)]
    device.stick(*[file for by, serial in signings for file in signed(ROOT / "models/usher-small.toml", by, serial, folder)])
    boot = device.boot(until=r"@ end", seconds=2400, shots=[(r"@ stick", "image-idle"), (r"@ healthy", "image-again")])
    judge_image(boot, findings)
    picture = boot.shots.get("image-idle")
    findings.note(picture is not None and not picture.blank(), "the first frame is on the screen: image-idle.png")
    wrong = gallery_whole(device, runtime, folder)
    findings.note(wrong is None, f"the gallery that it made, with a key of its own, is whole {wrong or ''}")


def signing_key(folder, name, content=None):
    """A new key of minisign; the device whose settings lie in `content` trusts it."""
    secret, public = folder / f"{name}.key", folder / f"{name}.pub"
    run(["minisign", "-G", "-f", "-W", "-s", str(secret), "-p", str(public)])
    if content:
        place = content / "etc/usher/trusted/site.pub"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(public, place)
    return secret


def signed(file, key, serial, folder, *words):
    """What scripts/sign makes of a file: two files for a stick."""
    out = folder / f"signed-{serial}"
    run([str(ROOT / "scripts" / "sign"), str(file), "--key", str(key), "--serial", str(serial), "--out", str(out), *words])
    return sorted(out.iterdir())


def judge_image(boot, findings):
    """What the device said."""
    findings.note(told(boot, "answers") is not None, f"the kiosk answers after {told(boot, 'answers')} s of the machine's time")
    findings.note(boot.has(WORKS) is not None, f"judged: {boot.has(WORKS)}")
    wrong_key = boot.has(r"installing usher-small-6.model") is not None
    findings.note(wrong_key and '"model_serial":5' in (told(boot, "stick") or ""),
                  f"of the stick's signed models the newest that is trusted is in use: {told(boot, 'stick')}")  # fmt: skip
    findings.note(boot.has(r"done: the kiosk is well with usher-small-5") is not None and boot.has("installing usher-small-4") is None,
                  "it was judged, and an older one left alone")  # fmt: skip
    words = (told(boot, "id") or "").split()
    findings.note(bool(words) and re.fullmatch(r"[0-9a-f]{32}", words[0]) is not None, f"its own machine id: {words}")
    size = int(told(boot, "data") or 0)
    findings.note(size > 200 << 10, f"the data were grown to the disk: {size >> 10} MiB")
    findings.note((told(boot, "root") or "").startswith("overlay overlay"), f"the root is an overlay: {told(boot, 'root')}")
    findings.note(set((told(boot, "passwords") or "x").split()) <= {"*", "!*", "!", "!!"}, "nobody has a password")
    units = told(boot, "units") or ""
    findings.note(units != "" and not re.search(r"getty|ssh|emergency|debug-shell", units), f"no shell, no ssh: {units}")
    # The stick's, which refused a file.
    findings.note(re.fullmatch(r"usher-stick@\S+", told(boot, "broken") or "") is not None,
                  f"no unit has failed but the stick's: {told(boot, 'broken')}")  # fmt: skip
    findings.note(told(boot, "listens") == "", f"nothing listens to the network: {told(boot, 'listens')}")
    findings.note("usher 700" in (told(boot, "gallery") or ""), f"the gallery is the kiosk's alone: {told(boot, 'gallery')}")
    findings.note(told(boot, "restarted") is not None and told(boot, "stopped") is not None,
                  f"a kiosk that stands still is started again: {told(boot, 'stopped')} .. {told(boot, 'restarted')}")  # fmt: skip
    findings.note((told(boot, "healthy") or "1").startswith("0"), f"and works again: {told(boot, 'healthy')}")
    findings.tell(f"{boot.seconds:.0f} s")


class Updates:
    """Bundles for trials, made as scripts/image makes them."""

    def __init__(self, keys, deb, folder, version):
        """`version` is that of the image."""
        self.keys, self.deb, self.folder, self.version = keys, deb, Path(folder), version
        self.folder.mkdir(parents=True, exist_ok=True)

    def later(self, number):
        """A version after the image's."""
        return f"{self.version}+{number}"

    def good(self, number):
        """A whole update of the same package."""
        return self.make(self.deb, self.later(number))

    def broken(self, number):
        """An update whose kiosk does not work: its program ends at once."""
        tree = self.folder / "broken"
        shutil.rmtree(tree, ignore_errors=True)
        run(["dpkg-deb", "-R", str(self.deb), str(tree)])
        program = tree / "usr/bin/usher"
        program.write_text("#!/bin/sh\n[ \"$1\" = health ] && sleep 5\nexit 1\n")
        deb = self.folder / "broken.deb"
        run(["dpkg-deb", "-b", "--root-owner-group", "-Zgzip", "-z1", str(tree), str(deb)])
        return self.make(deb, self.later(number))

    def make(self, deb, version):
        """Calls scripts/image."""
        target = self.folder / f"kiosk-arm64-{version}.raucb"
        if not target.exists():
            run([str(ROOT / "scripts" / "image"), "--update-only", "--deb", str(deb), "--version", version,
                 "--keys", str(self.keys), "--out", str(self.folder)])  # fmt: skip
        return target

    def small(self, name, version, board="generic-arm64", keys=None):
        """An update of a few bytes, to be refused."""
        keys = keys or self.keys
        content = self.folder / f"small-{name}"
        shutil.rmtree(content, ignore_errors=True)
        content.mkdir()
        # What does not get smaller: RAUC makes no update of less than a page.
        (content / "root.img").write_bytes(random.Random(name).randbytes(64 << 10))
        (content / "manifest.raucm").write_text(
            f"[update]\ncompatible=usher-{board}\nversion={version}\n\n[bundle]\nformat=verity\n\n"
            "[image.rootfs]\nfilename=root.img\n"
        )
        target = self.folder / f"{name}.raucb"
        target.unlink(missing_ok=True)
        run(["rauc", "bundle", f"--cert={keys / 'signer.cert.pem'}", f"--key={keys / 'signer.key.pem'}",
             str(content), str(target)])  # fmt: skip
        return target

    def make_keys(self, folder):
        """Keys that no device trusts."""
        if not (folder / "signer.cert.pem").exists():
            folder.mkdir(parents=True, exist_ok=True)
            run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "signer.key.pem"),
                 "-out", str(folder / "signer.cert.pem"), "-days", "3650", "-subj", "/CN=somebody else"])  # fmt: skip

    def refused(self, other_keys):
        """A disk named TRIAL with updates that must be refused."""
        files = [
            self.small("other-key", self.later(9), keys=other_keys),
            self.small("other-board", self.later(9), board="another"),
            self.small("older", "0.0.1"),
            self.small("newer", self.later(9)),
            self.small("damaged", self.later(9)),
        ]
        damaged = bytearray(files[-1].read_bytes())
        damaged[200] ^= 1
        files[-1].write_bytes(damaged)
        disk = self.folder / "trial.vfat"
        with disk.open("wb") as image:
            image.truncate(48 << 20)
        run(["mkfs.vfat", "-F", "32", "-s", "1", "-n", "TRIAL", str(disk)])
        run(["mcopy", "-i", str(disk), *map(str, files), "::/"])
        return disk


def update_part(image, runtime, updates, other_keys, folder, out, findings):
    """An update to the other root; a broken one that is taken back; updates that are refused."""
    device = Device(image, folder / "device", out, "update")
    content = seed(folder / "seed", runtime)
    key = signing_key(folder, "trusted", content)
    backup = signed(content / "lib/usher/people.gallery", key, 1, folder, "--name", "lobby")
    device.provision(content, REFUSALS)

    device.stick(updates.good(1))
    first = device.boot(seconds=2400, shots=[(WORKS, "image-idle"), (r"Marking target slot .* as bootable", "updating")])
    picture = first.shots.get("image-idle")
    findings.note(picture is not None and not picture.blank(), "start 1: a frame is on the screen: image-idle.png")
    findings.note(first.has(r"root A works") is not None, f"start 1: root A, {first.seconds:.0f} s")
    findings.note(first.has(r"installing .*raucb") is not None, "the update on the stick was found")
    findings.note(first.has(r"installed .*raucb; starting it") is not None and first.ended, "installed, and started again")
    grubenv = device.disk.grubenv()
    findings.note(grubenv["ORDER"] == "B A" and grubenv["B_OK"] == "1", f"root B is next: {grubenv['ORDER']}")

    device.unplug()
    device.stick(updates.broken(2))
    second = device.boot(seconds=2400)
    findings.note(second.has(r"root B works") is not None, f"start 2: root B works, {second.seconds:.0f} s")
    findings.note(second.has(r"installed .*raucb; starting it") is not None, "a broken update is installed over root A")

    third = device.boot(seconds=2400)
    findings.note(third.has(r"root A with version .* does not work; going back") is not None and third.ended,
                  f"start 3: root A does not work, {third.seconds:.0f} s")  # fmt: skip
    findings.note(device.disk.grubenv()["A_OK"] == "0", "root A is marked bad")

    device.sticks.append(updates.refused(other_keys))
    device.stick(*backup)
    fourth = device.boot(until=r"@ end", seconds=2400)
    findings.note(fourth.has(r"went back to root B") is not None, f"start 4: back in root B, {fourth.seconds:.0f} s")
    findings.note(fourth.has(r"root B works") is not None, "root B works")
    findings.note(fourth.has(r"left alone .* did not work here") is not None, "the stick's broken update is not tried again")
    findings.note(fourth.has(r"done: the kiosk is well with lobby-1") is not None, "a signed gallery on a second stick is in use")
    for name, what in [("other-key", "a wrong signature"), ("other-board", "another board"), ("older", "an older version"),
                       ("damaged", "a damaged file"), ("newer", "a full disk")]:  # fmt: skip
        line = next((line for line in fourth.lines if f"@ tried {name} " in line), "")
        code = (line.partition(f"@ tried {name} ")[2].split() or ["?"])[0]
        findings.note(code not in ("0", "?"), f"refused: {what}; {line.partition(name)[2].strip()}")
    findings.note(all(fourth.has(f"@ unchanged {word}") for word in ("yes", "full")), "and what is started next is unchanged")
    findings.note((told(fourth, "healthy") or "1").startswith("0"), "the kiosk works through all of it")
    wrong = gallery_whole(device, runtime, folder)
    findings.note(wrong is None, f"the gallery is whole {wrong or ''}")


def kill_part(image, runtime, updates, folder, out, findings, kills, chance):
    """Cuts the power at random moments of an update: the device always starts, and its gallery is whole.

    Each start shows that the cut before did no harm, then begins the update again and is cut in turn.
    """

    def fresh(number):
        device = Device(image, folder / "device", out, "kills")
        device.provision(seed(folder / f"seed{number}", runtime))
        device.stick(updates.good(1))
        return device

    device, cuts = fresh(0), 0
    while cuts < kills:
        # Most cuts fall into the writing of the root, some into what follows it, some into a start.
        places = [(WRITING, chance.uniform(0.0, 14.0)), (WRITTEN, chance.uniform(0.0, 3.0)), a_start(chance)]
        place = chance.choices(places, [6, 2, 2])[0]
        boot = device.boot(seconds=2400, kill_after=place)
        on_trial = boot.ended  # the update was faster than the cut: now the other root is on trial, and cut in its first start
        if on_trial:
            place = a_start(chance)
            boot = device.boot(seconds=2400, kill_after=place)
        started = place[0] == START or boot.has(WORKS) is not None
        wrong = gallery_whole(device, runtime, folder)
        cut = not boot.ended
        cuts += cut
        findings.note(
            started and wrong is None,
            f"{f'cut {cuts}' if cut else 'no cut'}{', root B on trial' if on_trial else ''}: {boot.has(WORKS)}; "
            f"{boot.found or 'ended by itself'}; gallery {wrong or 'whole'}; {chosen(device)}",
        )
        if on_trial or device.disk.grubenv()["ORDER"].startswith("B"):  # nothing is left to install
            after = device.boot(until=WORKS, seconds=2400, linger=5)
            findings.note(after.has(WORKS) is not None, f"and after it: {after.has(WORKS)}; {chosen(device)}")
            device = fresh(cuts)
    device.unplug()
    last = device.boot(until=WORKS, seconds=2400, linger=5)
    wrong = gallery_whole(device, runtime, folder)
    findings.note(last.has(WORKS) is not None, f"after all cuts: {last.has(WORKS)}")
    findings.note(wrong is None, f"the gallery is {wrong or 'whole'}; {chosen(device)}")


def a_start(chance):
    """A cut in the first minutes of a start."""
    return START, chance.uniform(1.0, 90.0)


def chosen(device):
    """What GRUB starts by, in short."""
    variables = device.disk.grubenv()
    return " ".join(f"{name}={variables.get(name)}" for name in ("ORDER", "A_OK", "A_TRY", "B_OK", "B_TRY"))


def seeded(value):
    """Random numbers that are the same for the same seed."""
    return random.Random(value)

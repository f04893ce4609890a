"""A device in a virtual machine: the disk image, UEFI firmware, and whatever is plugged in, started as often as wanted.

    device = Device("build/kiosk-arm64.img", folder, out, "update")
    device.provision(seed)                      puts a folder's content on the data partition
    boot = device.boot(until=r"root A works")   starts it; ends it once that line was printed
    boot.found, boot.lines, boot.shots

The image is copied, and the copy's disk is larger, as a device's is. What the trial adds beside settings lies on the
first partition: words for the kernel that send the journal to the serial port and load the camera driver vivid, and a
script for the system to run once it is up (see packaging/image/boot/grub.cfg). The root file systems are those that
devices get.
"""

import re
import shutil
import time
from contextlib import closing
from pathlib import Path

from disk import Disk
from machine import Kernel, Machine, MachineError, need_tools, run
from picture import Picture

FIRMWARE = Path("/usr/share/AAVMF")
GROWN = 1 << 30
WORDS = (
    "systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info modules_load=vivid "
    "vivid.n_devs=1 vivid.node_types=0x1"
)
# Runs beside the system, as root, once its basics are up.
TRIAL = """\
systemctl start --no-block multi-user.target
exec > /dev/console 2>&1
up() { cut -d' ' -f1 /proc/uptime; }
echo "@ up $(up)"
"""


class Boot:
    """What one start of the device gave."""

    def __init__(self):
        """Nothing yet."""
        self.lines, self.shots, self.found, self.ended, self.seconds = [], {}, None, False, 0.0

    def has(self, pattern):
        """The first line that this pattern is found in."""
        return next((line for line in self.lines if re.search(pattern, line)), None)


class Device:
    """A copy of the image, and the firmware's memory."""

    def __init__(self, image, folder, out, name):
        """Copies the image; `name` is that of the log in `out`."""
        need_tools({"qemu-system-aarch64": "qemu-system-arm"})
        if not (FIRMWARE / "AAVMF_CODE.fd").exists():
            need_tools({"/usr/share/AAVMF/AAVMF_CODE.fd": "qemu-efi-aarch64"})
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.out, self.name, self.folder = out, name, folder
        self.kernel = Kernel.fetch("arm64")
        self.disk_file = folder / "disk.img"
        run(["cp", "--sparse=always", "--reflink=auto", str(image), str(self.disk_file)])
        with self.disk_file.open("r+b") as file:
            file.truncate(max(GROWN, self.disk_file.stat().st_size))
        self.firmware = folder / "vars.fd"
        shutil.copy(FIRMWARE / "AAVMF_VARS.fd", self.firmware)
        self.disk.set_grubenv(EXTRA=WORDS)
        self.sticks = []
        self.starts = 0

    @property
    def disk(self):
        """The disk as it is now."""
        return Disk(self.disk_file)

    def provision(self, seed, trial=""):
        """Puts what lies in the folder `seed` on the data partition; `trial` runs at each start."""
        if trial:
            (Path(seed) / "trial").write_text(TRIAL + trial)
            more = "systemd.run_success_action=none systemd.run_failure_action=none"
            self.disk.set_grubenv(RUN="systemd.run=/bin/sh /data/trial", EXTRA=f"{WORDS} {more}")
        self.disk.make_data(self.folder / "seed.ext4", seed)

    def stick(self, *files):
        """A stick named USHERUPDATE with these files; it is in the machine from the next start on."""
        stick = self.folder / f"stick{len(self.sticks)}.vfat"
        with stick.open("wb") as image:
            image.truncate(sum(Path(file).stat().st_size for file in files) + (48 << 20))
        run(["mkfs.vfat", "-F", "32", "-s", "1", "-n", "USHERUPDATE", str(stick)])
        run(["mcopy", "-i", str(stick), *map(str, files), "::/"])
        self.sticks.append(stick)

    def unplug(self):
        """Takes the sticks out."""
        self.sticks = []

    def arguments(self):
        """What qemu is told about the device."""
        told = ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE / 'AAVMF_CODE.fd'}"]
        told += ["-drive", f"if=pflash,unit=1,format=raw,file={self.firmware}"]
        told += ["-drive", f"if=none,id=d0,format=raw,file={self.disk_file},cache=unsafe"]
        told += ["-device", "virtio-blk-pci,drive=d0,bootindex=0", "-device", "virtio-gpu-pci,xres=1280,yres=800"]
        told += ["-device", "virtio-keyboard-pci", "-object", "rng-random,id=r0,filename=/dev/urandom"]
        told += ["-device", "virtio-rng-pci,rng=r0"]
        if self.sticks:
            told += ["-device", "qemu-xhci"]
        for number, stick in enumerate(self.sticks):
            told += ["-drive", f"if=none,id=s{number},format=raw,readonly=on,file={stick}"]
            told += ["-device", f"usb-storage,drive=s{number},removable=on"]
        return told

    def boot(self, until=None, seconds=1200, shots=(), kill_after=None, linger=0):
        """Starts the device and follows what it prints until a line has the pattern `until`, or it ends by itself.

        `shots` are pairs of a pattern and a name: a picture of the screen is taken when such a line comes. `kill_after`
        is a pattern and a number of seconds after it at which the power is cut. `linger`: seconds after `until`.
        """
        boot, began = Boot(), time.monotonic()
        self.starts += 1
        machine = Machine(self.kernel, None, self.arguments(), memory_mib=1024, seconds=seconds)
        with (self.out / f"{self.name}.log").open("a") as log, closing(machine.lines(wait=1.0)) as lines:
            print(f"==== start {self.starts}", file=log, flush=True)
            try:
                self.follow(boot, machine, lines, log, until, shots, kill_after, linger)
            except MachineError as error:
                print(f"[      ] {error}", file=log, flush=True)
        boot.seconds = time.monotonic() - began
        return boot

    def follow(self, boot, machine, lines, log, until, shots, kill_after, linger):
        """Follows what the machine prints until there is a reason to stop."""
        began, deadline, kill = time.monotonic(), None, None
        for line in lines:
            now = time.monotonic()
            if line is not None:
                boot.lines.append(line)
                print(f"[{now - began:6.1f}] {line}", file=log, flush=True)
                for pattern, name in shots:
                    if re.search(pattern, line) and name not in boot.shots:
                        boot.shots[name] = Picture.of_screen(machine, name, self.out)
                if until and deadline is None and re.search(until, line):
                    boot.found, deadline = line, now + linger
                if kill_after and kill is None and re.search(kill_after[0], line):
                    kill = now + kill_after[1]
            if deadline is not None and now >= deadline:
                return
            if kill is not None and now >= kill:
                boot.found = f"killed {kill_after[1]:.1f} s after {kill_after[0]}"
                return
        boot.ended = True

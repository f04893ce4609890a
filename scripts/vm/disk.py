"""The kiosk's disk: its partitions, and what goes into them, without root rights or loop devices.

    disk = Disk.create("kiosk.img")             a sparse file with a partition table
    disk.write("root-a", "root.squashfs")
    disk.make_data(folder, seed)                an ext4 file system with what the folder `seed` holds
    disk.read("data", "data.ext4")              a partition's bytes, to look at
    disk.grubenv()                              what GRUB starts by; disk.set_grubenv(EXTRA="...") for trials
"""

import re
import subprocess
from pathlib import Path

from machine import MachineError, run

MIB = 1 << 20
# Name, MiB, type. The data comes last, so that it can grow.
PARTITIONS = [
    ("esp", 40, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
    ("root-a", 256, "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"),
    ("root-b", 256, "B921B045-1DF0-41C3-AF44-4C6F280D3FAE"),
    ("data", 64, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
]
ENVIRONMENT = "EFI/usher/grubenv"
ENVIRONMENT_HEAD = "# GRUB Environment Block\n"
FIRST = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}


def environment(variables):
    """GRUB's block of variables: 1024 bytes."""
    text = ENVIRONMENT_HEAD + "".join(f"{name}={value}\n" for name, value in variables.items())
    if len(text) > 1024:
        raise MachineError(f"expected at most 1024 bytes of variables, found {len(text)}; shorten EXTRA")
    return text.ljust(1024, "#").encode()


def esp(file, program, config):
    """Makes the file system that the firmware reads, with GRUB and its configuration."""
    folder = Path(file).with_suffix(".parts")
    folder.mkdir()
    (folder / "grub.cfg").write_text(config)
    (folder / "grubenv").write_bytes(environment(FIRST))
    with open(file, "wb") as image:
        image.truncate(PARTITIONS[0][1] * MIB)
    run(["mkfs.vfat", "-F", "32", "-s", "1", "-n", "USHER-ESP", "-i", "05e4e200", str(file)])
    run(["mmd", "-i", str(file), "::/EFI", "::/EFI/BOOT", "::/EFI/usher"])
    # The environment first, while the file system is empty: its two sectors then lie side by side.
    run(["mcopy", "-i", str(file), str(folder / "grubenv"), f"::/{ENVIRONMENT}"])
    run(["mcopy", "-i", str(file), str(folder / "grub.cfg"), "::/EFI/usher/grub.cfg"])
    run(["mcopy", "-i", str(file), str(program), "::/EFI/BOOT/BOOTAA64.EFI"])
    return file


class Disk:
    """A disk image and where its partitions lie."""

    def __init__(self, file):
        """An image that there is.

        Raises MachineError when it has not the kiosk's partitions.
        """
        self.file = Path(file)
        self.places = {}
        for line in run(["sfdisk", "-d", str(file)]).splitlines():
            found = re.search(r"start=\s*(\d+), size=\s*(\d+),.*name=\"usher-([a-z-]+)\"", line)
            if found:
                self.places[found[3]] = (int(found[1]) * 512, int(found[2]) * 512)
        if set(self.places) != {name for name, _, _ in PARTITIONS}:
            raise MachineError(f"expected the kiosk's partitions in {file}, found {sorted(self.places)}; scripts/image")

    @classmethod
    def create(cls, file):
        """Makes a sparse file with the partition table."""
        with open(file, "wb") as image:
            image.truncate((sum(size for _, size, _ in PARTITIONS) + 2) * MIB)
        table = "label: gpt\nfirst-lba: 2048\n"
        for name, size, kind in PARTITIONS:
            table += f'size={size}MiB, type={kind}, name="usher-{name}"\n'
        run(["sfdisk", "-q", str(file)], input=table)
        return cls(file)

    def write(self, name, source):
        """Writes a file to the beginning of a partition, leaving holes where it holds zeros.

        Raises MachineError when it is too large.
        """
        start, size = self.places[name]
        found = Path(source).stat().st_size
        if found > size:
            raise MachineError(f"expected at most {size >> 20} MiB for {name}, found {found >> 20}; leave more out")
        run(["dd", f"if={source}", f"of={self.file}", "bs=1M", f"seek={start // MIB}", "conv=notrunc,sparse", "status=none"])

    def read(self, name, target):
        """Copies a partition into a file."""
        start, size = self.places[name]
        run(["dd", f"if={self.file}", f"of={target}", "bs=1M", f"skip={start // MIB}", f"count={size}",
             "iflag=count_bytes", "conv=sparse", "status=none"])  # fmt: skip
        return Path(target)

    def make_data(self, file, seed=None):
        """Makes the data's file system anew, with what a folder holds, owned by root; the device adds the rest."""
        with open(file, "wb") as image:
            image.truncate(self.places["data"][1])
        command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-L", "usher-data", "-E", "root_owner=0:0,lazy_itable_init=0"]
        run([*command, *(["-d", str(seed)] if seed else []), str(file)])
        start, size = self.places["data"]
        run(["fallocate", "--punch-hole", "-o", str(start), "-l", str(size), str(self.file)])
        self.write("data", file)

    def mtools(self):
        """How mtools name the first partition."""
        return f"{self.file}@@{self.places['esp'][0]}"

    def grubenv(self):
        """GRUB's variables."""
        done = subprocess.run(
            ["mtype", "-i", self.mtools(), f"::/{ENVIRONMENT}"], capture_output=True, text=True, check=False
        )
        if not done.stdout.startswith(ENVIRONMENT_HEAD) or len(done.stdout) != 1024:
            raise MachineError(f"expected GRUB's environment, found {done.stdout[:40]!r} {done.stderr.strip()}; scripts/image")
        lines = [line for line in done.stdout.splitlines() if not line.startswith("#") and "=" in line]
        return dict(line.split("=", 1) for line in lines)

    def set_grubenv(self, **variables):
        """Sets some of GRUB's variables."""
        new = self.file.with_name(self.file.name + ".grubenv")
        new.write_bytes(environment({**self.grubenv(), **variables}))
        run(["mcopy", "-o", "-i", self.mtools(), str(new), f"::/{ENVIRONMENT}"])
        new.unlink()

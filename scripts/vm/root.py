"""A minimal Debian 12 for arm64, made once and kept as a tar: what images are built from and packages are tried in.

    tar = base()        the tar, from the cache or by mmdebstrap (about 4 minutes, longer on a busy machine)

It holds what an image needs beside usher (systemd, udev, rauc, tools for disks) and apt, and nothing of ours. Its
packages are those that Debian's mirrors offer on the day: `forget()` and `base()` bring it up to date.

As root with qemu-user-static's binary format registered, or able to register it; otherwise by a user namespace.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from machine import CACHE, MachineError, lock, run

TAR = CACHE / "root-arm64-base.tar"
MIRRORS = [
    "deb http://deb.debian.org/debian bookworm main",
    "deb http://deb.debian.org/debian bookworm-updates main",
    "deb http://deb.debian.org/debian-security bookworm-security main",
]
PACKAGES = [
    "systemd", "systemd-sysv", "systemd-timesyncd", "udev", "dbus", "kmod", "libfdisk1", "e2fsprogs", "dosfstools",
    "rauc", "grub-common", "ca-certificates", "tzdata",
]  # fmt: skip
TOOLS = {"mmdebstrap": "mmdebstrap", "arch-test": "arch-test", "qemu-aarch64-static": "qemu-user-static"}
BINFMT = Path("/proc/sys/fs/binfmt_misc")


def foreign_programs():
    """Makes the system run arm64 programs by qemu.

    Raises MachineError saying what to do where it does not and we may not.
    """
    if (BINFMT / "qemu-aarch64").exists() or os.uname().machine == "aarch64":
        return
    if os.geteuid() == 0:
        if not (BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=False)
        for folder in ["/usr/lib/binfmt.d"]:
            for name in ["qemu-aarch64.conf", "qemu-aarch64-static.conf"]:
                rule = Path(folder) / name
                if rule.exists() and (BINFMT / "register").exists() and not (BINFMT / "qemu-aarch64").exists():
                    (BINFMT / "register").write_text(rule.read_text().strip())
    if not (BINFMT / "qemu-aarch64").exists():
        raise MachineError("expected arm64 programs to run, found no rule for them; sudo apt-get install qemu-user-static binfmt-support")


def base():
    """The tar of the minimal root.

    Raises MachineError when it cannot be made.
    """
    with lock("root-arm64.lock"):
        if TAR.exists():
            return TAR
        missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
        if missing and os.geteuid() == 0 and shutil.which("apt-get"):
            run(["apt-get", "-qq", "update"])
            run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing])
        elif missing:
            raise MachineError(f"expected {', '.join(missing)}, found none; sudo apt-get install {' '.join(missing)}")
        foreign_programs()
        print(f"making a minimal Debian for arm64: {TAR}", file=sys.stderr)
        part = TAR.with_name("root-arm64-base.part.tar")
        command = ["mmdebstrap", "--arch=arm64", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
        command += ['--dpkgopt=path-exclude="/usr/share/man/*"', '--dpkgopt=path-exclude="/usr/share/locale/*"']
        command += ['--aptopt=Acquire::Languages "none"', "bookworm", str(part), *MIRRORS]
        run(command, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        part.rename(TAR)
        return TAR


def forget():
    """Removes the tar, so that it is made anew."""
    TAR.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        print(base())
    except MachineError as error:
        sys.exit(str(error))

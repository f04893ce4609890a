"""What a program needs of the system that runs it, read from its file by readelf."""

import dataclasses
import re

from toolchain import run

MACHINES = {"AArch64": "aarch64", "Advanced Micro Devices X86-64": "x86_64"}


@dataclasses.dataclass(frozen=True)
class Program:
    """What an ELF file says of itself."""

    machine: str  # as uname calls it
    libraries: tuple  # shared libraries, as libc.so.6
    glibc: tuple  # the newest version of glibc whose symbols it names, as (2, 31); empty: none

    @property
    def glibc_text(self):
        """The version as people write it."""
        return ".".join(map(str, self.glibc)) or "none"


def newest_glibc(symbols):
    """The newest GLIBC_ version that `readelf --version-info` names, as numbers: 2.4 is older than 2.31."""
    versions = re.findall(r"\bGLIBC_(\d+(?:\.\d+)+)", symbols)
    return max((tuple(map(int, version.split("."))) for version in versions), default=())


def read(path):
    """What the program at `path` says of itself.

    Raises ToolchainError when readelf cannot read it.
    """
    header = run(["readelf", "--wide", "--file-header", path])
    machine = re.search(r"Machine:\s+(.+)", header)[1].strip()
    needed = run(["readelf", "--wide", "--dynamic", path])
    symbols = run(["readelf", "--wide", "--version-info", path])
    libraries = tuple(re.findall(r"\(NEEDED\).*\[(.+)\]", needed))
    return Program(MACHINES.get(machine, machine), libraries, newest_glibc(symbols))

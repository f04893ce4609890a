"""Instructions that a program takes on ARM, counted under qemu-user by a TCG plugin (count.c).

How long it takes under emulation says nothing.
"""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "device"))
from toolchain import AARCH64, PROFILE, ROOT, Toolchain, ToolchainError, need_tools  # noqa: E402

__all__ = ["PROFILE", "ArmError", "Counter", "run", "toolchain"]


class ArmError(Exception):
    """Something that was expected is not so; the message says what to do."""


def run(command, what, **more):
    """Runs a command in the project's root; raises ArmError when it fails."""
    done = subprocess.run([str(part) for part in command], cwd=ROOT, **more)
    if done.returncode != 0:
        told = f": {done.stderr.strip()}" if done.stderr else ""
        raise ArmError(f"{what} failed: `{' '.join(map(str, command))}`{told}")
    return done


def toolchain():
    """What builds for ARM and runs it; raises ArmError when it cannot be had."""
    try:
        need_tools("qemu-aarch64", "aarch64-linux-gnu-gcc", "cc")
        return Toolchain.fetch(AARCH64)
    except ToolchainError as error:
        raise ArmError(str(error)) from error


class Counter:
    """Counts the instructions of whole programs."""

    def __init__(self, folder):
        self.plugin = folder / "count.so"
        run(["cc", "-O2", "-shared", "-fPIC", "-o", self.plugin, HERE / "count.c"], "the plugin's build")

    def count(self, processor, command, told):
        """Instructions of the program, which is told a text, and the first line of what it says."""
        command = [*AARCH64.emulator("-cpu", processor, "-plugin", self.plugin), *command]
        done = run(command, "counting", input=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        found = re.search(r"^instructions (\d+)$", done.stderr, re.MULTILINE)
        if not found:
            raise ArmError(f"expected a count of instructions on stderr, found {done.stderr!r}; does this qemu take plugins?")
        return int(found[1]), done.stdout.splitlines()[0]

"""Instructions per template that a search takes on ARM, counted under qemu-user by a TCG plugin (count.c).

The same index is searched 20 and 40 times; the difference, by templates, is what a search takes: quantizing the probe,
the scan, and comparing again what it leaves. How long it takes under emulation says nothing.
"""

import array
import random
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "device"))
from toolchain import AARCH64, ROOT, Toolchain, ToolchainError, need_tools  # noqa: E402

TEMPLATES = 16_384
DIMENSION = 128
PROBES = 20
# Processor, what our program must say it uses, most instructions per template.
PROCESSORS = (("cortex-a76", "NEON dot product", 20), ("cortex-a72", "NEON", 37))


class ArmError(Exception):
    """Something that was expected is not so; the message says what to do."""


def run(command, what, **more):
    done = subprocess.run(command, cwd=ROOT, **more)
    if done.returncode != 0:
        raise ArmError(f"{what} failed: `{' '.join(map(str, command))}`")
    return done


def build(toolchain):
    run([toolchain.cargo, "build", "--locked", "--release", "-p", "usher-shared", "--no-default-features",
         *toolchain.target_arguments, "--example", "bench_search"], "cross-building", env=toolchain.environment())
    return toolchain.target_folder / "release" / "examples" / "bench_search"


def kernel_tests(toolchain):
    """The search's own tests, once on every processor."""
    for processor, _, _ in PROCESSORS:
        run([toolchain.cargo, "test", "--locked", "-p", "usher-shared", "--no-default-features", "--lib",
             *toolchain.target_arguments, "gallery::search"], f"the search's tests on {processor}",
            env=toolchain.environment(("-cpu", processor)), stdout=sys.stderr)


def unit(numbers):
    length = sum(number * number for number in numbers) ** 0.5
    return [number / length for number in numbers]


def files(folder):
    """Random directions, a person each, written as our program reads them."""
    generator = random.Random(5)

    def directions(count):
        return array.array("f", (x for _ in range(count) for x in unit([generator.gauss(0, 1) for _ in range(DIMENSION)])))

    made = {"templates": directions(TEMPLATES), "owners": array.array("I", range(1, TEMPLATES + 1)), "probes": directions(PROBES)}
    for name, numbers in made.items():
        (folder / name).write_bytes(numbers.tobytes())
    return [folder / name for name in made]


def count(binary, plugin, processor, paths, searches):
    """Instructions of the whole program, and the instruction set that it chose."""
    command = [*AARCH64.emulator("-cpu", processor, "-plugin", plugin), binary, *paths, str(DIMENSION), "full"]
    done = run(command, "counting", input="single\n" * searches, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = re.search(r"^instructions (\d+)$", done.stderr, re.MULTILINE)
    if not found:
        raise ArmError(f"expected a count of instructions on stderr, found {done.stderr!r}; does this qemu take plugins?")
    return int(found[1]), done.stdout.splitlines()[0]


def measure(table, folder):
    """Adds a row for every processor."""
    try:
        need_tools("qemu-aarch64", "aarch64-linux-gnu-gcc", "cc")
        toolchain = Toolchain.fetch(AARCH64)
    except ToolchainError as error:
        raise ArmError(str(error)) from error
    binary, plugin, paths = build(toolchain), folder / "count.so", files(folder)
    run(["cc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "count.c"], "the plugin's build")
    for processor, expected, most in PROCESSORS:
        once, used = count(binary, plugin, processor, paths, 1)
        twice, _ = count(binary, plugin, processor, paths, 2)
        if used != expected:
            raise ArmError(f"expected {expected} on {processor}, found {used}")
        each = (twice - once) / (PROBES * TEMPLATES)
        table.add(f"instructions per template, {processor} ({used})", f"{each:.1f}", "-", "-", f"<= {most}", each <= most)
    kernel_tests(toolchain)

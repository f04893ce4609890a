"""Instructions per template that a search takes on ARM.

The same index is searched 20 and 40 times; the difference, by templates, is what a search takes: quantizing the probe,
the scan, and comparing again what it leaves.
"""

import array
import random
import sys

import arm

TEMPLATES = 16_384
DIMENSION = 128
PROBES = 20
# Processor, what our program must say it uses, most instructions per template.
PROCESSORS = (("cortex-a76", "NEON dot product", 20), ("cortex-a72", "NEON", 37))


def build(toolchain):
    arm.run([toolchain.cargo, "build", "--locked", "--release", "-p", "usher-shared", "--no-default-features",
             *toolchain.target_arguments, "--example", "bench_search"], "cross-building", env=toolchain.environment())
    return toolchain.target_folder / "release" / "examples" / "bench_search"


def kernel_tests(toolchain):
    """The search's own tests, once on every processor."""
    for processor, _, _ in PROCESSORS:
        arm.run([toolchain.cargo, "test", "--locked", "-p", "usher-shared", "--no-default-features", "--lib",
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


def measure(table, folder):
    """Adds a row for every processor."""
    toolchain, counter = arm.toolchain(), arm.Counter(folder)
    command = [build(toolchain), *files(folder), str(DIMENSION), "full"]
    for processor, expected, most in PROCESSORS:
        once, used = counter.count(processor, command, "single\n")
        twice, _ = counter.count(processor, command, "single\n" * 2)
        if used != expected:
            raise arm.ArmError(f"expected {expected} on {processor}, found {used}")
        each = (twice - once) / (PROBES * TEMPLATES)
        table.add(f"instructions per template, {processor} ({used})", f"{each:.1f}", "-", "-", f"<= {most}", each <= most)
    kernel_tests(toolchain)

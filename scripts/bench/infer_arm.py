"""Instructions per multiply-add that a network takes on ARM.

The network is run once and twice more after it was loaded; the difference is what a run takes. A product of four numbers
each is one instruction, so a quarter is what a network of products alone could come down to; sums by Winograd's way take
less, for they multiply less than is counted.
"""

import math
import random
import struct

import arm

PROCESSOR = "cortex-a76"


def build(toolchain):
    """The program that runs networks, by NEON."""
    # The same packages and features as scripts/cross, so that what they depend on is built once.
    arm.run([toolchain.cargo, "build", "--locked", "--profile", arm.PROFILE, "-p", "usher-shared", "-p", "usher",
             "--no-default-features", *toolchain.target_arguments, "--example", "bench_infer"],
            "cross-building", env=toolchain.environment())  # fmt: skip
    return toolchain.target_folder / arm.PROFILE / "examples" / "bench_infer"


def count(counter, program, network, folder):
    """Instructions of a run, and the instruction set."""
    generator = random.Random(5)
    numbers = [generator.uniform(-1, 1) for _ in range(math.prod(network.extents))]
    (folder / "input").write_bytes(struct.pack(f"<{len(numbers)}f", *numbers))
    command = [program, network.file, ",".join(map(str, network.extents)), folder / "input", folder / "outputs", 1]
    once, said = counter.count(PROCESSOR, command, "1\n")
    thrice, _ = counter.count(PROCESSOR, command, "3\n")
    return (thrice - once) / 2, said.rsplit(" ", 3)[0]


def add_row(table, network, instructions, used):
    """What a run takes, for each multiply-add that the manifest counts."""
    each = instructions / network.multiply_adds
    table.add(f"{network.name}: instructions per multiply-add, {PROCESSOR} ({used})", f"{each:.3f}")

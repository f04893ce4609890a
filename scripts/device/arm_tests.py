"""Tests of the ARM64 build under qemu-user, chosen so that they take minutes: emulation is slow.

    kernels        the networks' NEON code against its portable twin; the gallery's search on a processor with and on one
                   without dot products
    recipe         the preprocessing's pinned bits, alignment, manifests
    galleries      the golden files of released versions
    camera         pixels decoded and turned, by NEON too
    agreement      what shared/examples/agreement.rs computes, here and on x86-64: pixels, crops and galleries byte by
                   byte, landmarks and embeddings within what is said below
"""

import subprocess
import sys
import time
from pathlib import Path

from toolchain import AARCH64, PROFILE, ROOT, Toolchain, ToolchainError, need_tools, run

# The same set of packages and features as the program's, so that what it depends on is built once.
PACKAGES = ["-p", "usher-kernel", "-p", "usher-shared", "-p", "usher", "--no-default-features"]
# As scripts/test builds them.
HERE = ["-p", "usher-shared", "-p", "usher"]
# The oldest and the newest that kiosks have; the networks' kernels are the same on both.
PROCESSORS = ("cortex-a72", "cortex-a76")
# Test program, filter of its tests, processors.
TESTS = (
    ("kernel", "tests", PROCESSORS[:1]),
    ("shared", "gallery::search", PROCESSORS),
    ("shared", "preprocessing", PROCESSORS[:1]),
    ("shared", "align", PROCESSORS[:1]),
    ("shared", "manifest", PROCESSORS[:1]),
    ("shared", "embedding", PROCESSORS[:1]),
    ("gallery_torture", "golden", PROCESSORS[:1]),
    ("edge_runtime", "camera::decode", PROCESSORS[:1]),
    ("edge_runtime", "camera::orientation", PROCESSORS[:1]),
)
# Numbers of a unit vector: kernels sum in another order.
MOST_APART = 1e-5
# Pixels: a landmark is a sum of large numbers, and a hundredth of a pixel moves no crop.
MOST_PIXELS_APART = 0.01
# A landmark that differs in its last bits may round a byte of the crop to its neighbor.
MOST_WHOLE_APART = 1e-3
EXACT = ("decoded", "crop", "recipe", "gallery")
WITHIN = {"embedding": MOST_APART, "landmarks": MOST_PIXELS_APART, "whole": MOST_WHOLE_APART}


def cargo(command, environment, what):
    """Runs cargo; returns what it says. Raises ToolchainError naming what was built when it fails."""
    done = subprocess.run(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise ToolchainError(f"building {what} failed; the compiler says why above")
    return done.stderr


def for_arm(toolchain, command, *arguments):
    """Runs cargo for ARM64, as the program is built."""
    full = [toolchain.cargo, command, "--locked", "--profile", PROFILE, *PACKAGES, *toolchain.target_arguments, *arguments]
    return cargo(full, toolchain.environment(), "for ARM64")


def test_programs(toolchain):
    """Builds them; name -> path."""
    told = for_arm(toolchain, "test", "--no-run", "--lib", "--test", "gallery_torture")
    found = {}
    for line in told.splitlines():
        if "Executable" in line:
            path = Path(line.rpartition("(")[2].rstrip(")"))
            found[path.name.rpartition("-")[0]] = path if path.is_absolute() else ROOT / path
    return found


def run_tests(programs):
    """Runs TESTS; returns whether all passed."""
    good = True
    for name, tests, processors in TESTS:
        for processor in processors:
            began = time.monotonic()
            command = AARCH64.emulator("-cpu", processor) + [programs[name], tests]
            folder = ROOT / "shared"
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            summary = next((line for line in done.stdout.splitlines() if line.startswith("test result")), "no test ran")
            passed = done.returncode == 0 and " 0 passed" not in summary
            counted = summary.removeprefix("test result: ").partition(";")[0]
            seconds = time.monotonic() - began
            print(f"{'ok    ' if passed else 'FAILED'} {name} {tests} on {processor}: {counted}, {seconds:.0f} s", flush=True)
            if not passed:
                print(done.stdout + done.stderr, file=sys.stderr)
            good &= passed
    return good


def computed(program, emulator, pictures):
    """What agreement.rs prints: (kind, name) -> text."""
    arguments = [ROOT / "models/usher-small.toml", ROOT / "models/yunet.onnx",
                 ROOT / "shared/tests/data/gallery-2.0-plain.gallery", *pictures]
    lines = run([*emulator, program, *arguments]).splitlines()
    parts = (line.split(" ", 2) for line in lines)
    return {(kind, name): text for kind, name, text in parts}


def apart(ours, theirs):
    """The largest difference of two rows of numbers; infinite where one is no such row or has another length."""
    try:
        pairs = list(zip(*([float(number) for number in text.split(",")] for text in (ours, theirs)), strict=True))
    except ValueError:
        return float("inf")
    return max(abs(a - b) for a, b in pairs)


def compare(here, there):
    """Rows (good, what) of what two processors computed."""
    rows = []
    names = sorted(key for key in here if key[0] != "instructions")
    if names != sorted(key for key in there if key[0] != "instructions"):
        return [(False, f"expected the same lines, found {len(here)} and {len(there)}")]
    for kind in EXACT:
        mine = [key for key in names if key[0] == kind]
        differing = [name for kind, name in mine if here[kind, name] != there[kind, name]]
        told = f"differ: {', '.join(differing)}" if differing else "equal, byte by byte"
        rows.append((bool(mine) and not differing, f"{kind} ({len(mine)}): {told}"))
    rows.append((here.get(("recipe", "golden")) == "ok", f"recipe: {here.get(('recipe', 'golden'))}"))
    for kind, most in WITHIN.items():
        mine = [key for key in names if key[0] == kind]
        largest = max((apart(here[key], there[key]) for key in mine), default=float("inf"))
        rows.append((largest <= most, f"{kind} ({len(mine)}): {largest:.1e} apart at most, {most:.0e} allowed"))
    return rows


def demo_pictures():
    """The pictures that scripts/setup brings."""
    found = sorted((ROOT / ".demo/pictures").glob("*/*"))
    if not found or not (ROOT / "models/yunet.onnx").exists():
        raise ToolchainError("expected detector and demo pictures, found none; scripts/setup demo")
    return found


def agreement(arm):
    """Compares what both compute; returns whether they agree."""
    pictures = demo_pictures()
    example = ["--example", "agreement"]
    for_arm(arm, "build", *example)
    # What `cargo test` here builds: nobody waits for the networks' crates once more.
    cargo(["cargo", "build", "--locked", *HERE, *example], None, "for x86-64")
    told = []
    for name, folder, emulator in (
        ("aarch64", arm.target_folder / PROFILE, AARCH64.emulator()),
        ("x86_64", arm.target_folder.parent / "debug", []),
    ):
        began = time.monotonic()
        told.append(computed(folder / "examples/agreement", emulator, pictures))
        instructions = told[-1]["instructions", "networks"]
        print(f"       {name}: {instructions}, {time.monotonic() - began:.0f} s", flush=True)
    good = told[0]["instructions", "networks"] == "NEON"
    if not good:
        print("FAILED expected NEON on ARM64")
    for fine, what in compare(*told):
        print(f"{'ok    ' if fine else 'FAILED'} {what}")
        good &= fine
    return good


def run_all():
    """All tests; returns whether they passed."""
    need_tools("qemu-aarch64", "aarch64-linux-gnu-gcc")
    arm = Toolchain.fetch(AARCH64)
    good = run_tests(test_programs(arm))
    return agreement(arm) and good

"""What scripts/cross makes of what it built and of what two processors computed; nothing is downloaded or built."""

import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "device")]
import arm_tests  # noqa: E402
import elf  # noqa: E402
import toolchain  # noqa: E402

loader = importlib.machinery.SourceFileLoader("cross", str(SCRIPTS / "cross"))
cross = importlib.util.module_from_spec(importlib.util.spec_from_loader("cross", loader))
loader.exec_module(cross)


class GlibcTest(unittest.TestCase):
    def test_the_newest_version_is_found_by_number(self):
        for symbols, expected in (
            ("Name: GLIBC_2.4  Flags: none\nName: GLIBC_2.17", (2, 17)),
            ("GLIBC_2.9 GLIBC_2.31 GLIBC_2.4", (2, 31)),
            ("Name: GLIBC_2.3.4 Name: GLIBC_2.3", (2, 3, 4)),
            ("Name: GLIBCXX_3.4.30  Name: GCC_3.0", ()),
            ("Name: GLIBC_PRIVATE", ()),
        ):
            with self.subTest(symbols):
                self.assertEqual(elf.newest_glibc(symbols), expected)

    def test_a_program_is_read(self):
        program = elf.read(sys.executable)
        self.assertIn(program.machine, ("x86_64", "aarch64"))


class FaultsTest(unittest.TestCase):
    def faults(self, static=False, **changes):
        about = {"machine": "aarch64", "libraries": ("libc.so.6",), "glibc": (2, 31), **changes}
        return cross.faults(elf.Program(**about), toolchain.AARCH64, static)

    def test_what_is_as_it_should_be(self):
        self.assertEqual(self.faults(), [])
        self.assertEqual(self.faults(glibc=(2, 4)), [])
        self.assertEqual(self.faults(static=True, libraries=(), glibc=()), [])

    def test_each_fault_is_found(self):
        for changes in ({"glibc": (2, 32)}, {"glibc": (3, 0)}, {"machine": "x86_64"}, {"static": True}):
            with self.subTest(changes):
                self.assertEqual(len(self.faults(**changes)), 1)


class AgreementTest(unittest.TestCase):
    HERE = {
        ("instructions", "networks"): "NEON", ("recipe", "golden"): "ok", ("decoded", "a.jpg"): "12", ("crop", "a.jpg"): "34",
        ("embedding", "a.jpg"): "0.6,0.8", ("landmarks", "a.jpg"): "10,20", ("whole", "a.jpg"): "0.8,0.6",
        ("gallery", "bytes"): "56",
    }  # fmt: skip

    def failed(self, **changes):
        there = {**self.HERE, ("instructions", "networks"): "AVX2"}
        for kind, text in changes.items():
            key = next(key for key in there if key[0] == kind)
            there[key] = text
        return [what for good, what in arm_tests.compare(self.HERE, there) if not good]

    def test_small_differences_are_allowed(self):
        self.assertEqual(self.failed(embedding="0.600009,0.8", landmarks="10.009,20", whole="0.8005,0.6"), [])

    def test_each_larger_one_is_found(self):
        for changes in ({"decoded": "13"}, {"crop": "35"}, {"gallery": "57"}, {"recipe": "differs"}, {"embedding": "0.60002,0.8"},
                        {"landmarks": "10.02,20"}, {"whole": "0.802,0.6"}, {"embedding": "0.6"}, {"landmarks": "none"},
                        {"embedding": "nan,0.8"}):
            with self.subTest(changes):
                self.assertEqual(len(self.failed(**changes)), 1)

    def test_nothing_computed_is_no_agreement(self):
        self.assertTrue([what for good, what in arm_tests.compare({}, {}) if not good])
        self.assertEqual(len(arm_tests.compare(self.HERE, {})), 1)


class ToolchainTest(unittest.TestCase):
    def test_the_linker_is_the_same_file_for_the_same_text(self):
        with tempfile.TemporaryDirectory() as folder:
            made = toolchain.Toolchain(toolchain.AARCH64, Path(folder), Path(folder) / "zig", None)
            before = made.cc.stat().st_mtime_ns
            again = toolchain.Toolchain(toolchain.AARCH64, Path(folder), Path(folder) / "zig", None)
            self.assertEqual(before, again.cc.stat().st_mtime_ns)
            self.assertEqual(made.environment(), again.environment())
            self.assertTrue(made.cc.stat().st_mode & 0o100)

    def test_options_that_zig_does_not_know_are_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            zig = folder / "zig" / "zig"
            zig.parent.mkdir()
            zig.write_text(f'#!/bin/sh\necho "$@" >>{folder}/calls\n[ "$1" = cc ] && echo "ld.lld -o out a.o" >&2\nexit 0\n')
            zig.chmod(0o755)
            made = toolchain.Toolchain(toolchain.AARCH64, folder, zig.parent, None)
            for arguments, expected in (
                (["--target=aarch64", "-c", "a.c"], ["cc -target aarch64-linux-gnu.2.31 -c a.c"]),
                (["-Wl,--fix-cortex-a53-843419", "-fuse-ld=lld", "a.o", "-o", "out"],
                 ["cc -target aarch64-linux-gnu.2.31 a.o -o out", "ld.lld --fix-cortex-a53-843419 --icf=all -o out a.o"]),
            ):
                with self.subTest(arguments):
                    (folder / "calls").unlink(missing_ok=True)
                    toolchain.run([made.cc, *arguments])
                    self.assertEqual((folder / "calls").read_text().splitlines(), expected)

    def test_the_own_rust_is_taken_where_it_has_the_target(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.multiple(
            toolchain, need_tools=mock.DEFAULT, zig=mock.Mock(return_value=Path(folder)), has_std=mock.Mock(return_value=True),
            debian_rust=mock.Mock(return_value=Path("/debian")),
        ):
            self.assertEqual(toolchain.Toolchain.fetch(toolchain.AARCH64, Path(folder)).cargo, "cargo")
            with mock.patch.dict("os.environ", USHER_RUST="debian"):
                self.assertEqual(toolchain.Toolchain.fetch(toolchain.AARCH64, Path(folder)).cargo, "/debian/usr/bin/cargo")


if __name__ == "__main__":
    unittest.main()

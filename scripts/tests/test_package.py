"""What scripts/package puts into the packages; nothing is downloaded or built but by dpkg-deb."""

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parent.parent
ROOT = SCRIPTS.parent
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "device")]
import deb  # noqa: E402
import elf  # noqa: E402
import notices  # noqa: E402
import trial  # noqa: E402
from toolchain import X86_64, Toolchain, ToolchainError  # noqa: E402

loader = importlib.machinery.SourceFileLoader("package", str(SCRIPTS / "package"))
package = importlib.util.module_from_spec(importlib.util.spec_from_loader("package", loader))
loader.exec_module(package)


def program(libraries=("libc.so.6", "libm.so.6"), glibc=(2, 30)):
    return elf.Program("aarch64", libraries, glibc)


class DependsTest(unittest.TestCase):
    def test_what_is_needed_is_named(self):
        self.assertEqual(deb.depends(program()), "libc6 (>= 2.30), passwd")
        with_gcc = program(("libc.so.6", "libgcc_s.so.1", "ld-linux-aarch64.so.1"))
        self.assertEqual(deb.depends(with_gcc), "libc6 (>= 2.30), libgcc-s1, passwd")

    def test_what_is_not_known_is_refused(self):
        for other in (program(("libssl.so.3",)), program(glibc=(2, 34))):
            with self.subTest(other), self.assertRaises(ToolchainError):
                deb.depends(other)


class SettingsTest(unittest.TestCase):
    SHIPPED = (ROOT / "edge-runtime/deploy/kiosk.toml").read_text()

    def test_what_an_installed_kiosk_changes(self):
        changed = deb.settings(self.SHIPPED).splitlines()
        different = [(a, b) for a, b in zip(self.SHIPPED.splitlines(), changed, strict=True) if a != b]
        self.assertEqual(different, [('path = ""', 'path = "/var/log/usher/events.jsonl"')])

    def test_a_line_that_is_gone_is_told(self):
        with self.assertRaises(ToolchainError):
            deb.settings(self.SHIPPED.replace("[events]", "[event]"))

    def test_the_trial_edits_them(self):
        edited = trial.edited(deb.settings(self.SHIPPED))
        self.assertIn('camera = "replay:/var/lib/usher/visit"', edited)
        with self.assertRaises(ToolchainError):
            trial.edited("")


class UnitTest(unittest.TestCase):
    UNIT = trial.Service((ROOT / "packaging/usher.service").read_text())

    def test_it_is_as_agreed(self):
        for key, value in (
            ("Type", "notify"), ("User", "usher"), ("StateDirectory", "usher"), ("StateDirectoryMode", "0700"),
            ("RuntimeDirectory", "usher"), ("LogsDirectory", "usher"), ("ProtectSystem", "strict"), ("PrivateNetwork", "yes"),
            ("MemoryDenyWriteExecute", "yes"), ("DevicePolicy", "closed"), ("Conflicts", "getty@tty1.service"),
        ):  # fmt: skip
            with self.subTest(key):
                self.assertEqual(self.UNIT.one(key), value)
        devices = {line.split()[0] for line in self.UNIT.settings["DeviceAllow"]}
        self.assertEqual(devices, {f"char-{kind}" for kind in ("video4linux", "drm", "fb", "input", "gpiochip")})

    def test_every_path_of_it_is_in_the_package(self):
        self.assertEqual(self.UNIT.one("ExecStart"), "/usr/bin/usher run --config /etc/usher/kiosk.toml")
        pieces = list((ROOT / "packaging/drop-ins").iterdir())
        named = re.findall(r"/usr/share/usher/drop-ins/([\w-]+\.conf)", " ".join(path.read_text() for path in pieces))
        self.assertEqual(set(named), {path.name for path in pieces})

    def test_exposure_is_read(self):
        self.assertEqual(package.exposure("x\n→ Overall exposure level for usher.service: 0.5 SAFE 😀\n"), 0.5)
        with self.assertRaises(ToolchainError):
            package.exposure("Unknown option")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
    def test_exposure_is_low(self):
        with mock.patch("builtins.print"):
            self.assertTrue(package.judge_unit())


class NoticesTest(unittest.TestCase):
    def test_each_text_stands_once(self):
        with tempfile.TemporaryDirectory() as folder:
            packages = []
            for name, text in (("one", "Be nice."), ("two", "Be nice.\r\n"), ("three", "Do as you like.")):
                place = Path(folder) / name
                place.mkdir()
                (place / "LICENSE-MIT").write_text(text)
                about = {"license": "MIT", "repository": None, "manifest_path": str(place / "Cargo.toml")}
                packages.append({"name": name, "version": "1.0.0", **about})
            linked = [(name, "1.0.0") for name in ("one", "two", "three")]
            text = notices.notices(linked, packages)
            self.assertEqual((text.count("Be nice."), text.count("Do as you like.")), (1, 1))
            self.assertIn("Brought by one 1.0.0, two 1.0.0:", text)
            packages[0]["license"] = None
            with self.assertRaises(ToolchainError):
                notices.notices(linked, packages)


@unittest.skipUnless(shutil.which("dpkg-deb"), "no dpkg-deb")
class PackageTest(unittest.TestCase):
    def build(self, folder, version="1.2.3"):
        stand_in = Path(folder) / "usher"
        shutil.copy("/bin/true", stand_in)
        toolchain = Toolchain(X86_64, Path(folder), Path(folder), None)
        with mock.patch.dict("os.environ", SOURCE_DATE_EPOCH="1700000000"), tempfile.TemporaryDirectory() as scratch, \
                mock.patch.object(deb.elf, "read", return_value=program()), \
                mock.patch.object(notices, "of_program", return_value="notices\n"), \
                mock.patch.object(deb.Tree, "copy", self.copy):
            return deb.build(stand_in, toolchain, version, Path(folder), Path(scratch))

    @staticmethod
    def copy(tree, source, place, mode=0o644):
        # The detector is not there before scripts/setup.
        tree.write(place, source.read_bytes() if source.is_file() else b"", mode)

    def test_what_it_holds(self):
        with tempfile.TemporaryDirectory() as folder:
            made = self.build(folder)
            self.assertEqual(made.name, "usher_1.2.3_amd64.deb")
            listed = subprocess.run(["dpkg-deb", "--contents", made], capture_output=True, text=True, check=True).stdout
            for line in listed.splitlines():
                self.assertIn(" root/root ", line)
                self.assertRegex(line, r"^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x) ")
            for place in ("usr/bin/usher", "usr/lib/systemd/system/usher.service", "usr/lib/sysusers.d/usher.conf", "etc/usher/trusted/",
                          "usr/lib/tmpfiles.d/usher.conf", "usr/lib/udev/rules.d/60-usher.rules", "etc/usher/kiosk.toml",
                          "usr/share/usher/models/yunet.onnx", "usr/share/doc/usher/copyright", "usr/share/doc/usher/crates.txt.gz"):
                self.assertIn(f" ./{place}\n", listed + "\n")
            show = ["dpkg-deb", "--field", made, "Architecture", "Depends"]
            fields = subprocess.run(show, capture_output=True, text=True, check=True).stdout
            self.assertEqual(fields, "Architecture: amd64\nDepends: libc6 (>= 2.30), passwd\n")

    def test_the_same_twice(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            mask = os.umask(0o077)
            first = self.build(one).read_bytes()
            os.umask(0o022)
            self.assertEqual(first, self.build(two).read_bytes())
            os.umask(mask)

    def test_no_version_of_debian(self):
        for version in ("", "v1", "1.0-2", "1 0", "../1"):
            with self.subTest(version), tempfile.TemporaryDirectory() as folder, self.assertRaises(ToolchainError):
                self.build(folder, version)

    def test_the_copyright_names_the_weights_terms(self):
        text = deb.copyright_text()
        self.assertIn("Non-commercial research", text)
        self.assertNotIn("@", text.replace("shiqi.yu@gmail.com", ""))


class MaintainerScriptsTest(unittest.TestCase):
    def test_their_syntax(self):
        for name in ("postinst", "prerm", "postrm"):
            subprocess.run(["sh", "-n", ROOT / "packaging/debian" / name], check=True)


if __name__ == "__main__":
    unittest.main()

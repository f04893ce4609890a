"""What the disk image and the virtual machine's screens are made of; no machine is started, nothing is downloaded."""

import io
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS / "vm"))

from disk import FIRST, environment  # noqa: E402
from machine import MachineError  # noqa: E402
from picture import Picture  # noqa: E402
from rootfs import Rootfs  # noqa: E402


def system():
    """A tiny system as a tar: merged folders, users, a hard link and a unit."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, target in [("./lib", "usr/lib"), ("./bin", "usr/bin")]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        for name, text in {
            "./usr/bin/one": "program",
            "./lib/systemd/system/kiosk.service": "[Service]\n[Install]\nWantedBy=multi-user.target\nAlias=k.service\n",
            "./etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
            "./etc/group": "root:x:0:\nvideo:x:44:\n",
            "./etc/shadow": "root:*:1::::::\n",
            "./usr/share/man/one": "left out",
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        info = tarfile.TarInfo("./usr/bin/two")
        info.type, info.linkname = tarfile.LNKTYPE, "./usr/bin/one"
        tar.addfile(info)
    made.seek(0)
    return made


class RootfsTest(unittest.TestCase):
    def setUp(self):
        self.root = Rootfs()
        self.root.add_tar(system(), ["usr/share/man/*"])

    def test_entries_lie_where_links_lead(self):
        self.assertEqual(self.root.read("lib/systemd/system/kiosk.service")[:9], b"[Service]")
        self.assertIn("usr/lib/systemd/system/kiosk.service", self.root.entries)
        self.assertNotIn("usr/share/man/one", self.root.entries)

    def test_a_user_gets_an_id_a_locked_password_and_groups(self):
        self.root.sysusers('g gpio -\nu usher - "Usher kiosk" /var/lib/usher\nm usher video\nm usher gpio\n')
        self.assertIn(b"usher:x:961:961:Usher kiosk:/var/lib/usher:/usr/sbin/nologin", self.root.read("etc/passwd"))
        self.assertIn(b"usher:!*:", self.root.read("etc/shadow"))
        self.assertIn(b"video:x:44:usher\n", self.root.read("etc/group"))
        self.assertIn(b"gpio:x:960:usher\n", self.root.read("etc/group"))

    def test_units_are_enabled_as_they_ask(self):
        self.root.enable("kiosk.service")
        self.assertIn("etc/systemd/system/multi-user.target.wants/kiosk.service", self.root.entries)
        self.assertIn("etc/systemd/system/k.service", self.root.entries)
        self.root.text("usr/lib/systemd/system/plain.service", "[Service]\n")
        with self.assertRaises(MachineError):
            self.root.enable("plain.service")

    def test_the_tar_that_is_written_holds_all(self):
        self.root.text("etc/added", "text", 0o600)
        written = io.BytesIO()
        self.root.tar(written)
        written.seek(0)
        with tarfile.open(fileobj=written) as tar:
            found = {info.name: info for info in tar}
            self.assertEqual(tar.extractfile("etc/added").read(), b"text")
            self.assertEqual(tar.extractfile("usr/bin/one").read(), b"program")
        self.assertEqual(found["etc/added"].mode, 0o600)
        self.assertTrue(found["usr/bin/two"].islnk())
        self.assertTrue(found["lib"].issym())


class EnvironmentTest(unittest.TestCase):
    def test_it_is_what_grub_reads(self):
        block = environment(FIRST)
        self.assertEqual(len(block), 1024)
        self.assertTrue(block.startswith(b"# GRUB Environment Block\nORDER=A B\nA_OK=1\n"))
        self.assertTrue(block.endswith(b"###"))

    def test_too_much_is_refused(self):
        with self.assertRaises(MachineError):
            environment({"EXTRA": "x" * 1024})


def card(shade=200, left=40):
    """A picture with a bright box on dark."""
    rows = []
    for y in range(160):
        row = bytearray(bytes((10, 12, 20)) * 320)
        if 40 <= y < 120:
            row[3 * left : 3 * (left + 120)] = bytes((shade, shade, shade)) * 120
        rows.append(bytes(row))
    return Picture(320, 160, rows)


class PictureTest(unittest.TestCase):
    def setUp(self):
        import picture

        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.kept = picture.GOLDEN
        picture.GOLDEN = Path(self.folder.name)
        self.addCleanup(setattr, picture, "GOLDEN", self.kept)

    def test_png_and_back(self):
        again = Picture.from_png(card().png())
        self.assertEqual((again.width, again.height, again.rows), (320, 160, card().rows))

    def test_ppm(self):
        data = b"P6\n320 160\n255\n" + b"".join(card().rows)
        self.assertEqual(Picture.from_ppm(data).rows, card().rows)

    def test_alike_but_for_small_shades(self):
        self.assertIsNone(card().compare("card", update=True))
        self.assertIsNone(card(shade=190).compare("card"))

    def test_another_place_or_color_is_noticed(self):
        card().compare("card", update=True)
        self.assertIsNotNone(card(left=60).compare("card"))
        self.assertIsNotNone(card(shade=120).compare("card"))

    def test_what_is_masked_may_differ(self):
        masks = [(0.0, 0.0, 1.0, 1.0)]
        card().compare("card", masks, update=True)
        self.assertIsNone(card(shade=0).compare("card", masks))

    def test_no_golden_is_no_agreement(self):
        self.assertIn("found none", card().compare("other"))

    def test_blank(self):
        self.assertTrue(Picture(32, 32, [bytes(96)] * 32).blank())
        self.assertFalse(card().blank())


if __name__ == "__main__":
    unittest.main()

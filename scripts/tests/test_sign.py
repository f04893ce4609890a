"""Tests of scripts/sign: what it packs and says, and what it refuses; the signatures are checked by minisign itself."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import unittest
from pathlib import Path

import script

ROOT = Path(__file__).resolve().parent.parent.parent
SIGN = ROOT / "scripts" / "sign"
HAS_MINISIGN = shutil.which("minisign") is not None


def sign(*arguments, **environment):
    return script.run(SIGN, *arguments, **environment)


class Place(script.Place):
    def setUp(self):
        super().setUp()
        self.key, self.public = self.folder / "usher.key", self.folder / "usher.pub"
        if HAS_MINISIGN:
            subprocess.run(["minisign", "-G", "-W", "-s", self.key, "-p", self.public], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def model(self, name="net"):
        network = b"network of " + name.encode()
        (self.folder / f"{name}.onnx").write_bytes(network)
        digest = hashlib.sha256(network).hexdigest()
        manifest = self.folder / f"{name}.toml"
        manifest.write_text(f'format = 1\nname = "{name}"\nnetwork = "x"\nonnx = "{name}.onnx"\nsha256 = "{digest}"\n'
                            '[preprocessing]\nname = "not this"\n')
        (self.folder / f"{name}.md").write_text("# A card\n")
        (self.folder / f"{name}.selftest.toml").write_text("format = 1\n")
        return manifest

    def signed(self, *arguments):
        return sign(*arguments, "--key", self.key, "--out", self.folder / "out")


class Usage(Place):
    def test_what_is_missing_is_named(self):
        manifest = self.model()
        for arguments, code, said in [
            ((), 2, "name a manifest"),
            ((manifest,), 2, "--key"),
            ((manifest, "--key", self.folder / "no.key", "--serial", "1"), 1, "--new-key"),
            (("--frob",), 2, "--frob"),
            (("--help",), 0, "--serial 7"),
        ]:
            if not HAS_MINISIGN and code == 1:
                continue
            found, output = sign(*arguments)
            self.assertEqual(found, code, output)
            self.assertIn(said, output)


@unittest.skipUnless(HAS_MINISIGN, "no minisign: apt-get install minisign")
class Sign(Place):
    def test_a_model_is_packed_whole_and_signed(self):
        code, said = self.signed(self.model(), "--serial", "7", "--board", "orin")
        self.assertEqual(code, 0, said)
        packed = self.folder / "out" / "net-7.model"
        with tarfile.open(packed) as tar:
            self.assertEqual(sorted(tar.getnames()), ["model.selftest.toml", "model.toml", "net.md", "net.onnx"])
            for entry in tar:
                self.assertEqual((entry.type, entry.uid, entry.mtime), (tarfile.REGTYPE, 0, 0))
        verified = subprocess.run(["minisign", "-V", "-H", "-p", self.public, "-m", packed], stdout=subprocess.PIPE, text=True)
        self.assertEqual(verified.returncode, 0, "prehashed, as kiosks ask")
        self.assertIn("usher model net serial=7 board=orin", verified.stdout)
        self.assertIn("--model", said)

    def test_the_same_files_give_the_same_archive(self):
        manifest, packed = self.model(), []
        for serial in "12":
            self.signed(manifest, "--serial", serial)
            os.utime(manifest)
            packed.append((self.folder / "out" / f"net-{serial}.model").read_bytes())
        self.assertEqual(*packed)

    def test_a_serial_is_not_written_over(self):
        manifest = self.model()
        self.assertEqual(self.signed(manifest, "--serial", "1")[0], 0)
        code, said = self.signed(manifest, "--serial", "1")
        self.assertEqual(code, 1)
        self.assertIn("higher serial", said)

    def test_what_cannot_be_a_model_is_refused(self):
        manifest = self.model()
        for serial in ("0", "01", "-1", "1.5", "x", ""):
            self.assertEqual(self.signed(manifest, "--serial", serial)[0], 2, serial)
        for board in ("", "a b", "../x", "-x"):
            self.assertEqual(self.signed(manifest, "--serial", "1", "--board", board)[0], 2, board)
        (self.folder / "net.onnx").write_bytes(b"another")
        code, said = self.signed(manifest, "--serial", "1")
        self.assertEqual(code, 1)
        self.assertIn("not the network of this manifest", said)
        (self.folder / "net.onnx").unlink()
        self.assertIn("no network", self.signed(manifest, "--serial", "1")[1])
        manifest.write_text("format = 1\n")
        self.assertIn("not a manifest", self.signed(manifest, "--serial", "1")[1])
        self.assertEqual(list((self.folder / "out").glob("*")) if (self.folder / "out").exists() else [], [])

    def test_a_gallery_is_signed_as_it_is(self):
        gallery = self.folder / "monday.gallery"
        gallery.write_bytes(b"no gallery")
        self.assertIn("not a gallery", self.signed(gallery, "--serial", "3")[1])
        gallery.write_bytes(b"USHERGAL and the rest")
        code, said = self.signed(gallery, "--name", "lobby", "--serial", "3")
        self.assertEqual(code, 0, said)
        signed = self.folder / "out" / "lobby-3.gallery"
        self.assertEqual(signed.read_bytes(), gallery.read_bytes())
        self.assertEqual(signed.stat().st_mode & 0o777, 0o600)
        self.assertIn("usher gallery lobby serial=3 board=any", (signed.parent / (signed.name + ".minisig")).read_text())


if __name__ == "__main__":
    unittest.main()

"""Tests of scripts/fetch.py: tiny wheels in a folder stand in for the package index, no network."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))
import fetch  # noqa: E402

WHEEL = "usher_probe-1.0-py3-none-any.whl"
CONTENT = b"weights" * 1000


def digest(content):
    return hashlib.sha256(content).hexdigest()


def wheel_bytes():
    """A wheel that pip accepts, with one file of interest in it; the same bytes every time."""
    about = "usher_probe-1.0.dist-info/"
    files = {
        "probe/model.onnx": CONTENT,
        "probe/private.jpg": b"not ours",
        about + "METADATA": b"Metadata-Version: 2.1\nName: usher-probe\nVersion: 1.0\n",
        about + "WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        about + "RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


class WithIndex(unittest.TestCase):
    """A fresh cache and a folder that pip takes for its index."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.cache, self.index = self.folder / "cache", self.folder / "index"
        self.index.mkdir()
        self.archive = wheel_bytes()
        (self.index / WHEEL).write_bytes(self.archive)
        tree = f"{digest(CONTENT)}  model.onnx\n"
        self.artifact = {
            "name": "probe", "what": "a probe", "place": "probe-1", "digest": digest(tree.encode()),
            "from": [{
                "package": "usher-probe", "version": "1.0", "file": WHEEL, "megabytes": 1,
                "sha256": digest(self.archive),
                "take": [{"from": "probe/model.onnx", "to": "model.onnx", "sha256": digest(CONTENT)}],
            }],
        }

    @property
    def source(self):
        return self.artifact["from"][0]

    def run_fetch(self, *arguments):
        lock = self.folder / "downloads.json"
        lock.write_text(json.dumps({"artifacts": [self.artifact]}))
        environment = dict(os.environ, USHER_CACHE=str(self.cache), PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.index),
                           PIP_CONFIG_FILE=os.devnull)
        command = [sys.executable, str(SCRIPTS / "fetch.py"), "--lock", str(lock), "--no-place", "probe", *arguments]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def in_cache(self):
        return sorted(p.name for p in self.cache.iterdir() if p.name != ".lock")

    def assert_refused(self, *words):
        """The run fails, says all of the words and the remedy, and leaves nothing in the cache."""
        code, said = self.run_fetch()
        self.assertEqual(code, 1, said)
        for word in (*words, "expected", "found", "remedy"):
            self.assertIn(word, said)
        self.assertNotIn("Traceback", said)
        self.assertEqual(self.in_cache(), [])


class Fetch(WithIndex):
    def test_takes_the_named_file_and_nothing_else(self):
        code, said = self.run_fetch()
        self.assertEqual(code, 0, said)
        self.assertEqual(self.in_cache(), ["probe-1"])
        place = self.cache / "probe-1"
        self.assertEqual((place / "model.onnx").read_bytes(), CONTENT)
        self.assertEqual(sorted(p.name for p in place.iterdir()), [fetch.STAMP, "model.onnx"])

    def test_second_run_downloads_nothing(self):
        self.assertEqual(self.run_fetch()[0], 0)
        (self.index / WHEEL).unlink()  # nothing to download from any more
        self.assertEqual(self.run_fetch(), (0, ""))

    def test_a_cut_off_network_is_named_with_the_remedy(self):
        (self.index / WHEEL).unlink()
        self.assert_refused(WHEEL, "could not be downloaded", "usher-probe==1.0")

    def test_an_archive_of_another_checksum_is_refused(self):
        self.source["sha256"] = digest(b"something else")
        self.assert_refused(WHEEL, self.source["sha256"], digest(self.archive))

    def test_a_truncated_archive_is_refused(self):
        cut = self.archive[: len(self.archive) // 2]
        (self.index / WHEEL).write_bytes(cut)
        self.assert_refused(WHEEL)
        self.source["sha256"] = digest(cut)  # even when it is the pinned one
        self.assert_refused(WHEEL)

    def test_a_taken_file_of_another_checksum_is_refused(self):
        self.source["take"][0]["sha256"] = digest(b"other weights")
        self.assert_refused("probe/model.onnx", digest(CONTENT), digest(b"other weights"))

    def test_a_file_that_the_archive_lacks_is_named(self):
        self.source["take"][0]["from"] = "probe/renamed.onnx"
        self.assert_refused(WHEEL, "probe/renamed.onnx")

    def test_a_path_that_leaves_the_folder_is_refused(self):
        self.source["take"][0]["to"] = "../outside"
        self.assert_refused(WHEEL)
        self.assertFalse((self.cache / "outside").exists())

    def test_another_whole_is_refused(self):
        self.artifact["digest"] = digest(b"")
        self.assert_refused("unpacked probe", digest(b""))

    def test_what_a_killed_run_left_is_cleared(self):
        left = self.cache / "partial-killed"
        left.mkdir(parents=True)
        (left / "half.whl").write_bytes(b"half")
        self.assertEqual(self.run_fetch()[0], 0)
        self.assertEqual(self.in_cache(), ["probe-1"])

    def test_a_folder_that_lost_a_file_is_made_again(self):
        self.run_fetch()
        (self.cache / "probe-1" / "model.onnx").unlink()
        self.assertEqual(self.run_fetch("--check")[0], 1)
        self.assertEqual(self.run_fetch()[0], 0)
        self.assertEqual((self.cache / "probe-1" / "model.onnx").read_bytes(), CONTENT)
        self.assertEqual(self.in_cache(), ["probe-1"])

    def test_check_sees_a_changed_byte(self):
        self.run_fetch()
        self.assertEqual(self.run_fetch("--check")[0], 0)
        (self.cache / "probe-1" / "model.onnx").write_bytes(CONTENT[:-1] + b"!")
        code, said = self.run_fetch("--check")
        self.assertEqual(code, 1)
        self.assertIn("MISSING", said)

    def test_a_right_folder_made_by_hand_is_adopted(self):
        place = self.cache / "probe-1"
        place.mkdir(parents=True)
        (place / "model.onnx").write_bytes(CONTENT)
        (self.index / WHEEL).unlink()
        self.assertEqual(self.run_fetch(), (0, ""))


class Unpack(WithIndex):
    def test_a_truncated_archive_is_a_fetch_error(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            member = tarfile.TarInfo("probe/model.onnx")
            content = os.urandom(4096)  # does not compress: half of the archive is half of the file
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, whole in ((WHEEL, self.archive), ("probe-1.0.tar.gz", buffer.getvalue())):
            with self.subTest(name):
                archive = self.folder / name
                archive.write_bytes(whole[: len(whole) // 2])
                with self.assertRaises(fetch.FetchError) as caught:
                    fetch.unpack(dict(self.source, file=name), archive, self.folder / "into")
                self.assertIn(name, str(caught.exception))


class LibtorchLink(WithIndex):
    def link(self, prepare):
        root = self.folder / "checkout"
        root.mkdir()
        prepare(root / ".libtorch")
        with mock.patch.object(fetch, "ROOT", root), mock.patch.object(fetch, "say"):
            fetch.link_libtorch(self.cache / "libtorch-2", self.cache)
        return root / ".libtorch"

    def test_is_made(self):
        self.assertEqual(os.readlink(self.link(lambda _: None)), str(self.cache / "libtorch-2"))

    def test_follows_a_newer_version(self):
        link = self.link(lambda path: path.symlink_to(self.cache / "libtorch-1"))
        self.assertEqual(os.readlink(link), str(self.cache / "libtorch-2"))

    def test_leaves_the_owners_link_and_folder_alone(self):
        self.assertEqual(os.readlink(self.link(lambda path: path.symlink_to("/opt/cuda-libtorch"))), "/opt/cuda-libtorch")
        link = self.folder / "checkout" / ".libtorch"
        link.unlink()
        link.mkdir()
        with mock.patch.object(fetch, "ROOT", link.parent), mock.patch.object(fetch, "say"):
            fetch.link_libtorch(self.cache / "libtorch-2", self.cache)
        self.assertTrue(link.is_dir() and not link.is_symlink())


class Tables(unittest.TestCase):
    downloads = json.loads((SCRIPTS / "downloads.json").read_text())["artifacts"]
    people = json.loads((SCRIPTS / "demo-pictures.json").read_text())["people"]

    def test_every_picture_has_a_row_and_every_row_a_picture(self):
        fetched = {t["to"] for a in self.downloads if a["name"] == "pictures" for s in a["from"] for t in s["take"]}
        described = {f"{who['identity']}/{picture['file']}" for who in self.people for picture in who["pictures"]}
        self.assertEqual(fetched, described)

    def test_every_probe_says_what_it_is(self):
        for who in self.people:
            for picture in who["pictures"]:
                with self.subTest(picture["file"]):
                    self.assertIn(picture["use"], ("enroll", "probe", "stranger", "enroll and probe"))
                    self.assertTrue(picture["rights"])
                    if picture["use"] == "enroll and probe":
                        self.assertIn("SAME picture", picture["caption"])
                    elif picture["use"] != "enroll":
                        self.assertTrue(picture["caption"])

    def test_everything_is_pinned(self):
        for artifact in self.downloads:
            self.assertRegex(artifact["digest"], "^[0-9a-f]{64}$")
            for source in artifact["from"]:
                self.assertRegex(source["sha256"], "^[0-9a-f]{64}$")
                self.assertIn(source["version"], source["file"])


if __name__ == "__main__":
    unittest.main()

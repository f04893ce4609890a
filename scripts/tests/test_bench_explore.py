"""What scripts/bench-explore makes of its measurements; nothing is downloaded, built or measured."""

import importlib.machinery
import importlib.util
import io
import re
import tarfile
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
loader = importlib.machinery.SourceFileLoader("bench_explore", str(SCRIPTS / "bench-explore"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_explore", loader))
loader.exec_module(bench)


def clustered(seconds, clusters=500):
    return {"seconds": seconds, "clusters": clusters, "lone": 0, "peak_bytes": 1e8, "version": "1.0"}


class GoalsTest(unittest.TestCase):
    def embedded(self, seconds, cosine):
        table = bench.Table()
        peer = {"seconds": 10.0, "cpu_seconds": 20.0, "versions": "onnxruntime 1"}
        alike = {"cosine": cosine, "ours": 1000, "peer": 999}
        bench.embed.rows(table, "LFW", "opencv-pool", (seconds, 40.0), peer, alike)
        return table

    def test_embedding_as_fast_as_the_peer(self):
        table = self.embedded(10.0, 0.99)
        self.assertEqual(table.missed(), [])
        self.assertRegex(table.text().splitlines()[1], r"100\.0 pictures/s +100\.0 pictures/s +1\.00 +>= 1\.00 +yes$")
        self.assertRegex(table.text().splitlines()[2], r"40\.0 ms +20\.0 ms +0\.50 +stated +-$")
        self.assertEqual(len(self.embedded(10.2, 0.99).missed()), 1)

    def test_other_work_is_no_comparison(self):
        self.assertEqual(self.embedded(5.0, 0.94).missed(), ["  mean cosine of ours and the peer's"])

    def test_clustering(self):
        for seconds, clusters, missed in [(30.0, 500, 0), (30.1, 500, 1), (3.0, 499, 1)]:
            table = bench.Table()
            bench.cluster.rows(table, seconds, clustered(seconds), {"scipy": clustered(6.0, clusters)})
            self.assertEqual(len(table.missed()), missed, (seconds, clusters))


class PicturesTest(unittest.TestCase):
    def test_the_first_pictures_of_a_tar(self):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            with tarfile.open(folder / "faces.tar", "w") as tar:
                for name in ("a/readme.txt", "a/1.jpg", "b/2.jpg", "c/3.jpg"):
                    about = tarfile.TarInfo(name)
                    about.size = 1
                    tar.addfile(about, io.BytesIO(b"x"))
            paths = bench.embed.unpack(folder / "faces.tar", folder / "out", 2)
            self.assertEqual([path.name for path in paths], ["1.jpg", "2.jpg"])
            self.assertEqual(sorted(path for path in (folder / "out").rglob("*") if path.is_file()), paths)


class LockTest(unittest.TestCase):
    def test_everything_is_pinned_by_hash(self):
        text = (SCRIPTS / "bench" / "explore.lock").read_text().replace("\\\n", "")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        for line in lines:
            self.assertRegex(line, r"^[a-z_-]+==[\d.]+ .*--hash=sha256:[0-9a-f]{64}")
        names = {re.match("[a-z_-]+", line)[0] for line in lines}
        self.assertLessEqual({"fastcluster", "onnxruntime", "opencv-python-headless", "opentsne", "scipy"}, names)


if __name__ == "__main__":
    unittest.main()

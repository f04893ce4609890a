"""What scripts/bench-infer makes of its measurements; nothing is downloaded, built or measured."""

import importlib.machinery
import importlib.util
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
loader = importlib.machinery.SourceFileLoader("bench_infer", str(SCRIPTS / "bench-infer"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_infer", loader))
loader.exec_module(bench)

SMALL = bench.exported(SCRIPTS.parent / "models" / "usher-small.toml")

NN1 = bench.Network("nn1", Path("nn1.onnx"), (1, 3, 220, 220), 1_537_786_624)


def measured(**changes):
    """A result that meets every goal, but for the changes."""
    return {"instructions": "NEON", "version": "1", "ours": 0.002, "peer": 0.004, "load": 0.03, "peer load": 0.02,
            "held": 20e6, "most": 30e6, "bytes": 25e6, "off": 1e-6, "alone": 0.002, "both": 0.0011, "peer both": 0.002, "same": True,
            **changes}


class RowsTest(unittest.TestCase):
    def missed(self, network=SMALL, **changes):
        table = bench.Table()
        bench.add_rows(table, network, measured(**changes))
        self.assertIn("onnxruntime 1", table.text())
        return table.missed()

    def test_goals_that_are_met(self):
        self.assertEqual(self.missed(), [])

    def test_every_goal_can_be_missed(self):
        for changes in ({"peer": 0.00198}, {"off": 2e-5}, {"load": 0.051}, {"same": False}):
            with self.subTest(changes):
                self.assertEqual(len(self.missed(**changes)), 1)

    def test_loading_is_judged_of_usher_small_alone(self):
        self.assertEqual(self.missed(NN1, load=1.0), [])

    def test_memory_is_judged_of_the_largest_and_threads_of_two(self):
        for changes in ({"bytes": 23e6}, {"both": 0.0013}):
            with self.subTest(changes):
                self.assertEqual((len(self.missed(NN1, **changes)), self.missed(SMALL, **changes)), (1, []))


class ArmTest(unittest.TestCase):
    def test_instructions_are_told_by_the_manifests_multiply_adds(self):
        table = bench.Table()
        bench.infer_arm.add_row(table, SMALL, SMALL.multiply_adds / 4, "NEON")
        self.assertEqual([(row["ours"], row["met"]) for row in table.rows], [("0.250", None)])


class NetworksTest(unittest.TestCase):
    def test_a_manifest_names_file_and_input(self):
        self.assertEqual(SMALL.extents, (1, 3, 112, 112))
        self.assertTrue(SMALL.file.is_file())

    def test_a_folder_brings_more_networks(self):
        if not (SCRIPTS.parent / "models" / "yunet.onnx").is_file():
            self.skipTest("no models/yunet.onnx; run scripts/setup")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / "mine.toml").write_text('name = "mine"\nonnx = "mine.onnx"\nmultiply_adds = 9\n[preprocessing]\nside_px = 96\n')
            found = bench.networks([], path)
            chosen = bench.networks(["nn1"], path)
        self.assertEqual(found[0].name, "usher-small")
        self.assertEqual((found[-1].file, found[-1].extents), (path / "mine.onnx", (1, 3, 96, 96)))
        self.assertEqual([network.name for network in chosen], ["mine"])


if __name__ == "__main__":
    unittest.main()

"""What scripts/bench-search makes of its measurements; nothing is downloaded, built or measured."""

import importlib.machinery
import importlib.util
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
loader = importlib.machinery.SourceFileLoader("bench_search", str(SCRIPTS / "bench-search"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_search", loader))
loader.exec_module(bench)


def measured(**changes):
    """A result that meets every goal, but for the changes."""
    medians = {"ours": 0.005, "faiss": 0.025, "numpy": 0.03, "usearch exact": 0.09, "read": 0.0048, "ours batch": 0.05,
               "sgemm": 0.2, "faiss batch": 1.7}
    whose = {"median": 0.005, "rescored": [10, 18, 22]}
    result = {"medians": medians, "versions": {"faiss": "1", "numpy": "2", "usearch": "3"}, "wrong": 0, "compact wrong": None,
              "other than faiss": 0, "probes": 100, "scan bytes": 136e6, "bytes each": 652.0, "compact bytes each": 140.0,
              "compact": 0.005, "fill": 0.8, "genuine": whose, "impostor": whose}
    medians.update(changes.pop("medians", {}))
    return {**result, **changes}


class RowsTest(unittest.TestCase):
    def missed(self, **changes):
        table = bench.Table()
        bench.add_rows(table, 1_000_000, measured(**changes))
        self.assertIn("1000000: a search, numpy 2", table.text())
        return table.missed()

    def test_goals_that_are_met(self):
        self.assertEqual(self.missed(), [])

    def test_every_goal_can_be_missed(self):
        for changes in ({"medians": {"faiss": 0.0199}}, {"medians": {"read": 0.0044}}, {"medians": {"sgemm": 0.047}}, {"wrong": 1},
                        {"other than faiss": 2}, {"compact wrong": 1}, {"bytes each": 721}, {"compact bytes each": 201}):
            with self.subTest(changes):
                self.assertEqual(len(self.missed(**changes)), 1)


if __name__ == "__main__":
    unittest.main()

"""What scripts/bench-train makes of its measurements; nothing is downloaded or built."""

import importlib.machinery
import importlib.util
import re
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
loader = importlib.machinery.SourceFileLoader("bench_train", str(SCRIPTS / "bench-train"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_train", loader))
loader.exec_module(bench)


class TableTest(unittest.TestCase):
    def test_goals(self):
        table = bench.Table()
        table.faster("slow", "images/s", 9.8, 10.0, 1.0)
        table.faster("fast", "images/s", 10.0, 10.0, 1.0)
        table.faster("stated", "pictures/s", 1.0, 10.0, None)
        table.smaller("larger", 11 * bench.MIB, 10 * bench.MIB)
        table.smaller("smaller", 9 * bench.MIB, 10 * bench.MIB)
        table.share("too much", 0.06, 0.05)
        table.share("little", 0.04, 0.05)
        self.assertEqual(table.missed(), ["slow", "larger", "too much"])
        lines = table.text().splitlines()
        self.assertRegex(lines[1], r"^slow +9\.8 images/s +10\.0 images/s +0\.98 +>= 1\.00 +NO$")
        self.assertRegex(lines[3], r"0\.10 +stated +-$")

    def test_programs_take_turns_after_a_warm_up(self):
        asked = []

        class Fake:
            def __init__(self, name):
                self.name = name

            def round(self):
                asked.append(self.name)
                return {"seconds": len(asked)}

        ours, peer = bench.take_turns(Fake("a"), Fake("b"), 3)
        self.assertEqual("".join(asked), "abbaabbaab")
        self.assertEqual([r["seconds"] for r in ours], [5, 8, 9])
        self.assertEqual([r["seconds"] for r in peer], [6, 7, 10])


class LockTest(unittest.TestCase):
    def test_everything_is_pinned_by_hash(self):
        text = (SCRIPTS / "bench" / "peer.lock").read_text().replace("\\\n", "")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        for line in lines:
            self.assertRegex(line, r"^[a-z_]+==[\d.]+ .*--hash=sha256:[0-9a-f]{64}")
        torch = next(line for line in lines if line.startswith("torch=="))
        self.assertEqual(len(re.findall("--hash", torch)), 5)
        self.assertIn('"version": "2.13.0"', (SCRIPTS / "downloads.json").read_text())
        self.assertTrue(torch.startswith("torch==2.13.0 "))


if __name__ == "__main__":
    unittest.main()

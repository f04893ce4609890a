"""Tests of scripts/demo: what it makes of the kiosk's events."""

import importlib.machinery
import importlib.util
import unittest
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent / "demo"
loader = importlib.machinery.SourceFileLoader("demo", str(DEMO))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
loader.exec_module(demo)

ADA = {"name": "Ada Lovelace"}
UNKNOWN = {"event": "unknown", "nearest_distance": 1.41, "threshold": 1.05}
UNKNOWN_TO_AN_EMPTY_GALLERY = {"event": "unknown", "nearest_distance": None, "threshold": 1.05}


def greeted(name):
    return {"event": "greeted", "name": name, "distance": 0.81, "threshold": 1.05}


class Judge(unittest.TestCase):
    def test_cases(self):
        cases = [
            # events, is a stranger, right, words
            ([greeted("Ada Lovelace")], False, True, "greeted by name, distance 0.81 <= 1.05"),
            ([UNKNOWN, greeted("Ada Lovelace")], False, True, "greeted by name"),
            ([UNKNOWN], False, False, "NOT RECOGNIZED, nearest distance 1.41 > 1.05"),
            ([], False, False, "NOT RECOGNIZED"),
            ([greeted("Charles Babbage")], False, False, "WRONG: greeted as Charles Babbage"),
            ([greeted("Ada Lovelace"), greeted("Charles Babbage")], False, False, "WRONG: greeted as Charles Babbage"),
            ([UNKNOWN], True, True, "refused, nearest distance 1.41 > 1.05"),
            ([UNKNOWN_TO_AN_EMPTY_GALLERY], True, True, "refused"),
            ([], True, False, "never told so"),
            ([greeted("Charles Babbage")], True, False, "WRONG: greeted as Charles Babbage"),
            # A stranger whose own name was said was enrolled by somebody: that is wrong too.
            ([UNKNOWN, greeted("Ada Lovelace")], True, False, "WRONG: greeted as Ada Lovelace"),
        ]
        for events, stranger, right, words in cases:
            with self.subTest(events=events, stranger=stranger):
                verdict, is_right = demo.judge(ADA, stranger, events)
                self.assertEqual(is_right, right)
                self.assertIn(words, verdict)


class Pictures(unittest.TestCase):
    def test_somebody_is_enrolled_somebody_probed_and_somebody_strange(self):
        enrolled = {who["name"] for who, _ in demo.pictures("enroll")}
        probed = {who["name"] for who, _ in demo.pictures("probe")}
        strangers = {who["name"] for who, _ in demo.pictures("stranger")}
        self.assertEqual(enrolled, probed)
        self.assertGreaterEqual(len(strangers), 1)
        self.assertFalse(strangers & enrolled)


if __name__ == "__main__":
    unittest.main()

"""Tests of scripts/setup: what it says when the machine lacks something."""

import os
import subprocess
import unittest
from pathlib import Path

import script

SETUP = Path(__file__).resolve().parent.parent / "setup"


def run_setup(*arguments, **environment):
    return script.run(SETUP, *arguments, **environment)


class Setup(script.Place):
    def stand_in(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def test_an_unknown_argument_is_wrong_usage(self):
        code, said = run_setup("--chekc")
        self.assertEqual(code, 2)
        self.assertIn("--chekc", said)

    def test_an_old_rust_is_named_with_the_remedy(self):
        self.stand_in("rustc", "echo 'rustc 1.60.0 (7737e0b5c 2022-04-04)'")
        self.stand_in("cargo", "exit 0")
        code, said = run_setup("--check", PATH=f"{self.folder}:{os.environ['PATH']}")
        self.assertEqual(code, 1)
        for word in ("rustc 1.60.0", "or newer", "rustup update stable"):
            self.assertIn(word, said)

    def test_a_missing_rust_is_named_with_the_remedy(self):
        for name in ("dirname", "sed"):  # all that runs before the search for cargo
            self.stand_in(name, f'exec /usr/bin/{name} "$@"')
        bash = "/bin/bash" if os.path.exists("/bin/bash") else "bash"
        done = subprocess.run([bash, str(SETUP), "--check"], env={"PATH": str(self.folder), "HOME": str(self.folder)},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("rustup.rs", done.stdout)

    def test_check_of_an_empty_cache_fails_and_downloads_nothing(self):
        code, said = run_setup("--check", USHER_CACHE=str(self.folder / "cache"), PIP_NO_INDEX="1")
        self.assertEqual(code, 1)
        self.assertIn("MISSING", said)
        self.assertFalse((self.folder / "cache").exists())


if __name__ == "__main__":
    unittest.main()

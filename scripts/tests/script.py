"""What the tests of shell scripts share: a folder for each test, and a script that runs without a terminal."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path


def run(script, *arguments, given=None, **environment):
    """Runs a script with these words on standard input, or none; returns its exit status and all it said."""
    done = subprocess.run(["bash", str(script), *map(str, arguments)], env=dict(os.environ, **environment),
                          input=given, stdin=None if given is not None else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


class Place(unittest.TestCase):
    """A test with a temporary folder of its own."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

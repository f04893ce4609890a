"""Sets up the Python that scripts/bench-explore measures against, in the cache that scripts/fetch.py keeps."""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import fetch  # noqa: E402  (scripts/fetch.py)

LOCK = Path(__file__).resolve().parent / "explore.lock"
MEGABYTES = 150


def place_in(cache):
    return cache / f"explore-peer-py{sys.version_info[0]}.{sys.version_info[1]}-{fetch.sha256_of(LOCK)[:8]}"


def fetch_peer(cache):
    """The Python that has them all: openTSNE, scipy, fastcluster, OpenCV and onnxruntime."""
    why = fetch.onnx_check_impossible()  # the same Pythons, the same platform
    if why:
        raise fetch.FetchError("the Python peer", "x86-64 Linux and CPython 3.10 to 3.14", why,
                               "run scripts/bench-explore with such a Python")
    place = place_in(cache)
    if not (place / fetch.STAMP).exists() or not (place / "bin" / "python").exists():
        print(f"the Python peers, to measure against\n  fetching the packages of {LOCK.name} (about {MEGABYTES} MB)",
              file=sys.stderr)
        began = time.monotonic()
        with fetch.locked(cache) as temporary:
            made = temporary / "made"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
            packages = next((made / "lib").glob("python3*")) / "site-packages"
            fetch.pip(
                ["install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-warn-conflicts",
                 "--target", str(packages), "-r", str(LOCK)],
                temporary,
                f"the packages of {LOCK.name} could not be installed",
                "check that pip reaches its package index, then run scripts/bench-explore again",
            )
            fetch.settle(made, place, temporary, "installed")
        print(f"  -> {place} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
    return place / "bin" / "python"

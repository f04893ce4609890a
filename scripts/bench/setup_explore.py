"""Sets up the Python that scripts/bench-explore measures against, in the cache that scripts/fetch.py keeps."""

from pathlib import Path

import python_peer

LOCK = Path(__file__).resolve().parent / "explore.lock"
MEGABYTES = 150


def fetch_peer(cache):
    """The Python that has them all: openTSNE, scipy, fastcluster, OpenCV and onnxruntime."""
    place = python_peer.fetch_peer(cache, "explore-peer", LOCK, "the Python peers", MEGABYTES, "scripts/bench-explore")
    return place / "bin" / "python"

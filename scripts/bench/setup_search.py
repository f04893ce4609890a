"""Sets up the Python that scripts/bench-search measures against, in the cache that scripts/fetch.py keeps."""

import sys
from pathlib import Path

import fetch
import python_peer

LOCK = Path(__file__).resolve().parent / "search.lock"
MEGABYTES = 50


def fetch_peer(cache):
    """The Python that has them all: faiss, numpy and usearch."""
    if sys.version_info < (3, 11):
        raise fetch.FetchError("the Python peers", "CPython 3.11 to 3.14", sys.version.split()[0],
                               "run scripts/bench-search with such a Python; usearch has no package for this one")
    place = python_peer.fetch_peer(cache, "search-peer", LOCK, "the Python peers", MEGABYTES, "scripts/bench-search")
    return place / "bin" / "python"

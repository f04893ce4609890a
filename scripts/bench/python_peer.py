"""A Python of its own for what a bench measures against, in the cache that scripts/fetch.py keeps."""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import fetch  # noqa: E402  (scripts/fetch.py)


def say(text):
    """On stderr: a bench's result on stdout may be read by a machine."""
    print(text, file=sys.stderr)


def fetch_peer(cache, name, lock, what, megabytes, bench, before=lambda: None,
               finish=lambda made, temporary, brought: None):
    """The place of a Python with the packages of the lock, installed if need be.

    what names the peer and bench the script in messages. before brings what else is needed, ahead of the cache's lock,
    which fetching takes too; finish adds it to what was installed, before that gets its place.
    """
    why = fetch.onnx_check_impossible()  # the same Pythons, the same platform
    if why:
        raise fetch.FetchError("the Python peer", "x86-64 Linux and CPython 3.10 to 3.14", why,
                               f"run {bench} with such a Python")
    place = cache / f"{name}-py{sys.version_info[0]}.{sys.version_info[1]}-{fetch.sha256_of(lock)[:8]}"
    if not (place / fetch.STAMP).exists() or not (place / "bin" / "python").exists():
        brought = before()
        say(f"{what}, to measure against\n  fetching the packages of {lock.name} (about {megabytes} MB)")
        began = time.monotonic()
        with fetch.locked(cache) as temporary:
            made = temporary / "made"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
            packages = next((made / "lib").glob("python3*")) / "site-packages"
            fetch.pip(
                ["install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-warn-conflicts",
                 "--no-compile", "--target", str(packages), "-r", str(lock)],
                temporary,
                f"the packages of {lock.name} could not be installed",
                f"check that pip reaches its package index, then run {bench} again",
            )
            finish(made, temporary, brought)
            fetch.settle(made, place, temporary, "installed")
        say(f"  -> {place} ({time.monotonic() - began:.0f} s)")
    return place

"""Sets up the Python that scripts/bench-train measures against, in the cache that scripts/fetch.py keeps.

The registry's torch is the CUDA build and asks for gigabytes of NVIDIA's libraries that a CPU never calls. Here it
gets empty libraries of the same names instead, bound lazily: 530 MB in place of 3 GB, the same libtorch_cpu.so.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import fetch  # noqa: E402  (scripts/fetch.py)

LOCK = Path(__file__).resolve().parent / "peer.lock"
# What libtorch_cuda.so and libtorch_nvshmem.so of torch 2.13.0 name, apart from what the CPU libtorch has.
EMPTY = [
    "libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9", "libcufft.so.12", "libcufile.so.0", "libcurand.so.10",
    "libcusparse.so.12", "libcusparseLt.so.0", "libnccl.so.2", "libnvrtc.so.13", "libnvshmem_host.so.3",
]
FROM_LIBTORCH = ["libcudart.so.13", "libcupti.so.13"]
MEGABYTES = 600


def place_in(cache):
    return cache / f"bench-peer-py{sys.version_info[0]}.{sys.version_info[1]}-{fetch.sha256_of(LOCK)[:8]}"


def libtorch(cache):
    """The CPU libtorch of scripts/downloads.json, fetched if need be."""
    artifacts = json.loads((fetch.SCRIPTS / "downloads.json").read_text())["artifacts"]
    return fetch.fetch(next(a for a in artifacts if a["name"] == "libtorch"), cache)


def fetch_peer(cache):
    """The peer: its Python, and the folder that LD_LIBRARY_PATH needs."""
    why = fetch.onnx_check_impossible()  # the same Pythons, the same platform
    if why:
        raise fetch.FetchError("the Python peer", "x86-64 Linux and CPython 3.10 to 3.14", why,
                               "run scripts/bench-train with such a Python")
    place = place_in(cache)
    if not (place / fetch.STAMP).exists() or not (place / "bin" / "python").exists():
        beside = libtorch(cache)
        fetch.say(f"Python torch, to measure against\n  fetching the packages of {LOCK.name} (about {MEGABYTES} MB)")
        began = time.monotonic()
        with fetch.locked(cache) as temporary:
            made = temporary / "made"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
            packages = next((made / "lib").glob("python3*")) / "site-packages"
            fetch.pip(
                ["install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-warn-conflicts",
                 "--no-compile", "--target", str(packages), "-r", str(LOCK)],
                temporary,
                f"the packages of {LOCK.name} could not be installed",
                "check that pip reaches its package index, then run scripts/bench-train again",
            )
            make_empty(made / "cuda", beside / "lib", temporary)
            fetch.settle(made, place, temporary, "installed")
        fetch.say(f"  -> {place} ({time.monotonic() - began:.0f} s)")
    return place / "bin" / "python", place / "cuda"


def make_empty(folder, libtorch_lib, temporary):
    """Empty libraries by the C compiler that building the trainer needs anyway; two real ones by link."""
    folder.mkdir()
    source = temporary / "empty.c"
    source.write_text("/* nothing: a CPU calls nothing of it */\n")
    for name in EMPTY:
        subprocess.run(["cc", "-shared", "-o", str(folder / name), f"-Wl,-soname,{name}", str(source)], check=True)
    for name in FROM_LIBTORCH:
        (folder / name).symlink_to(libtorch_lib / name)


def library(python):
    """The libtorch_cpu.so that the peer loads."""
    return next((python.parent.parent / "lib").glob("python3*/site-packages/torch/lib/libtorch_cpu.so"))

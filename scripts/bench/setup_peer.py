"""Sets up the Python that scripts/bench-train measures against, in the cache that scripts/fetch.py keeps.

The registry's torch is the CUDA build and asks for gigabytes of NVIDIA's libraries that a CPU never calls. Here it
gets empty libraries of the same names instead, bound lazily: 530 MB in place of 3 GB, the same libtorch_cpu.so.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import fetch  # noqa: E402  (scripts/fetch.py)
import python_peer  # noqa: E402

LOCK = Path(__file__).resolve().parent / "peer.lock"
# What libtorch_cuda.so and libtorch_nvshmem.so of torch 2.13.0 name, apart from what the CPU libtorch has.
EMPTY = [
    "libcublas.so.13", "libcublasLt.so.13", "libcudnn.so.9", "libcufft.so.12", "libcufile.so.0", "libcurand.so.10",
    "libcusparse.so.12", "libcusparseLt.so.0", "libnccl.so.2", "libnvrtc.so.13", "libnvshmem_host.so.3",
]
FROM_LIBTORCH = ["libcudart.so.13", "libcupti.so.13"]
MEGABYTES = 600


def libtorch(cache):
    """The CPU libtorch of scripts/downloads.json, fetched if need be."""
    artifacts = json.loads((fetch.SCRIPTS / "downloads.json").read_text())["artifacts"]
    return fetch.fetch(next(a for a in artifacts if a["name"] == "libtorch"), cache)


def fetch_peer(cache):
    """The peer: its Python, and the folder that LD_LIBRARY_PATH needs."""
    place = python_peer.fetch_peer(
        cache, "bench-peer", LOCK, "Python torch", MEGABYTES, "scripts/bench-train", before=lambda: libtorch(cache),
        finish=lambda made, temporary, beside: make_empty(made / "cuda", beside / "lib", temporary))
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

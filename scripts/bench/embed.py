"""The part `embed` of scripts/bench-explore: pictures per second from files to embeddings, on all cores.

Ours is timed as a whole process that loads its networks and writes its file; the peer (embed_peer.py) from the loading
of its networks on, without the start of Python. The peer gets the fastest of its ways, as the first pictures tell.
"""

import os
import tarfile

COUNT = 1000
TRIED = 100
WAYS = ["opencv-pool", "opencv-wide", "onnxruntime-pool", "onnxruntime-wide"]
ALIKE = 0.95
NETWORKS = ["models/yunet.onnx", "models/usher-small.onnx"]


def measure(bench):
    """The rate of both, and whether they did the same work."""
    whose, paths = pictures(bench)
    tried = {way: peer(bench, paths[:TRIED], way)["seconds"] for way in WAYS}
    way = min(tried, key=tried.get)
    first, _ = ours(bench)
    theirs = peer(bench, paths, way)
    second, file = ours(bench)
    alike = bench.peer("alike", file, bench.folder / "list.txt", bench.folder / "peer.npy")
    seconds, cpu_seconds = ((a + b) / 2 for a, b in zip(first, second))
    rows(bench.table, whose, way, (seconds, cpu_seconds), theirs, alike)


def rows(table, whose, way, own, theirs, alike):
    """Rows of the table; own is seconds and CPU seconds."""
    ours, peer = COUNT / own[0], COUNT / theirs["seconds"]
    table.add(f"embedding {COUNT} pictures of {whose}, {theirs['versions']} ({way})", f"{ours:.1f} pictures/s",
              f"{peer:.1f} pictures/s", f"{ours / peer:.2f}", ">= 1.00", round(ours / peer, 2) >= 1.0)
    own, theirs = (1000 * cpu / COUNT for cpu in (own[1], theirs["cpu_seconds"]))
    table.add("  CPU time of a picture", f"{own:.1f} ms", f"{theirs:.1f} ms", f"{theirs / own:.2f}", "stated", None)
    table.add("  pictures with a face", str(alike["ours"]), str(alike["peer"]), "", "stated", None)
    # Otherwise the two did not do the same work.
    table.add("  mean cosine of ours and the peer's", "", "", f"{alike['cosine']:.4f}", f">= {ALIKE}",
              alike["cosine"] >= ALIKE)


def ours(bench):
    """Seconds and CPU seconds, and the file."""
    file = bench.folder / "ours.safetensors"
    took = bench.ours("embed", bench.folder / "pictures", "--faces", "central", "--no-cache", "--model",
                      "models/usher-small.toml", "--out", file)
    return (took.seconds, took.cpu_seconds), file


def peer(bench, paths, way):
    named = bench.folder / "list.txt"
    named.write_text("".join(f"{path}\n" for path in paths))
    arguments = [*(bench.root / network for network in NETWORKS), named, way, len(os.sched_getaffinity(0))]
    return bench.peer(*arguments, bench.folder / "peer.npy", script="embed_peer.py")


def pictures(bench):
    """Whose pictures, and their paths: LFW's first, else the demo's, each a little different."""
    folder = bench.folder / "pictures"
    if bench.lfw.is_file():
        return "LFW", unpack(bench.lfw, folder, COUNT)
    bench.peer("pictures", bench.demo_pictures(), folder, COUNT)
    return "the demo", sorted(folder.rglob("*.jpg"))


def unpack(tar, folder, count):
    """The first so many pictures of a tar."""
    paths = []
    with tarfile.open(tar) as file:
        for member in file:
            if len(paths) < count and member.isfile() and member.name.endswith(".jpg"):
                file.extract(member, folder, filter="data")
                paths.append(folder / member.name)
    return paths

#!/usr/bin/env python3
"""How fast usher-train clusters 10,000 faces x 128 by average link, against scipy and fastcluster in the same run.

    scripts/bench/cluster.py --binary target/release/usher-train [--large]

The peer takes pdist(sqeuclidean), average linkage and the cut at D on the same numbers, in turn with ours; a ratio is of
medians of wall time. --large adds the graph method on 100,000 made faces of 5,000 people, with its B-cubed. Exit 1 if
ours takes more than 30 s or says other clusters. Needs Python 3.10 to 3.13 on x86-64 Linux; what it downloads is pinned
in scripts/bench/cluster.lock. scripts/bench-explore calls it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))
import fetch  # noqa: E402  (scripts/fetch.py)

LOCK = Path(__file__).resolve().parent / "cluster.lock"
GOAL_SECONDS = 30
D = 1.3

PEER = """
import json, resource, sys, time
import fastcluster, numpy, scipy
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

what, path, d = sys.argv[1], sys.argv[2], float(sys.argv[3])
if what == "make":
    random = numpy.random.default_rng(1)
    people = random.standard_normal((500, 128))
    people /= numpy.linalg.norm(people, axis=1, keepdims=True)
    noise = random.standard_normal((10000, 128))
    noise /= numpy.linalg.norm(noise, axis=1, keepdims=True)
    rows = 0.79 * people[random.integers(0, 500, 10000)] + 0.61 * noise
    rows = (rows / numpy.linalg.norm(rows, axis=1, keepdims=True)).astype(numpy.float32)
    header = json.dumps({"embeddings": {"dtype": "F32", "shape": list(rows.shape), "data_offsets": [0, rows.nbytes]}})
    header = header.encode() + b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + rows.tobytes())
else:
    with open(path, "rb") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        rows = numpy.frombuffer(file.read(), numpy.float32).reshape(-1, 128)
    began = time.perf_counter()
    distances = pdist(rows, "sqeuclidean")
    linkage = fastcluster.linkage if what == "fastcluster" else hierarchy.linkage
    tree = linkage(distances, "average")
    marks = hierarchy.fcluster(tree, d, "distance")
    seconds = time.perf_counter() - began
    sizes = numpy.bincount(marks)
    print(json.dumps({
        "seconds": seconds, "clusters": int((sizes > 1).sum()), "lone": int((sizes == 1).sum()),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "version": {"fastcluster": fastcluster.__version__, "scipy": scipy.__version__}[what],
    }))
"""


def peer_python(cache):
    """A Python with the packages of the lock."""
    if why := fetch.onnx_check_impossible():
        raise fetch.FetchError("the Python peer", "x86-64 Linux and CPython 3.10 to 3.13", why, "use such a Python")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    place = cache / f"bench-cluster-py{version}-{fetch.sha256_of(LOCK)[:8]}"
    if not (place / fetch.STAMP).exists() or not (place / "bin" / "python").exists():
        fetch.say(f"Python scipy and fastcluster, to measure against\n  fetching the packages of {LOCK.name} (about 60 MB)")
        with fetch.locked(cache) as temporary:
            made = temporary / "made"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
            packages = next((made / "lib").glob("python3*")) / "site-packages"
            fetch.pip(
                ["install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-warn-conflicts",
                 "--target", str(packages), "-r", str(LOCK)],
                temporary,
                f"the packages of {LOCK.name} could not be installed",
                "check that pip reaches its package index, then run this again",
            )
            fetch.settle(made, place, temporary, "installed")
    return place / "bin" / "python"


def told(*command):
    done = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if done.stdout else None


def measure(binary, rounds, large, cache):
    """Rows of the table, and what missed its goal."""
    python = peer_python(cache)
    results = {"usher-train": [], "fastcluster": [], "scipy": []}
    with tempfile.TemporaryDirectory() as folder:
        matrix = Path(folder) / "matrix.safetensors"
        told(python, "-c", PEER, "make", matrix, D)
        for _ in range(rounds):
            ours = ["bench-explore", "cluster", "--matrix", matrix, "--method", "average", "--threshold", D]
            results["usher-train"].append(told(binary, *ours))
            for name in ("fastcluster", "scipy"):
                results[name].append(told(python, "-c", PEER, name, matrix, D))
    rows, missed = [], []
    ours = statistics.median(result["seconds"] for result in results["usher-train"])
    for name, several in results.items():
        seconds, last = statistics.median(result["seconds"] for result in several), several[-1]
        rows.append({"what": "10,000 x 128, average link", "program": f"{name} {last.get('version', '')}".strip(),
                     "seconds": seconds, "times_ours": seconds / ours, "peak_mb": last["peak_bytes"] / 1e6,
                     "clusters": last["clusters"], "lone": last["lone"]})
    if ours > GOAL_SECONDS:
        missed.append(f"10,000 faces took {ours:.1f} s, the goal is {GOAL_SECONDS} s")
    if len({(row["clusters"], row["lone"]) for row in rows}) > 1:
        missed.append("the programs found other clusters")
    if large:
        result = told(binary, "bench-explore", "cluster", "--made", 100_000, "--people", 5000, "--threshold", D)
        rows.append({"what": f"100,000 x 128, {result['method']}", "program": "usher-train", "seconds": result["seconds"],
                     "times_ours": None, "peak_mb": result["peak_bytes"] / 1e6, "clusters": result["clusters"],
                     "lone": result["lone"], "b_cubed_f": result["metrics"]["b_cubed"]["f"]})
    return rows, missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=SCRIPTS.parent / "target/release/usher-train")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each program (default 3)")
    parser.add_argument("--large", action="store_true", help="100,000 made faces too: minutes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows, missed = measure(options.binary.resolve(), options.rounds, options.large, fetch.cache_folder())
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{'':<28} {'':<20} {'seconds':>8} {'times ours':>10} {'peak MB':>8} {'clusters':>8} {'lone':>6}  B-cubed F")
        for row in rows:
            times = f"{row['times_ours']:.2f}" if row["times_ours"] else ""
            b_cubed = f"{row['b_cubed_f']:.4f}" if "b_cubed_f" in row else ""
            print(f"{row['what']:<28} {row['program']:<20} {row['seconds']:>8.2f} {times:>10} {row['peak_mb']:>8.0f}"
                  f" {row['clusters']:>8} {row['lone']:>6}  {b_cubed}")
    for words in missed:
        print(f"missed: {words}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except fetch.FetchError as error:
        sys.exit(f"bench-explore: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench-explore: {Path(error.cmd[0]).name} failed; its words stand above")

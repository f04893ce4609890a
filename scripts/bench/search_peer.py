"""The peers of scripts/bench-search, and the rounds in which ours and theirs take turns; prints JSON.

    search_peer.py BINARY TEMPLATES PROBES [--rounds N]

Data: people with ten templates each. A person is a random direction; a template is that direction plus noise of 0.65
times its length, so that two templates of one person have a cosine of about 0.70 and two people one of 0 +- 0.09.
Every second probe is a new picture of somebody enrolled (genuine), the others are of strangers (impostor).

Every round: ours probe by probe, then faiss, numpy, usearch by the same probes. All in one thread, all on the same f32.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"  # before numpy and faiss are loaded
import faiss  # noqa: E402
import numpy as np  # noqa: E402
import usearch  # noqa: E402
import usearch.index  # noqa: E402

DIMENSION = 128
TEMPLATES_EACH = 10
NOISE = 0.65
SEED = 5
BATCH = 64
HNSW_MOST = 100_000  # templates: building it for more takes too long
READS = 20  # of the plain read loop, before and after ours
SLOW_PROBES = 20  # probes for peers that are only stated


class Data:
    """Templates, whose they are, and probes; every second one genuine."""

    def __init__(self, count, probes):
        random = np.random.default_rng(SEED)
        people = max(1, count // TEMPLATES_EACH)
        centers = unit(random.standard_normal((people, DIMENSION), dtype=np.float32))
        self.owners = (np.arange(count) % people + 1).astype(np.uint32)
        self.templates = around(random, centers[self.owners - 1])
        whose = random.integers(people, size=probes // 2)
        genuine = around(random, centers[whose])
        strangers = unit(random.standard_normal((probes // 2, DIMENSION), dtype=np.float32))
        self.probes = np.empty((probes // 2 * 2, DIMENSION), np.float32)
        self.probes[0::2], self.probes[1::2] = genuine, strangers


def unit(rows):
    """Rows of length 1, by f64, as the program wants them within 1e-6."""
    for start in range(0, len(rows), 65536):
        part = rows[start:start + 65536]
        part[:] = part / np.linalg.norm(part.astype(np.float64), axis=1, keepdims=True)
    return rows


def around(random, centers):
    noise = random.standard_normal(centers.shape, dtype=np.float32)
    noise *= NOISE / np.sqrt(DIMENSION)
    noise += centers
    return unit(noise)


class Ours:
    """Our binary with the data loaded, waiting for commands."""

    def __init__(self, binary, data, form, folder):
        files = []
        for name in ("templates", "owners", "probes"):
            files.append(str(Path(folder) / name))
            getattr(data, name).tofile(files[-1])
        self.process = subprocess.Popen([binary, *files, str(DIMENSION), form], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.instructions = self.process.stdout.readline().strip()

    def ask(self, command):
        print(command, file=self.process.stdin, flush=True)
        said = self.process.stdout.readline()
        if not said:
            sys.exit("search_peer: our binary ended early; what it said is above")
        return np.array([float(number) for number in said.split()])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def by_probe(probes, search):
    """Seconds of every search."""
    return [timed(lambda probe=probe: search(probe[None])) for probe in probes]


def batch_by_sgemm(data):
    """A function that multiplies all templates with a batch, in whichever order is faster here."""
    batch = data.probes[:BATCH]
    across = np.empty((len(data.templates), BATCH), np.float32)
    along = across.reshape(BATCH, len(data.templates))
    ways = [lambda: np.matmul(data.templates, batch.T, out=across), lambda: np.matmul(batch, data.templates.T, out=along)]
    return min(ways, key=lambda way: min(timed(way) for _ in range(3)))


def measure(binary, count, probes, rounds):
    data = Data(count, probes)
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(data.templates)
    faiss.omp_set_num_threads(1)
    sgemm = batch_by_sgemm(data)
    times = {name: [] for name in ("ours", "faiss", "numpy", "usearch exact", "read", "ours batch", "sgemm", "faiss batch",
                                   "hnsw")}

    def usearch_exact(probe):
        usearch.index.search(data.templates, probe, 1, usearch.index.MetricKind.IP, exact=True, threads=1)

    hnsw = None
    if count <= HNSW_MOST:
        hnsw = usearch.index.Index(ndim=DIMENSION, metric=usearch.index.MetricKind.IP, dtype="f32")
        hnsw_seconds = timed(lambda: hnsw.add(np.arange(count), data.templates, threads=os.cpu_count()))
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(binary, data, "full", folder)
        for _ in range(rounds):
            times["read"] += list(ours.ask(f"read {READS}"))
            times["ours"] += list(ours.ask("single"))
            times["read"] += list(ours.ask(f"read {READS}"))
            times["faiss"] += by_probe(data.probes, lambda probe: flat.search(probe, 1))
            for _ in range(3):
                times["ours batch"].append(ours.ask(f"batch {BATCH}")[0])
                times["sgemm"].append(timed(sgemm))
            times["faiss batch"].append(timed(lambda: flat.search(data.probes[:BATCH], 1)))
            few = data.probes[:SLOW_PROBES]
            times["numpy"] += by_probe(few, lambda probe: (data.templates @ probe[0]).argmax())
            times["usearch exact"] += by_probe(few, usearch_exact)
            if hnsw:
                times["hnsw"] += by_probe(data.probes, lambda probe: hnsw.search(probe, 1, threads=1))
        found = ours.ask("found").reshape(-1, 2)
        wrong = int(ours.ask("wrong")[0])
        rescored = ours.ask("rescored")
        count_of, size, scan_bytes, fill = ours.ask("about")
        ours.close()
        compact = Ours(binary, data, "compact", folder)
        compact_size = compact.ask("about")[1]
        compact_wrong = int(compact.ask("wrong")[0]) if count <= HNSW_MOST else None
        compact_times = compact.ask("single")
        compact.close()
    nearest = flat.search(data.probes, 1)[1][:, 0]
    single = np.array(times["ours"]).reshape(rounds, -1)
    result = {
        "instructions": ours.instructions,
        "medians": {name: float(np.median(values)) for name, values in times.items() if values},
        "wrong": wrong,
        "compact wrong": compact_wrong,
        "other than faiss": int((data.owners[nearest] != found[:, 0]).sum()),
        "scan bytes": scan_bytes,
        "bytes each": size / count_of,
        "compact bytes each": compact_size / count_of,
        "fill": fill,
        "compact": float(np.median(compact_times)),
        "probes": len(data.probes),
    }
    for name, those in (("genuine", slice(0, None, 2)), ("impostor", slice(1, None, 2))):
        result[name] = {
            "median": float(np.median(single[:, those])),
            "rescored": [float(q) for q in np.quantile(rescored[those], [0.5, 0.95, 1.0])],
        }
    if hnsw:
        keys = np.array([hnsw.search(probe, 1, threads=1).keys[0] for probe in data.probes])
        result["hnsw recall"] = {
            "genuine": float((keys == nearest)[0::2].mean()),
            "impostor": float((keys == nearest)[1::2].mean()),
            "build": hnsw_seconds,
        }
    result["versions"] = {"faiss": faiss.__version__, "numpy": np.__version__, "usearch": usearch.__version__}
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("templates", type=int)
    parser.add_argument("probes", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(json.dumps(measure(options.binary, options.templates, options.probes, options.rounds)))

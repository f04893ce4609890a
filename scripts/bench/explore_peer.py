"""The peer's side of scripts/bench-explore, in the Python that setup_explore.py makes.

    explore_peer.py made  MATRIX              synthetic embeddings
    explore_peer.py tsne  MATRIX PICTURE      openTSNE with its defaults; prints CPU seconds
    explore_peer.py kept  MATRIX PICTURE ...  prints the share of 10 nearest neighbors that each picture keeps
Matrices are safetensors with one tensor of f32.
"""

import json
import resource
import sys

import numpy


def read(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        (about,) = [value for name, value in header.items() if name != "__metadata__"]
        return numpy.frombuffer(file.read(), numpy.float32).reshape(about["shape"])


def write(path, name, matrix):
    matrix = numpy.ascontiguousarray(matrix, numpy.float32)
    header = json.dumps({name: {"dtype": "F32", "shape": matrix.shape, "data_offsets": [0, matrix.nbytes]}})
    header = header.ljust((len(header) + 7) // 8 * 8).encode()
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + matrix.tobytes())


def made(path, count=10_000, dimension=128):
    """Unit vectors as faces' are: people of uneven number of pictures, spread about their middle."""
    random = numpy.random.default_rng(1)
    person = numpy.minimum(random.zipf(1.6, count), 2000)
    middles = random.normal(size=(2001, 24)) @ random.normal(size=(24, dimension))
    rows = middles[person] + random.normal(size=(count, dimension)) * 3.0
    write(path, "rows", rows / numpy.linalg.norm(rows, axis=1, keepdims=True))


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def tsne(matrix, picture):
    import openTSNE

    rows = read(matrix)
    before = cpu_seconds()
    points = openTSNE.TSNE(random_state=1).fit(rows)
    print(json.dumps({"cpu_seconds": cpu_seconds() - before, "version": openTSNE.__version__}))
    write(picture, "points", points)


def nearest(rows, count=10):
    """The nearest rows of each row, exactly."""
    rows = rows.astype(numpy.float64)
    squares = (rows * rows).sum(1)
    found = []
    for first in range(0, len(rows), 500):
        block = slice(first, min(first + 500, len(rows)))
        distances = squares[block, None] + squares - 2 * rows[block] @ rows.T
        distances[numpy.arange(len(distances)), numpy.arange(block.start, block.stop)] = numpy.inf
        found.append(numpy.argpartition(distances, count, axis=1)[:, :count])
    return numpy.concatenate(found)


def kept(matrix, *pictures):
    truth = nearest(read(matrix))
    shares = []
    for picture in pictures:
        shown = nearest(read(picture))
        shares.append(float(numpy.mean([len(numpy.intersect1d(a, b)) / 10 for a, b in zip(truth, shown)])))
    print(json.dumps(shares))


if __name__ == "__main__":
    {"made": made, "tsne": tsne, "kept": kept}[sys.argv[1]](*sys.argv[2:])

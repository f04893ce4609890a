"""The peers' side of scripts/bench-explore, in the Python that setup_explore.py makes; embed_peer.py has the rest.

    explore_peer.py made     MATRIX               synthetic embeddings
    explore_peer.py tsne     MATRIX PICTURE       openTSNE with its defaults; prints CPU seconds
    explore_peer.py kept     MATRIX PICTURE ...   prints the share of 10 nearest neighbors that each picture keeps
    explore_peer.py people   MATRIX               synthetic embeddings of 500 people, well apart
    explore_peer.py cluster  PEER MATRIX D        average link by scipy or fastcluster; prints seconds and clusters
    explore_peer.py pictures FOLDER OUT COUNT     so many JPEGs of 640 px from a few pictures
    explore_peer.py alike    OURS LIST ROWS       prints how alike embeddings of usher-train and embed_peer.py are
Matrices are safetensors with one tensor of f32; each prints JSON.
"""

import json
import pathlib
import resource
import sys
import time

import numpy


def read_whole(path):
    """The matrix of a file, and what its header says besides."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        said = header.pop("__metadata__", {})
        (about,) = header.values()
        return numpy.frombuffer(file.read(), numpy.float32).reshape(about["shape"]), said


def read(path):
    return read_whole(path)[0]


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
    write(path, "embeddings", rows / numpy.linalg.norm(rows, axis=1, keepdims=True))


def people(path, count=10_000, dimension=128, persons=500):
    """Unit vectors of people who are sqrt(2) apart, each face as far from its own as usual."""
    random = numpy.random.default_rng(1)

    def unit(rows):
        return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)

    middles = unit(random.standard_normal((persons, dimension)))
    noise = unit(random.standard_normal((count, dimension)))
    write(path, "embeddings", unit(0.79 * middles[random.integers(0, persons, count)] + 0.61 * noise))


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


def cluster(peer, matrix, d):
    import scipy
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import pdist

    module, linkage = scipy, hierarchy.linkage
    if peer == "fastcluster":
        import fastcluster as module
        linkage = module.linkage
    rows = read(matrix)
    began = time.perf_counter()
    marks = hierarchy.fcluster(linkage(pdist(rows, "sqeuclidean"), "average"), float(d), "distance")
    seconds = time.perf_counter() - began
    sizes = numpy.bincount(marks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "clusters": int((sizes > 1).sum()), "lone": int((sizes == 1).sum()),
                      "peak_bytes": peak, "version": module.__version__}))


def pictures(folder, out, count):
    """Each picture cut a pixel further, so that no two are the same."""
    import cv2

    found = sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix in (".jpg", ".png"))
    several = [cv2.imread(str(path)) for path in found]
    pathlib.Path(out).mkdir(parents=True)
    for index in range(int(count)):
        picture, shift = several[index % len(several)], index // len(several)
        down, across = divmod(shift, 20)
        scale = 660 / max(picture.shape)
        larger = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cut = larger[down:down + 640, across:across + 640]
        cv2.imwrite(f"{out}/{index:04}.jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, 92])


def alike(ours, named, rows):
    """The mean cosine over the pictures in which both found a face, and in how many each did."""
    matrix, said = read_whole(ours)
    of_path = {face["path"]: row for face, row in zip(json.loads(said["faces"]), matrix)}
    peer = numpy.load(rows)
    paths = pathlib.Path(named).read_text().splitlines()
    cosines = [float(of_path[path] @ row) for path, row in zip(paths, peer) if path in of_path and row.any()]
    print(json.dumps({"cosine": sum(cosines) / max(len(cosines), 1), "ours": len(of_path),
                      "peer": int(peer.any(axis=1).sum())}))


if __name__ == "__main__":
    commands = {f.__name__: f for f in (made, tsne, kept, people, cluster, pictures, alike)}
    commands[sys.argv[1]](*sys.argv[2:])

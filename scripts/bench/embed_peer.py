"""The peer of the part `embed` of scripts/bench-explore: pictures to embeddings by OpenCV and onnxruntime.

    embed_peer.py DETECTOR EMBEDDER LIST WAY THREADS OUT
WAY names who runs the detector and how the cores are used, as in `opencv-pool`: `opencv` or `onnxruntime`; `pool` has
THREADS threads, each with networks of one thread, `wide` one thread with networks of THREADS. The work is that of
usher-train: picture, YuNet in a square of 320 px, the middle face, ArcFace's 112 px, (rgb - 127.5) / 128, unit length.
Prints seconds, from the loading of the networks on, and CPU seconds; OUT is an .npy with a row for each picture.
"""

import itertools
import json
import queue
import resource
import sys
import threading
import time

import cv2
import numpy
import onnxruntime

SIDE = 320
SCORE, OVERLAP = 0.6, 0.3  # least score of a face, and from which overlap the weaker one goes
# ArcFace's landmarks in 112 x 112, as shared/src/align.rs has them.
TEMPLATE = numpy.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                        [70.7299, 92.2041]])


def session(network, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # YuNet's file names the shapes of 640 px, and warns of each
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


class OpenCv:
    """YuNet by OpenCV's own network code."""

    def __init__(self, path, _threads):
        self.network = cv2.FaceDetectorYN.create(path, "", (SIDE, SIDE), SCORE, OVERLAP)

    def faces(self, square):
        found = self.network.detect(square)[1]
        return numpy.empty((0, 15)) if found is None else found


class OnnxRuntime:
    """YuNet by onnxruntime: left, top, width, height, five landmarks and score of each face, as OpenCV gives them."""

    def __init__(self, path, threads):
        with open(path, "rb") as file:
            network = file.read()
        # The file is written for 640 x 640; its two extents become 320, the same length in protobuf.
        self.network = session(network.replace(b"\x0a\x03\x08\x80\x05", b"\x0a\x03\x08\xc0\x02"), threads)
        self.cells = {stride: numpy.stack(numpy.meshgrid(*[numpy.arange(SIDE // stride)] * 2), -1).reshape(-1, 2)
                      for stride in (8, 16, 32)}

    def faces(self, square):
        outputs = self.network.run(None, {"input": square.transpose(2, 0, 1)[None].astype(numpy.float32)})
        kinds = [outputs[first:first + 3] for first in (0, 3, 6, 9)]
        rows = []
        for (stride, cells), *four in zip(self.cells.items(), *kinds):
            scores, objects, boxes, points = (output[0] for output in four)
            score = numpy.sqrt(scores.clip(0, 1) * objects.clip(0, 1))[:, 0]
            kept = numpy.flatnonzero(score >= SCORE)
            cell, box = cells[kept], boxes[kept]
            size = numpy.exp(box[:, 2:])
            landmarks = points[kept].reshape(-1, 5, 2) + cell[:, None]
            places = [cell + box[:, :2] - size / 2, size, landmarks.reshape(-1, 10)]
            rows.append(numpy.hstack([numpy.hstack(places) * stride, score[kept, None]]))
        rows = numpy.vstack(rows)
        kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), SCORE, OVERLAP)
        return rows[numpy.asarray(kept, int)]


def similarity(points):
    """The least-squares similarity from five landmarks to the template, [2, 3]."""
    mean, goal = points.mean(0), TEMPLATE.mean(0)
    p, q = points - mean, TEMPLATE - goal
    a, b = numpy.array([(p * q).sum(), (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()]) / (p * p).sum()
    turn = numpy.array([[a, -b], [b, a]])
    return numpy.hstack([turn, (goal - turn @ mean)[:, None]])


def embedding(path, detector, embedder):
    """The embedding of the face next to the middle; zeros if there is none."""
    picture = cv2.imread(path)
    height, width = picture.shape[:2]
    scale = min(1, SIDE / max(height, width))
    square = picture
    if scale < 1:
        square = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    square = cv2.copyMakeBorder(square, 0, SIDE - square.shape[0], 0, SIDE - square.shape[1], cv2.BORDER_CONSTANT)
    faces = detector.faces(square)
    if not len(faces):
        return numpy.zeros(128, numpy.float32)
    faces = faces[:, :14] / scale
    middle = (numpy.array([width, height]) - 1) / 2
    nearest = numpy.linalg.norm(faces[:, :2] + faces[:, 2:4] / 2 - middle, axis=1).argmin()
    to_face = similarity(faces[nearest, 4:].reshape(5, 2).astype(float))
    face = cv2.warpAffine(picture, to_face, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values = cv2.dnn.blobFromImage(face, 1 / 128, mean=(127.5,) * 3, swapRB=True)
    row = embedder.run(None, {embedder.get_inputs()[0].name: values})[0][0]
    return row / numpy.linalg.norm(row)


def main(detector, embedder, pictures, way, threads, out):
    with open(pictures) as file:
        pictures = file.read().splitlines()
    who, how = way.split("-")
    workers, each = (int(threads), 1) if how == "pool" else (1, int(threads))
    began = time.perf_counter()
    cv2.setNumThreads(each)
    rows, wanted = [None] * len(pictures), itertools.count()
    failed = queue.SimpleQueue()

    def work():
        try:
            mine = {"opencv": OpenCv, "onnxruntime": OnnxRuntime}[who](detector, each), session(embedder, each)
            while (index := next(wanted)) < len(pictures):
                rows[index] = embedding(pictures[index], *mine)
        except Exception as error:
            failed.put(error)

    several = [threading.Thread(target=work) for _ in range(workers)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    if not failed.empty():
        raise failed.get()
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    numpy.save(out, numpy.stack(rows))
    print(json.dumps({"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime,
                      "versions": f"onnxruntime {onnxruntime.__version__}, OpenCV {cv2.__version__}"}))


if __name__ == "__main__":
    main(*sys.argv[1:])

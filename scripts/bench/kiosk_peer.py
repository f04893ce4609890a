"""The peer of scripts/bench-kiosk: camera frames to decisions by OpenCV and onnxruntime, one thread.

    kiosk_peer.py DETECTOR EMBEDDER RECORDING FRAMES TEMPLATES
RECORDING is a folder of MJPG frames, read into memory first and gone through in turn. The work is the kiosk's when it
embeds every frame: decode, YuNet with the long side at 320 px, the largest face, ArcFace's 112 px, (rgb - 127.5) / 128,
unit length, nearest of TEMPLATES random templates. Prints the milliseconds of each stage at p50, p95 and p99.
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy
import onnxruntime
from embed_peer import OVERLAP, SCORE, SIDE, session, similarity

WARM_UP = 30


def main(detector, embedder, recording, frames, templates):
    frames, templates = int(frames), int(templates)
    cv2.setNumThreads(1)
    pictures = [numpy.frombuffer(path.read_bytes(), numpy.uint8) for path in sorted(Path(recording).glob("*.jpg"))]
    height, width = cv2.imdecode(pictures[0], cv2.IMREAD_COLOR).shape[:2]
    scale = SIDE / max(height, width)
    size = (round(width * scale), round(height * scale))
    yunet = cv2.FaceDetectorYN.create(detector, "", size, SCORE, OVERLAP)
    network = session(embedder, 1)
    name = network.get_inputs()[0].name
    gallery = numpy.random.default_rng(1).normal(size=(templates, 128)).astype(numpy.float32)
    gallery /= numpy.linalg.norm(gallery, axis=1, keepdims=True)
    stages = {name: [] for name in ("decode", "detect", "align", "embed", "match", "decision")}
    found = 0
    for number in range(WARM_UP + frames):
        times = [time.perf_counter()]
        picture = cv2.imdecode(pictures[number % len(pictures)], cv2.IMREAD_COLOR)
        times.append(time.perf_counter())
        faces = yunet.detect(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))[1]
        times.append(time.perf_counter())
        if faces is not None:
            face = faces[(faces[:, 2] * faces[:, 3]).argmax(), :14] / scale
            to_face = similarity(face[4:].reshape(5, 2).astype(float))
            cut = cv2.warpAffine(picture, to_face, (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            times.append(time.perf_counter())
            values = cv2.dnn.blobFromImage(cut, 1 / 128, mean=(127.5,) * 3, swapRB=True)
            row = network.run(None, {name: values})[0][0]
            row /= numpy.linalg.norm(row)
            times.append(time.perf_counter())
            (gallery @ row).argmax()
            times.append(time.perf_counter())
        if number < WARM_UP:
            continue
        for stage, begin, end in zip(stages, times, times[1:]):
            stages[stage].append(end - begin)
        stages["decision"].append(times[-1] - times[0])
        found += faces is not None
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    report = {stage: {label: 1000 * float(numpy.quantile(took, share)) for label, share in shares.items()}
              for stage, took in stages.items() if took}
    print(json.dumps({"stages": report, "frames_with_a_face": found,
                      "versions": f"onnxruntime {onnxruntime.__version__}, OpenCV {cv2.__version__}"}))


if __name__ == "__main__":
    main(*sys.argv[1:])

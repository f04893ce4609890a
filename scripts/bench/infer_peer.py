"""The rounds of scripts/bench-infer in which our program and onnxruntime take turns on one network; prints JSON.

    infer_peer.py PROGRAM ONNX EXTENTS [--pixels] [--rounds N] [--runs N]

EXTENTS as 1,3,112,112. The input is the same for both: from -1 to 1, or from 0 to 255 with --pixels. With one thread
each CPU time of a run counts, which others on the machine change least; then two threads each and ours with one take
turns by the clock.
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
    os.environ[f"{library}_NUM_THREADS"] = "1"  # before numpy is loaded
import numpy  # noqa: E402
import onnxruntime  # noqa: E402

SEED = 5
WARMING = 5  # runs before the first that counts
STARTS = 3  # of both, of which the median load counts


class OnnxRuntime:
    """The peer."""

    def __init__(self, network, values, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # YuNet's file names the shapes of 640 px, and warns of each
        began = time.process_time()
        self.session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        self.load = time.process_time() - began
        self.feed = {self.session.get_inputs()[0].name: values}

    def outputs(self):
        return numpy.concatenate([output.ravel() for output in self.session.run(None, self.feed)])

    def runs(self, count):
        """Seconds of each run, of CPU time and by the clock."""
        times = []
        for _ in range(count):
            began, clock = time.process_time(), time.perf_counter()
            self.session.run(None, self.feed)
            times.append((time.process_time() - began, time.perf_counter() - clock))
        return times


class Ours:
    """Our program with the network loaded, waiting for how often to run."""

    def __init__(self, program, network, extents, values, folder, threads=1):
        folder = Path(folder)
        (folder / "network.onnx").write_bytes(network)
        values.tofile(folder / "input")
        self.made = folder / "outputs"
        command = [program, folder / "network.onnx", ",".join(map(str, extents)), folder / "input", self.made, threads]
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        instructions, load, held, most = self.line().rsplit(" ", 3)
        self.instructions, self.load, self.held, self.most = instructions, float(load), int(held), int(most)

    def line(self):
        said = self.process.stdout.readline()
        if not said:
            sys.exit("infer_peer: our program ended early; what it said is above")
        return said.strip()

    def runs(self, count):
        """Seconds of each run, of CPU time and by the clock."""
        print(count, file=self.process.stdin, flush=True)
        return [tuple(map(float, run.split(":"))) for run in self.line().split()]

    def close(self):
        """Ends it; what it computed last."""
        self.process.stdin.close()
        if self.process.wait():
            sys.exit("infer_peer: our program failed; what it said is above")
        return numpy.fromfile(self.made, numpy.float32)


def shaped(network, extents):
    """A detector's file is written for 640 x 640; its two extents become others, the same length in protobuf."""
    for extent in extents[2:]:
        varint = bytes([extent & 0x7F | 0x80, extent >> 7])
        network = network.replace(b"\x0a\x03\x08\x80\x05", b"\x0a\x03\x08" + varint, 1)
    return network


def medians(all_of_them, rounds, runs):
    """Lets them take turns; the median of a run's CPU time, and by the clock, for each name."""
    times = {name: [] for name in all_of_them}
    for _ in range(rounds):
        for name, one in all_of_them.items():
            times[name] += one.runs(runs)
    return ({name: float(numpy.median([run[i] for run in times[name]])) for name in times} for i in (0, 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("network", type=Path)
    parser.add_argument("extents", type=lambda text: [int(extent) for extent in text.split(",")])
    parser.add_argument("--pixels", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    generator = numpy.random.default_rng(SEED)
    values = generator.random(options.extents, numpy.float32)
    values = values * 255 if options.pixels else values * 2 - 1
    network = options.network.read_bytes()
    if options.pixels:
        network = shaped(network, options.extents)
    peer_loads = []
    for _ in range(STARTS):
        peer = OnnxRuntime(network, values)  # in place of the one before, whose memory is free again
        peer_loads.append(peer.load)
    with tempfile.TemporaryDirectory() as folder:
        loads = []
        for start in range(STARTS):
            ours = Ours(options.program, network, options.extents, values, folder)
            loads.append(ours.load)
            if start < STARTS - 1:
                ours.close()
        peer.runs(WARMING)
        expected = peer.outputs()
        ours.runs(WARMING)
        cpu, _ = medians({"ours": ours, "peer": peer}, options.rounds, options.runs)
        both = Ours(options.program, network, options.extents, values, folder, 2)
        peer_both = OnnxRuntime(network, values, 2)
        both.runs(WARMING), peer_both.runs(WARMING)
        _, clock = medians({"alone": ours, "both": both, "peer": peer_both}, options.rounds, options.runs)
        found = ours.close()
        same = found.tobytes() == both.close().tobytes()
    print(json.dumps({
        "instructions": ours.instructions,
        "version": onnxruntime.__version__,
        "ours": cpu["ours"],
        "peer": cpu["peer"],
        "alone": clock["alone"],
        "both": clock["both"],
        "peer both": clock["peer"],
        "same": same,
        "load": float(numpy.median(loads)),
        "peer load": float(numpy.median(peer_loads)),
        "held": ours.held,
        "most": ours.most,
        "bytes": len(network),
        "off": float(abs(found - expected).max() / abs(expected).max()),
    }))


if __name__ == "__main__":
    main()

"""The peer of `usher-train bench`: the same rounds in Python, asked for line by line on stdin.

Run by scripts/bench-train with the Python that it sets up; see scripts/bench/setup_peer.py.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path


def say(**values):
    print(json.dumps(values), flush=True)


def peak_bytes():
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def rounds(one):
    for _ in sys.stdin:
        say(**one())
    say(peak_bytes=peak_bytes())


def step(options):
    sys.setdlopenflags(os.RTLD_LAZY)  # CUDA's libraries are empty here: none of their functions is called
    import torch
    from torch.nn import functional as F

    from networks import NETWORKS

    def mine(embeddings, labels, alpha):
        """Every anchor-positive pair with its nearest semi-hard negative (FaceNet, section 3.2)."""
        distances = (2 - 2 * embeddings @ embeddings.T).clamp_(0, 4)
        same = labels[:, None] == labels[None]
        anchors, positives = (same & ~torch.eye(len(labels), dtype=torch.bool)).nonzero(as_tuple=True)
        rows, own = distances[anchors], distances[anchors, positives][:, None]
        semi_hard = ~same[anchors] & (rows > own) & (rows < own + alpha)
        nearest, negatives = rows.masked_fill(~semi_hard, float("inf")).min(1)
        kept = nearest.isfinite()
        return anchors[kept], positives[kept], negatives[kept]

    torch.manual_seed(1)
    network, side = NETWORKS[options.network]()
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
    network = network.to(memory_format=torch.channels_last).train()
    count = options.identities * options.per_identity
    faces = torch.rand(count, 3, side, side) * 2 - 1
    labels = torch.arange(options.identities).repeat_interleave(options.per_identity)
    if options.optimizer == "ada_grad":
        optimizer = torch.optim.Adagrad(network.parameters(), lr=options.learning_rate)
    else:
        decayed = [p for p in network.parameters() if p.dim() > 1]
        spared = [p for p in network.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=options.learning_rate)
    say(
        parameters=sum(p.numel() for p in network.parameters()),
        batch=count,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        library=str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"),
    )

    def one():
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        embeddings = F.normalize(network(faces.to(memory_format=torch.channels_last)), eps=1e-12)
        with torch.no_grad():
            anchors, positives, negatives = mine(embeddings, labels, options.alpha)
        loss = embeddings.new_zeros(())
        if len(anchors):
            anchor = embeddings[anchors]
            gap = (anchor - embeddings[positives]).square().sum(1) - (anchor - embeddings[negatives]).square().sum(1)
            loss = F.relu(gap + options.alpha).mean()
            loss.backward()
            optimizer.step()
        value = loss.item()
        return {"seconds": time.perf_counter() - began, "triplets": len(anchors), "loss": value}

    rounds(one)


def decode(options):
    import simplejpeg  # libjpeg-turbo in its own wheel, called without any copy in between

    files = [path.read_bytes() for path in sorted(Path(options.pictures).iterdir())]
    say(pictures=len(files), decoder=f"simplejpeg {simplejpeg.__version__}")

    def one():
        began = time.perf_counter()
        for file in files:
            simplejpeg.decode_jpeg(file, "RGB", fastdct=False, fastupsample=False)
        return {"seconds": time.perf_counter() - began}

    rounds(one)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_subparsers(required=True)
    a_step = what.add_parser("step", help="a training step on fixed random faces")
    a_step.add_argument("--network", required=True)
    a_step.add_argument("--identities", type=int, required=True)
    a_step.add_argument("--per-identity", type=int, required=True)
    a_step.add_argument("--optimizer", choices=["ada_grad", "adam_w"], required=True)
    a_step.add_argument("--learning-rate", type=float, required=True)
    a_step.add_argument("--alpha", type=float, default=0.2)
    a_step.set_defaults(run=step)
    a_decode = what.add_parser("decode", help="every picture of a folder, on one thread")
    a_decode.add_argument("--pictures", required=True)
    a_decode.set_defaults(run=decode)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()

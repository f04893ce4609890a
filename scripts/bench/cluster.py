"""The part `cluster` of scripts/bench-explore: average link of 10,000 made faces x 128, against scipy and fastcluster.

The peers take pdist(sqeuclidean), average linkage and the cut at D on the same numbers; all are timed from the numbers
in memory to the clusters. `large` adds what only ours does: 100,000 made faces of 5,000 people by the graph method.
"""

import sys

GOAL_SECONDS = 30
D = 1.3
# fastcluster has no wheel for later Pythons.
PEERS = ["scipy"] + (["fastcluster"] if sys.version_info < (3, 14) else [])


def measure(bench):
    """The time of all, and whether they found the same clusters."""
    matrix = bench.folder / "people.safetensors"
    bench.peer("people", matrix)
    command = ["bench-explore", "cluster", "--matrix", matrix, "--method", "average", "--threshold", D]
    first = bench.ours(*command).json()
    peers = {name: bench.peer("cluster", name, matrix, D) for name in PEERS}
    ours = bench.ours(*command).json()
    rows(bench.table, (first["seconds"] + ours["seconds"]) / 2, ours, peers)


def rows(table, seconds, ours, peers):
    table.add("clustering of 10,000 x 128, average link", f"{seconds:.1f} s", "", "", f"<= {GOAL_SECONDS} s",
              seconds <= GOAL_SECONDS)
    for name, peer in peers.items():
        table.add(f"  against {name} {peer['version']}", f"{seconds:.1f} s", f"{peer['seconds']:.1f} s",
                  f"{peer['seconds'] / seconds:.2f} times faster", "stated", None)
        table.add("    peak memory", f"{ours['peak_bytes'] / 1e6:.0f} MB", f"{peer['peak_bytes'] / 1e6:.0f} MB",
                  f"{ours['peak_bytes'] / peer['peak_bytes']:.2f}", "stated", None)
        table.add("    clusters and lone faces", found(ours), found(peer), "", "equal", found(ours) == found(peer))


def found(result):
    return f"{result['clusters']} + {result['lone']}"


def large(bench):
    result = bench.ours("bench-explore", "cluster", "--made", 100_000, "--people", 5000, "--threshold", D).json()
    bench.table.add(f"clustering of 100,000 x 128, {result['method']}", f"{result['seconds']:.1f} s", "", "", "stated",
                    None)
    bench.table.add("  B-cubed F", f"{result['metrics']['b_cubed']['f']:.4f}", "", "", "stated", None)

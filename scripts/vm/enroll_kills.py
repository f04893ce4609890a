"""Power cuts while people are enrolled: the gallery is whole, and whoever was acknowledged is in it."""

import os
import shutil
import time
from contextlib import closing

from machine import Kernel, Machine, MachineError, run
from visit import BEGIN, data_disk, drive, tree

SCRIPT = """
echo "@ checked $(usher gallery verify --gallery /var/lib/usher/people.gallery > /tmp/verified 2>&1; echo $?)"
[ -s /tmp/verified ] && sed 's/^/verified: /' /tmp/verified
# The folder is what counts, so that names differ from start to start.
n=$(cat /var/lib/usher/starts 2>/dev/null || echo 0); n=$((n+1)); echo $n > /var/lib/usher/starts; sync
i=0
while :; do
    i=$((i+1))
    echo "@ enrolling $n-$i"
    usher enroll "Person $n-$i" --allow-duplicate --consent standard --camera replay:/three --gallery /var/lib/usher/people.gallery \\
        --model /usr/share/usher/models/usher-small.toml --detector /usr/share/usher/models/yunet.onnx > /tmp/told 2>&1 \\
        && echo "@ acknowledged $n-$i" || { echo "@ failed $n-$i"; sed 's/^/told: /' /tmp/told; }
done
"""


def start(kernel, initrd, disk, log, chance, findings, number):
    """One start, cut at a random moment after the first enrollment began; returns who was acknowledged."""
    machine = Machine(kernel, initrd, drive(disk), memory_mib=1024, seconds=900)
    acknowledged, end = [], None
    with closing(machine.lines(wait=0.2)) as lines:
        for line in lines:
            now = time.monotonic()
            if line is not None:
                print(line, file=log, flush=True)
                if line.startswith("@ checked "):
                    findings.note(line.split()[2] == "0", f"cut {number}: the device finds its gallery whole")
                elif line.startswith("@ enrolling ") and end is None:
                    # Some cuts come before the first is enrolled, most between and within those that follow.
                    end = now + chance.uniform(0.0, 60.0)
                elif line.startswith("@ acknowledged "):
                    acknowledged.append(f"Person {line.split()[2]}")
                elif line.startswith("@ failed"):
                    findings.note(False, f"cut {number}: {line}")
            if end is not None and now >= end:
                return acknowledged
    raise MachineError("expected the machine to run until its power is cut, found it ended; see enroll-kills.log")


def people(runtime, disk, folder):
    """Names in the gallery on the disk, read here from a copy whose journal was replayed."""
    copy, found = folder / "copy.ext4", folder / "found"
    shutil.copy(disk, copy)
    run(["sh", "-c", f"e2fsck -p '{copy}' > /dev/null 2>&1 || [ $? -lt 4 ]"])
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir()
    run(["debugfs", "-R", f"rdump / {found}", str(copy)])
    environment = {**os.environ, "USHER_KEY": str(found / "gallery.key")}
    runtime.usher("gallery", "verify", "--gallery", found / "people.gallery", env=environment)
    return runtime.usher("gallery", "list", "--gallery", found / "people.gallery", env=environment)


def part(runtime, folder, out, findings, kills, chance):
    """Cuts the power this many times."""
    kernel = Kernel.fetch("arm64")
    made = tree(kernel, runtime, folder / "kills", camera_frames=False)
    for number in range(3):
        made.add(runtime.frames() / "new" / f"{number}.jpg", f"/three/{number}.jpg")
    made.init(BEGIN.replace("while [ ! -e /dev/dri/card0 ]; do sleep 0.1; done", "") + SCRIPT)
    initrd, disk = made.pack(), data_disk(runtime, folder)
    known = ["Eileen Collins"]
    with (out / "enroll-kills.log").open("a") as log:
        for number in range(1, kills + 1):
            known += start(kernel, initrd, disk, log, chance, findings, number)
            try:
                listed = people(runtime, disk, folder)
            except MachineError as error:
                findings.note(False, f"cut {number}: {error}")
                continue
            missing = [name for name in known if name not in listed]
            findings.note(not missing, f"cut {number}: all {len(known)} who were acknowledged are there {missing or ''}")

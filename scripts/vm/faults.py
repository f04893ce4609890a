"""Faults of a camera by the kernel's module vivid: the kiosk says so, and goes on without being started again."""

from machine import Kernel, Machine
from settings import settings
from visit import BEGIN, GPU, KEYBOARD, Listener, data_disk, drive, tree

# Control numbers of vivid (drivers/media/test-drivers/vivid/vivid-ctrls.c).
DROPPED, DISCONNECT, FATAL = "0xf0f040", "0xf0f041", "0xf0f046"
SET = "usher camera control /dev/video0"
REPLUG = "echo -n vivid.0 > /sys/bus/platform/drivers/vivid"

# A fault, how it is brought about, how its cause is taken away, and what the camera's log calls it. Those without a cure
# are over at once (vivid comes back when the last who had it open lets go): they are done eight times, and too short for
# the screen.
FAULTS = [
    ("timeout", f"{SET} {DROPPED} 100", f"{SET} {DROPPED} 0", "stalled"),
    ("unplugged", f"{REPLUG}/unbind", f"{REPLUG}/bind", "lost"),
    ("disconnect", f"{SET} {DISCONNECT}", "", "lost"),
    ("eio", f"{SET} {FATAL}", "", "reopening"),
]
# What is masked says how many milliseconds were waited.
SHOTS = {"idle-vivid": [], "fault-timeout": [(0.06, 0.44, 0.95, 0.51)], "fault-unplugged": []}


def script():
    """What runs in the machine."""
    lines = [
        "modprobe vivid n_devs=1 node_types=0x1",
        "while [ ! -e /dev/video0 ]; do sleep 0.1; done",
        "start; wait_for idle 240; sleep 3; echo '@ shot idle-vivid'; sleep 2",
    ]
    say = "2>&1 | sed 's/^/told: /'"
    for name, begin, end, _ in FAULTS:
        lines.append(f'echo "@ begin {name} $(up)"; echo "out: begin {name}" >> /tmp/out')
        if end:
            lines += [f"{{ {begin}; }} {say}", f"wait_for fault 90; sleep 3; echo '@ shot fault-{name}'; sleep 2"]
            lines.append(f"{{ {end}; }} {say}")
        else:
            lines.append(f"i=0; while [ $i -lt 8 ]; do {{ {begin}; }} {say}; sleep 2; i=$((i+1)); done")
        lines += [f'echo "@ cured {name} $(up)"', "wait_for idle 120"]
        lines.append(f'ask | grep -q \'"state": *"idle"\' && echo "@ idle {name} $(up)"')
    lines += [
        "usher status --socket /run/usher/usher.sock 2>&1 | say status",
        "stop; say record < /var/lib/usher/events.jsonl",
        "finish",
    ]
    return "\n".join(lines) + "\n"


def part(runtime, folder, out, findings, update=False):
    """Runs the faults."""
    kernel = Kernel.fetch("arm64")
    made = tree(kernel, runtime, folder / "faults", drivers=["vivid"], camera_frames=False)
    made.write("/kiosk.toml", settings("v4l:/dev/video0", form="YUYV", size=(640, 360), looks=1))
    made.init(BEGIN + script())
    disk = data_disk(runtime, folder)
    listener = Listener("faults", out, findings, SHOTS, update)
    listener.hear(Machine(kernel, made.pack(), [*GPU, *KEYBOARD, *drive(disk)], memory_mib=1024, seconds=1200))
    record, told = listener.events("record"), listener.told
    log = "\n".join(told.get("out:", []))
    for name, _, end, word in FAULTS:
        back = next((line for line in told.get("idle", []) if line.startswith(f"{name} ")), None)
        cured = next((line for line in told.get("cured", []) if line.startswith(f"{name} ")), None)
        during = log.partition(f"begin {name}\n")[2].partition("out: begin ")[0]
        times, backs = during.count(f'state="{word}"'), during.count("the camera is back")
        good = back is not None and times >= (1 if end else 4) and backs >= (1 if end else 4)
        findings.note(good, f"{name}: {word} {times} times, back {backs} times; cured at {cured}, idle again at {back}")
    kinds = [event["event"] for event in record]
    findings.note(kinds.count("fault") >= 2, f"the record has the faults: {kinds.count('fault')}")
    findings.note(kinds.count("recovered") == kinds.count("fault"), f"and that each was over: {kinds.count('recovered')}")
    findings.note(kinds.count("started") == 1, "one process went through all of it")
    listener.judge_shots()
    listener.judge_end(1)

"""Faults of a camera by the kernel's module vivid: the kiosk says so, and goes on without being started again."""

from machine import Kernel, Machine
from settings import settings
from visit import BEGIN, GPU, KEYBOARD, Listener, data_disk, drive, tree

# Control numbers of vivid (drivers/media/test-drivers/vivid/vivid-ctrls.c).
DROPPED, DISCONNECT, FATAL = "0xf0f040", "0xf0f041", "0xf0f046"
SET = "usher camera control /dev/video0"
REPLUG = "echo -n vivid.0 > /sys/bus/platform/drivers/vivid"

# A fault, how it is brought about (again and again, for those that are over at once), and how its cause is taken away.
FAULTS = [
    ("timeout", f"{SET} {DROPPED} 100", "", f"{SET} {DROPPED} 0"),
    ("eio", f"{SET} {FATAL}", f"{SET} {FATAL}", ""),
    ("disconnect", f"{SET} {DISCONNECT}", "", f"{REPLUG}/unbind; sleep 1; {REPLUG}/bind"),
    ("unplugged", f"{REPLUG}/unbind", "", f"{REPLUG}/bind"),
]
SHOTS = {"idle-vivid": [], "fault-timeout": [], "fault-disconnect": [], "fault-unplugged": []}


def script():
    """What runs in the machine."""
    lines = [
        "modprobe vivid n_devs=1 node_types=0x1",
        "while [ ! -e /dev/video0 ]; do sleep 0.1; done",
        "start; wait_for idle 240; sleep 3; echo '@ shot idle-vivid'; sleep 2",
    ]
    for name, begin, again, end in FAULTS:
        lines += [f'echo "@ begin {name} $(up)"', f"{begin} > /dev/null 2>&1"]
        if again:
            lines.append(f"i=0; while [ $i -lt 8 ]; do {again} > /dev/null 2>&1; sleep 1; i=$((i+1)); done")
        else:
            lines.append(f"wait_for fault 90; sleep 3; echo '@ shot fault-{name}'; sleep 2")
        lines += [f'{{ {end or "true"}; }} > /dev/null 2>&1; echo "@ cured {name} $(up)"', "wait_for idle 120"]
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
    for name, _, again, _ in FAULTS:
        back = next((line for line in told.get("idle", []) if line.startswith(f"{name} ")), None)
        cured = next((line for line in told.get("cured", []) if line.startswith(f"{name} ")), None)
        findings.note(back is not None, f"{name}: cured at {cured}, idle again at {back}")
    kinds = [event["event"] for event in record]
    findings.note(kinds.count("fault") >= 3, f"the record has the faults: {kinds.count('fault')}")
    findings.note(kinds.count("recovered") == kinds.count("fault"), f"and that each was over: {kinds.count('recovered')}")
    findings.note(kinds.count("started") == 1, "one process went through all of it")
    listener.judge_shots()
    listener.judge_end(1)

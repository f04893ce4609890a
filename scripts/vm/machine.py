"""A small x86-64 virtual machine with Debian's own kernel, for trials with real drivers: no root, no KVM, no image.

    kernel = Kernel.fetch()                                Debian's kernel and modules, unpacked into the cache
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder) / "tree", kernel, ["vivid"])   what the machine boots from, a folder that becomes an initrd
        tree.program(Path("target/debug/usher"), "usher")  a program with the shared libraries that it needs
        tree.init("echo hello")                            a shell script that runs as process 1, then power off
        for line in Machine(kernel, tree.pack()).lines():  what it prints, line by line
            ...

Needs qemu-system-x86_64, busybox (static), kmod, cpio and zstd; on Debian as root they are installed. The kernel is the
one that apt offers today, since Debian's mirrors keep no older one; its version is printed, and kept in the cache.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

CACHE = Path(os.environ.get("USHER_CACHE") or Path.home() / ".cache" / "usher") / "vm"
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "cpio": "cpio",
    "zstd": "zstd",
}


class MachineError(Exception):
    """Something that was expected is not so; the message ends in what to do."""


def run(command, **options):
    """Runs a command and returns what it prints.

    Raises MachineError when it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise MachineError(f"expected {command[0]} to succeed, found: {' '.join(told)}; run it by hand")
    return done.stdout


def need_tools():
    """Installs what is missing, where that is possible.

    Raises MachineError naming what is missing where it is not.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    os.environ["PATH"] = path
    missing = [package for tool, package in PACKAGES.items() if not shutil.which(tool)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise MachineError(f"expected {', '.join(missing)}, found none; sudo apt-get install {' '.join(missing)}")
    run(["apt-get", "-qq", "update"])
    install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
    run(install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def unpack(packages, folder):
    """Downloads Debian packages by apt and unpacks them into a folder, without installing anything."""
    with tempfile.TemporaryDirectory() as downloads:
        try:
            run(["apt-get", "-qq", "download", *packages], cwd=downloads)
        except MachineError:  # lists may be old or missing
            if os.geteuid() != 0:
                raise
            run(["apt-get", "-qq", "update"])
            run(["apt-get", "-qq", "download", *packages], cwd=downloads)
        for archive in sorted(Path(downloads).glob("*.deb")):
            run(["dpkg", "-x", str(archive), str(folder)])


class Kernel:
    """Debian's kernel and its modules, in the cache."""

    def __init__(self, folder, version):
        """Use :meth:`fetch`."""
        self.folder, self.version = folder, version

    @classmethod
    def fetch(cls):
        """The kernel that apt offers, from the cache if it is there."""
        need_tools()
        offered = run(["apt-cache", "depends", "linux-image-amd64"])
        found = re.search(r"Depends: linux-image-(\S+)", offered)
        version = found.group(1) if found else None
        if version is None or not (CACHE / version / "complete").exists():
            kept = sorted(path.parent.name for path in CACHE.glob("*/complete"))
            if version is None and not kept:
                raise MachineError("expected apt to offer linux-image-amd64, found nothing; apt-get update")
            version = version or kept[-1]
        folder = CACHE / version
        if not (folder / "complete").exists():
            print(f"fetching the kernel {version} into {folder}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            unpack([f"linux-image-{version}"], folder)
            run(["depmod", "-b", str(folder), version])
            (folder / "complete").touch()
        return cls(folder, version)

    @property
    def image(self):
        """What qemu boots."""
        return self.folder / "boot" / f"vmlinuz-{self.version}"

    def modules(self, names):
        """The files of modules and of those they need, in the order in which they are loaded.

        Raises MachineError when a module is not among the kernel's.
        """
        files = []
        for name in names:
            show = ["modprobe", "-d", str(self.folder), "-S", self.version, "--show-depends", name]
            for line in run(show).splitlines():
                kind, _, rest = line.partition(" ")
                file = Path(rest.split()[0]) if kind == "insmod" and rest else None
                if file and file not in files:
                    files.append(file)
        return files

    def build_module(self, package, name):
        """Builds a module from a Debian dkms package against this kernel; returns its file.

        Raises MachineError when compiler, headers or sources do not suffice.
        """
        built = self.folder / "extra" / f"{name}.ko"
        if built.exists():
            return built
        if not shutil.which("make") or not shutil.which("gcc"):
            raise MachineError("expected make and gcc, found none; sudo apt-get install build-essential")
        folder = self.folder / "build"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        # 6.1.0-56-amd64 -> 6.1.0-56-common and linux-kbuild-6.1
        abi = self.version.rsplit("-", 1)[0]
        series = ".".join(self.version.split(".")[:2])
        headers = [f"linux-headers-{self.version}", f"linux-headers-{abi}-common", f"linux-kbuild-{series}"]
        unpack([*headers, package], folder)
        source = next((folder / "usr" / "src").glob(f"{name}-*"))
        tree = folder / "usr" / "src" / f"linux-headers-{self.version}"
        # The one place where the headers name each other by absolute paths.
        makefile = tree / "Makefile"
        makefile.write_text(makefile.read_text().replace("/usr/src/", f"{folder}/usr/src/"))
        run(["make", "-s", "-C", str(tree), f"M={source}", "modules"])
        built.parent.mkdir(exist_ok=True)
        shutil.copy(source / f"{name}.ko", built)
        shutil.rmtree(folder)
        return built


INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ RUST_BACKTRACE=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /run/usher /tmp
up() { cut -d' ' -f1 /proc/uptime; }
. /test
poweroff -f
"""


class Tree:
    """The files that the machine boots from."""

    def __init__(self, folder, kernel, modules=()):
        """Makes the folder, with busybox and these modules of the kernel."""
        self.folder, self.kernel = Path(folder), kernel
        for name in ["bin", "dev", "proc", "sys", "tmp", "etc", "run"]:
            (self.folder / name).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), self.folder / "bin" / "busybox")
        target = self.folder / "lib" / "modules" / kernel.version
        target.mkdir(parents=True)
        for file in kernel.modules(modules):
            place = self.folder / file.relative_to(kernel.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        for name in ["modules.builtin", "modules.order"]:
            shutil.copy(kernel.folder / "lib" / "modules" / kernel.version / name, target)
        run(["depmod", "-b", str(self.folder), kernel.version])

    def add(self, file, place):
        """Copies a file to an absolute path of the machine."""
        target = self.folder / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)

    def write(self, place, text):
        """Writes a text file at an absolute path of the machine."""
        target = self.folder / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def program(self, file, name):
        """Adds a program to /bin, without its debugging symbols, with the shared libraries that it names."""
        place = self.folder / "bin" / name
        if shutil.which("strip"):
            run(["strip", "-o", str(place), str(file)])
        else:
            shutil.copy(file, place)
        for library in re.findall(r"(/\S+)", run(["ldd", str(file)])):
            if not (self.folder / library.lstrip("/")).exists():
                self.add(Path(library).resolve(), library)

    def init(self, script):
        """What runs once the machine is up; `up` prints the seconds since then."""
        self.write("/test", script)
        self.write("/init", INIT)
        (self.folder / "init").chmod(0o755)

    def pack(self):
        """Packs the tree; returns the initrd beside it."""
        initrd = self.folder.with_suffix(".zst")
        command = f"find . | cpio -o -H newc --quiet | zstd -q -3 -T0 -o '{initrd}' -f"
        run(["sh", "-c", command], cwd=self.folder)
        return initrd


class Machine:
    """A machine that boots, prints, and powers itself off."""

    def __init__(self, kernel, initrd, devices=(), memory_mib=1024, seconds=300):
        """`devices` are further arguments of qemu; after `seconds` the machine is killed."""
        self.kernel, self.initrd, self.devices = kernel, initrd, list(devices)
        self.memory_mib, self.seconds = memory_mib, seconds
        self.monitor = str(Path(initrd).with_suffix(".qmp"))
        self.qmp, self.killed = None, False

    def lines(self):
        """Boots; gives each line that the machine prints on its serial port.

        Raises MachineError when the machine does not end in time.
        """
        command = [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", "2", "-m", str(self.memory_mib), "-nodefaults", "-display", "none", "-no-reboot",
            "-serial", "stdio", "-qmp", f"unix:{self.monitor},server,nowait",
            "-kernel", str(self.kernel.image), "-initrd", str(self.initrd),
            "-append", "console=ttyS0 quiet panic=-1 no_timer_check nowatchdog mitigations=off", *self.devices,
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

        def kill():
            self.killed = True
            process.kill()

        timer = threading.Timer(self.seconds, kill)
        timer.start()
        try:
            for line in process.stdout:
                yield line.decode(errors="replace").rstrip()
            process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
        if self.killed:
            raise MachineError(f"expected the machine to end within {self.seconds} s, found it running; see what it printed")

    def command(self, name, **arguments):
        """Sends a command to qemu while the machine runs, as screendump or send-key; returns its answer."""
        if self.qmp is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.monitor)
            self.qmp = connection.makefile("rw")
            self.qmp.readline()
            self.command("qmp_capabilities")
        self.qmp.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "return" in answer or "error" in answer:
                return answer

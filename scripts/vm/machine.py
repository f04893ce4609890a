"""A small virtual machine, x86-64 or ARM64, with Debian's own kernel, for trials with real drivers: no root, no KVM.

    kernel = Kernel.fetch()                                Debian's kernel and modules, unpacked into the cache
    kernel = Kernel.fetch("arm64")                         the same for ARM64, on a machine of either kind
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder) / "tree", kernel, ["vivid"])   what the machine boots from, a folder that becomes an initrd
        tree.program(Path("target/debug/usher"), "usher")  a program with the shared libraries that it needs
        tree.init("echo hello")                            a shell script that runs as process 1, then power off
        for line in Machine(kernel, tree.pack()).lines():  what it prints, line by line
            ...

Needs qemu, busybox (static), kmod, cpio and zstd; on Debian as root they are installed. The kernel is the one that apt
offers today, since Debian's mirrors keep no older one; its version is printed, and kept in the cache. Packages of
another architecture than the host's are asked for with apt lists of their own, in the cache, so that the host's apt and
dpkg stay as they are.
"""

import ctypes
import fcntl
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("USHER_CACHE") or Path.home() / ".cache" / "usher") / "vm"
PACKAGES = {
    "busybox": "busybox-static",
    "depmod": "kmod",
    "cpio": "cpio",
    "zstd": "zstd",
}
# Where Debian's packages of another architecture come from.
MIRRORS = """\
deb [signed-by={keyring}] http://deb.debian.org/debian bookworm main
deb [signed-by={keyring}] http://deb.debian.org/debian bookworm-updates main
deb [signed-by={keyring}] http://deb.debian.org/debian-security bookworm-security main
"""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


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


@dataclass(frozen=True)
class Architecture:
    """What differs between machines of two kinds."""

    debian: str  # Debian's name of it
    kernel: str  # the kernel's name of it, as make's ARCH
    emulator: str
    emulator_package: str
    machine: tuple  # arguments of qemu
    console: str  # the kernel's name of the serial port
    append: str  # further words for the kernel
    tools: str  # prefix of its compiler
    tools_package: str


# Emulated AVX makes each number a call from code with registers of 256 bits to code with ones of 128, which some processors
# punish: a network of two seconds took minutes. Its kernels are tried where they run natively.
WITHOUT_AVX = "max,-avx,-avx2,-fma"

ARCHITECTURES = {
    "amd64": Architecture(
        "amd64", "x86_64", "qemu-system-x86_64", "qemu-system-x86", ("-machine", "q35", "-cpu", WITHOUT_AVX), "ttyS0",
        "no_timer_check nowatchdog mitigations=off", "x86_64-linux-gnu-", "build-essential",
    ),
    "arm64": Architecture(
        "arm64", "arm64", "qemu-system-aarch64", "qemu-system-arm",
        ("-machine", "virt,gic-version=3", "-cpu", "cortex-a72"), "ttyAMA0", "nowatchdog mitigations=off",
        "aarch64-linux-gnu-", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    ),
}  # fmt: skip


@contextmanager
def lock(name):
    """Holds the lock file of this name in the cache, so that nobody makes the same thing beside us."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def host():
    """Debian's name of the architecture that this program runs on."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


def need_tools(wanted=None):
    """Installs what is missing of these tools (program: Debian package), where that is possible.

    Raises MachineError naming what is missing where it is not.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    os.environ["PATH"] = path
    wanted = {**PACKAGES, **(wanted or {})}
    missing = [part for tool, package in wanted.items() if not shutil.which(tool) for part in package.split()]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise MachineError(f"expected {', '.join(missing)}, found none; sudo apt-get install {' '.join(missing)}")
    run(["apt-get", "-qq", "update"])
    install = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *missing]
    run(install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def apt_options(architecture):
    """Options with which apt offers packages of this architecture; none where it is the host's."""
    if architecture == host():
        return []
    folder = CACHE / f"apt-{architecture}"
    for part in ["lists/partial", "archives/partial"]:
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(MIRRORS.format(keyring=KEYRING))
    (folder / "status").touch()
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",  # the cache belongs to whoever runs this
        "Acquire::Languages": "none",
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def apt(architecture, command, *words, **options):
    """Runs apt-get or apt-cache for this architecture, with new lists where the old ones do not suffice."""
    ask = [command, *apt_options(architecture), *words]
    try:
        told = run(ask, **options)
        if told or command == "apt-get":
            return told
    except MachineError:  # lists may be old or missing
        if architecture == host() and os.geteuid() != 0:
            raise
    run(["apt-get", *apt_options(architecture), "-qq", "update"])
    return run(ask, **options)


def unpack(packages, folder, architecture=None):
    """Downloads Debian packages by apt and unpacks them into a folder, without installing anything."""
    with tempfile.TemporaryDirectory() as downloads:
        apt(architecture or host(), "apt-get", "-qq", "download", *packages, cwd=downloads)
        for archive in sorted(Path(downloads).glob("*.deb")):
            run(["dpkg", "-x", str(archive), str(folder)])


class Kernel:
    """Debian's kernel and its modules, in the cache."""

    def __init__(self, folder, version, architecture="amd64"):
        """Use :meth:`fetch`."""
        self.folder, self.version, self.architecture = folder, version, ARCHITECTURES[architecture]

    @classmethod
    def fetch(cls, architecture="amd64"):
        """The kernel that apt offers for this architecture, from the cache if it is there."""
        kind = ARCHITECTURES[architecture]
        need_tools({kind.emulator: kind.emulator_package})
        offered = apt(architecture, "apt-cache", "depends", f"linux-image-{architecture}")
        found = re.search(r"Depends: linux-image-(\S+)", offered)
        version = found.group(1) if found else None
        if version is None or not (CACHE / version / "complete").exists():
            kept = sorted(path.parent.name for path in CACHE.glob(f"*-{architecture}/complete"))
            if version is None and not kept:
                raise MachineError(f"expected apt to offer linux-image-{architecture}, found nothing; apt-get update")
            version = version or kept[-1]
        folder = CACHE / version
        with lock(f"{version}.lock"):
            if not (folder / "complete").exists():
                print(f"fetching the kernel {version} into {folder}", file=sys.stderr)
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                unpack([f"linux-image-{version}"], folder, architecture)
                run(["depmod", "-b", str(folder), version])
                (folder / "complete").touch()
        return cls(folder, version, architecture)

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
        with lock(f"{self.version}.lock"):
            if not built.exists():
                self._make_module(package, name, built)
        return built

    def _make_module(self, package, name, built):
        compiler = "gcc" if self.architecture.debian == host() else f"{self.architecture.tools}gcc"
        need_tools({"make": "make", "gcc": "gcc libc6-dev", compiler: self.architecture.tools_package})
        folder = self.folder / "build"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        # 6.1.0-56-amd64 -> 6.1.0-56-common and linux-kbuild-6.1
        abi = self.version.rsplit("-", 1)[0]
        series = ".".join(self.version.split(".")[:2])
        unpack([f"linux-headers-{self.version}", f"linux-headers-{abi}-common"], folder, self.architecture.debian)
        # The tools that build are programs of the host.
        unpack([f"linux-kbuild-{series}", package], folder)
        source = next((folder / "usr" / "src").glob(f"{name}-*"))
        tree = folder / "usr" / "src" / f"linux-headers-{self.version}"
        # The one place where the headers name each other by absolute paths.
        makefile = tree / "Makefile"
        makefile.write_text(makefile.read_text().replace("/usr/src/", f"{folder}/usr/src/"))
        make = ["make", "-s", "-C", str(tree), f"M={source}", f"ARCH={self.architecture.kernel}"]
        if self.architecture.debian != host():
            make.append(f"CROSS_COMPILE={self.architecture.tools}")
        run([*make, "modules"])
        built.parent.mkdir(exist_ok=True)
        shutil.copy(source / f"{name}.ko", built)
        shutil.rmtree(folder)


def busybox(architecture):
    """Debian's static busybox for this architecture: the host's own, or one in the cache."""
    if architecture == host():
        return Path(shutil.which("busybox"))
    folder = CACHE / f"busybox-{architecture}"
    found = [folder / place for place in ("bin/busybox", "usr/bin/busybox")]
    with lock(f"{folder.name}.lock"):
        if not any(file.exists() for file in found):
            unpack(["busybox-static"], folder, architecture)
    return next(file for file in found if file.exists())


def compile_static(source, target, architecture):
    """Compiles a C file into one static program for this architecture."""
    compiler = "gcc" if architecture == host() else f"{ARCHITECTURES[architecture].tools}gcc"
    need_tools({compiler: ARCHITECTURES[architecture].tools_package})
    run([compiler, "-O1", "-static", "-o", str(target), str(source)])


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
        shutil.copy(busybox(kernel.architecture.debian), self.folder / "bin" / "busybox")
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


def end_with_us():
    """Makes the kernel end this process when the one that started it ends, however it does (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def patient_lines(stream, wait):
    """Lines of a stream, and None whenever none came for `wait` seconds."""
    left = b""
    while True:
        ready, _, _ = select.select([stream], [], [], wait)
        if not ready:
            yield None
            continue
        data = os.read(stream.fileno(), 1 << 16)
        if not data:
            break
        *lines, left = (left + data).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").rstrip()
    if left:
        yield left.decode(errors="replace").rstrip()


class Machine:
    """A machine that boots, prints, and powers itself off."""

    def __init__(self, kernel, initrd, devices=(), memory_mib=1024, seconds=300, words=""):
        """`devices` are further arguments of qemu, `words` further ones of the kernel; after `seconds` it is killed.

        Where `initrd` is None the machine starts from its disk, and `kernel` says what kind of machine it is.
        """
        self.kernel, self.initrd, self.devices = kernel, initrd, list(devices)
        self.memory_mib, self.seconds, self.words = memory_mib, seconds, words
        self.folder = tempfile.TemporaryDirectory(prefix="usher-qmp-")
        self.monitor = str(Path(self.folder.name) / "qmp")
        self.qmp, self.killed, self.process = None, False, None

    def lines(self, wait=None):
        """Boots; gives each line that the machine prints on its serial port.

        With `wait` it also gives None whenever that many seconds have passed without a line. Whoever stops asking for
        lines cuts the machine's power.

        Raises MachineError when the machine does not end in time.
        """
        kind = self.kernel.architecture
        command = [
            kind.emulator, *kind.machine, "-accel", "tcg,thread=multi", "-smp", "2", "-m", str(self.memory_mib),
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
            "-qmp", f"unix:{self.monitor},server,nowait",
        ]  # fmt: skip
        if self.initrd is not None:
            append = f"console={kind.console} quiet panic=-1 {kind.append} {self.words}".strip()
            command += ["-kernel", str(self.kernel.image), "-initrd", str(self.initrd), "-append", append]
        command += self.devices
        Path(self.monitor).unlink(missing_ok=True)
        self.process = process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=end_with_us
        )

        def kill():
            self.killed = True
            process.kill()

        timer = threading.Timer(self.seconds, kill)
        timer.start()
        try:
            if wait is None:
                for line in process.stdout:
                    yield line.decode(errors="replace").rstrip()
            else:
                yield from patient_lines(process.stdout, wait)
            process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
            self.qmp = None
        if self.killed:
            raise MachineError(f"expected the machine to end within {self.seconds} s, found it running; see what it printed")

    def press(self, keys):
        """Presses keys of qemu's names one after the other; "shift-j" is two at once."""
        for key in keys:
            values = [{"type": "qcode", "data": part} for part in key.split("-")]
            self.command("send-key", keys=values)
            time.sleep(0.4)

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

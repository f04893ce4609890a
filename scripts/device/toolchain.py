"""What a build for the device needs, from registries alone: Rust with the target's standard library, a linker that
asks for an old glibc, and where libclang finds the target's headers.

    toolchain = Toolchain.fetch(AARCH64)                 brings what is missing into the cache
    subprocess.run([toolchain.cargo, "build", *toolchain.target_arguments], env=toolchain.environment())
    subprocess.run([*AARCH64.emulator(), program], env=toolchain.environment())

The compiler for C and the linker are zig's (pinned in scripts/device/zig.json, 80 MB): it knows each version of glibc,
brings the kernel's headers, and needs no package of the system. Rust is the one on the PATH if it has the target's
standard library, or gets it by rustup; else Debian's rustc-web, cargo-web and libstd-rust-web-dev are unpacked into the
cache (about 150 MB), which works on Debian 12 and what is newer. Nothing is installed but by apt, as root, what
`need_tools` names.
"""

import contextlib
import dataclasses
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DEVICE = Path(__file__).resolve().parent
ROOT = DEVICE.parent.parent
sys.path.insert(0, str(DEVICE.parent))
import fetch  # noqa: E402  (scripts/fetch.py)

# JetPack 5, Debian 11 and Ubuntu 20.04 have it; later ones run what it runs.
GLIBC = (2, 31)
# Of Cargo.toml: a release that is small.
PROFILE = "device"
DEBIAN_SOURCES = """\
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {suite} main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security {suite}-security main
"""
# What Debian's Rust is made of: for the machine that builds, and for the one that it builds for.
DEBIAN_RUST = ("rustc-web", "cargo-web")
DEBIAN_STD = "libstd-rust-web-dev"
# Packages of the system, by the command or file that shows them.
TOOLS = {"readelf": "binutils", "cc": "gcc", "qemu-aarch64": "qemu-user", "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu"}


class ToolchainError(Exception):
    """Something that was expected is not so; the message ends in what to do."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A processor that is built for."""

    name: str  # as uname calls it, and the folder under build/
    debian: str  # as Debian calls it

    @property
    def triple(self):
        """As Rust calls it."""
        return f"{self.name}-unknown-linux-gnu"

    def emulator(self, *options):
        """How a program that is linked to shared libraries is run on x86-64."""
        if self.name == os.uname().machine:
            return []
        return [f"qemu-{self.name}", "-L", f"/usr/{self.name}-linux-gnu", *options]


AARCH64 = Target("aarch64", "arm64")
X86_64 = Target("x86_64", "amd64")
TARGETS = {target.name: target for target in (AARCH64, X86_64)}


def run(command, **options):
    """Runs a command and returns what it prints.

    Raises ToolchainError when it fails.
    """
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    except OSError as error:
        raise ToolchainError(f"expected to run {command[0]}, found: {error}; install it") from error
    if done.returncode != 0:
        told = (done.stderr or done.stdout).strip().splitlines()[-4:]
        by_hand = " ".join(map(str, command))
        raise ToolchainError(f"expected {command[0]} to succeed, found: {' '.join(told)}; run it by hand: {by_hand}")
    return done.stdout


def has_libclang():
    """Whether bindgen will find libclang: v4l's build reads the kernel's headers by it."""
    places = ("/usr/lib/llvm-*/lib/libclang*.so*", "/usr/lib*/libclang*.so*", "/usr/lib/*/libclang*.so*")
    return "LIBCLANG_PATH" in os.environ or any(glob.glob(place) for place in places)


def need_tools(*commands, libclang=False):
    """Installs what is missing by apt, where this is root's machine and has it.

    Raises ToolchainError naming what is missing where it cannot.
    """
    missing = sorted({TOOLS.get(command, command) for command in commands if not shutil.which(command)})
    if libclang and not has_libclang():
        missing.append("libclang-dev")
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ToolchainError(f"expected {', '.join(missing)}, found none; sudo apt-get install {' '.join(missing)}")
    fetch.say(f"  installing {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-qq", "update"])
    run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing], env=environment)


# ---------------------------------------------------------------- zig

WRAPPER = """\
#!/bin/sh
# Compiles C and links for {name} with glibc {glibc}, by zig. Options that zig does not know are left out.
for argument; do
    shift
    case $argument in
        --target=* | -Wl,--fix-cortex-a53-843419 | -Wl,-O1) ;;
        -fuse-ld=* | -B*gcc-ld) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
export ZIG_GLOBAL_CACHE_DIR='{cache}' ZIG_LOCAL_CACHE_DIR='{cache}'
"""
# zig takes neither of these options, but its linker does. Without the first a Cortex-A53 (many a small board) may compute
# a wrong address; the second keeps functions that are the same only once. So zig links once and
# shows the call of its linker, which is then made again with them.
LINKER_OPTIONS = {"aarch64": "--fix-cortex-a53-843419 --icf=all", "x86_64": "--icf=all"}
LINK_AGAIN = """\
case " $* " in *" -c "* | *" -E "* | *" -S "*) exec '{zig}' cc -target {name}-linux-gnu.{glibc} "$@" ;; esac
shown=$(mktemp)
trap 'rm -f "$shown"' EXIT
ZIG_VERBOSE_LINK=1 '{zig}' cc -target {name}-linux-gnu.{glibc} "$@" 2>"$shown"
status=$?
if [ $status -ne 0 ]; then
    grep -v '^ld.lld ' "$shown" >&2
    exit $status
fi
set -f
# shellcheck disable=SC2046
set -- $(grep '^ld.lld ' "$shown" | tail -n 1)
[ $# -gt 1 ] || exit 0
shift
'{zig}' ld.lld {options} "$@"
"""


# glibc as a static library is Debian's; zig has none. gcc is shown zig's linker, for the same options.
LINK_STATIC = """\
#!/bin/sh
# Links for {name} with Debian's static glibc.
for argument; do
    shift
    case $argument in
        -fuse-ld=* | -B*gcc-ld) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec {name}-linux-gnu-gcc -B'{ld}' -fuse-ld=lld "$@"
"""


def zig(cache):
    """The folder of the pinned zig, fetched if need be."""
    [artifact] = json.loads((DEVICE / "zig.json").read_text())["artifacts"]
    if why := fetch.not_for_here(artifact):
        raise ToolchainError(f"zig: {why}; build on such a machine")
    try:
        return fetch.fetch(artifact, cache)
    except fetch.FetchError as error:
        raise ToolchainError(str(error)) from error


def write_wrapper(place, text):
    """Writes a program unless it is there already: builds that run meanwhile go on."""
    if place.is_file() and place.read_text() == text:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}-{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.replace(place)


# ---------------------------------------------------------------- Rust


def has_std(rustc, target, environment=None):
    """Whether this compiler has the target's standard library."""
    with contextlib.suppress(ToolchainError):
        place = run([rustc, "--print", "target-libdir", "--target", target.triple], env=environment, cwd=ROOT).strip()
        return any(Path(place).glob("libstd-*.rlib"))
    return False


def rustup_brings(target):
    """Whether rustup has just installed the target's standard library."""
    if not shutil.which("rustup"):
        return False
    with contextlib.suppress(ToolchainError, subprocess.TimeoutExpired):
        run(["rustup", "target", "add", target.triple], cwd=ROOT, timeout=300)
        return has_std("rustc", target)
    return False


def debian_suite():
    """The name of the release that this machine runs, as bookworm."""
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    if not found or not re.search(r"^ID=debian", text, re.MULTILINE):
        raise ToolchainError("expected Debian, or a rustup that brings the target's standard library, found neither; "
                             "rustup target add aarch64-unknown-linux-gnu")
    return found[1]


class PrivateApt:
    """apt with lists of its own, for x86-64 and ARM packages alike: nothing of the system's apt is touched."""

    def __init__(self, folder, suite):
        """Keeps its state in that folder."""
        self.folder = folder
        for name in ("lists/partial", "cache/archives/partial", "parts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "sources.list").write_text(DEBIAN_SOURCES.format(suite=suite))
        self.options = [
            "-o", "APT::Architecture=amd64", "-o", "APT::Architectures::=amd64", "-o", "APT::Architectures::=arm64",
            "-o", f"Dir::State::lists={folder}/lists", "-o", "Dir::State::status=/var/lib/dpkg/status",
            "-o", f"Dir::Cache={folder}/cache", "-o", f"Dir::Etc::sourcelist={folder}/sources.list",
            "-o", f"Dir::Etc::sourceparts={folder}/parts", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1",
            "-o", "Acquire::Languages=none", "-o", "APT::Install-Recommends=0",
        ]  # fmt: skip

    def update(self):
        """Fetches the lists."""
        run(["apt-get", "-qq", *self.options, "update"])

    def unpack(self, packages, into):
        """Downloads packages and unpacks them, without installing anything."""
        with tempfile.TemporaryDirectory(dir=self.folder) as downloads:
            run(["apt-get", "-qq", *self.options, "download", *packages], cwd=downloads)
            unpack_all(Path(downloads), into)

    def unpack_with_libraries(self, packages, into):
        """The same with all that they need and this machine lacks."""
        command = ["apt-get", "-qq", "-y", *self.options, "--download-only", "--no-install-recommends", "install", *packages]
        run(command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        unpack_all(self.folder / "cache/archives", into)


def unpack_all(folder, into):
    """Unpacks the packages that lie in a folder."""
    for archive in sorted(folder.glob("*.deb")):
        run(["dpkg", "-x", archive, into])


def debian_rust(cache, target):
    """The folder of Debian's Rust with the target's standard library, unpacked if need be."""
    place = cache / "cross" / f"rust-{target.debian}"
    if (place / fetch.STAMP).is_file():
        return place
    suite = debian_suite()
    fetch.say(f"Debian's Rust for {target.debian}, because rustup does not bring the standard library (about 150 MB)")
    with fetch.locked(cache) as temporary:
        made = temporary / "made"
        made.mkdir()
        apt = PrivateApt(temporary / "apt", suite)
        apt.update()
        apt.unpack_with_libraries(DEBIAN_RUST, made)
        if target is not X86_64:
            apt.unpack([f"{DEBIAN_STD}:{target.debian}"], made)
        environment = rust_environment(made)
        if not has_std(made / "usr/bin/rustc", target, environment):
            raise ToolchainError(f"expected Debian's Rust to have {target.triple}, found it without; see {DEBIAN_STD} in {suite}")
        shutil.rmtree(temporary / "apt")
        place.parent.mkdir(exist_ok=True)
        fetch.settle(made, place, temporary, suite)
    return place


def library_folder(rust):
    """Where Debian keeps the libraries of this machine."""
    return rust / "usr/lib/x86_64-linux-gnu"


def rust_environment(rust):
    """What makes an unpacked Rust run."""
    libraries = [str(library_folder(rust)), os.environ.get("LD_LIBRARY_PATH")]
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)), "RUSTC": str(rust / "usr/bin/rustc")}


# ---------------------------------------------------------------- all of it


class Toolchain:
    """Everything that a build for a target needs."""

    def __init__(self, target, cache, zig_folder, rust):
        """Use :meth:`fetch`. `rust` is the folder of an unpacked Rust, None for the one on the PATH."""
        self.target, self.cache, self.zig, self.rust = target, cache, zig_folder, rust
        self.cargo = str(rust / "usr/bin/cargo") if rust else "cargo"
        self.bin = cache / "cross"
        version = ".".join(map(str, GLIBC))
        words = {"zig": zig_folder / "zig", "name": target.name, "glibc": version, "cache": cache / "cross" / "zig",
                 "options": LINKER_OPTIONS[target.name]}
        self.cc, self.ar = self.bin / f"{target.name}-cc", self.bin / f"{target.name}-ar"
        write_wrapper(self.cc, (WRAPPER + LINK_AGAIN).format(**words))
        ld = self.bin / f"{target.name}-ld"
        self.static_cc = self.bin / f"{target.name}-static-cc"
        write_wrapper(ld / "ld.lld", "#!/bin/sh\nexec '{zig}' ld.lld {options} \"$@\"\n".format(**words))
        write_wrapper(self.static_cc, LINK_STATIC.format(ld=ld, **words))
        write_wrapper(self.ar, f"#!/bin/sh\nexec '{words['zig']}' ar \"$@\"\n")

    @classmethod
    def fetch(cls, target, cache=None):
        """Brings what is missing.

        `USHER_RUST=debian` takes Debian's Rust, whatever the one on the PATH can do. Raises ToolchainError.
        """
        cache = cache or fetch.cache_folder()
        need_tools("readelf", libclang=True)
        folder = zig(cache)
        by_debian = os.environ.get("USHER_RUST") == "debian"
        own = not by_debian and (has_std("rustc", target) or rustup_brings(target))
        try:
            return cls(target, cache, folder, None if own else debian_rust(cache, target))
        except fetch.FetchError as error:
            raise ToolchainError(str(error)) from error

    @property
    def target_arguments(self):
        """What tells cargo for what to build."""
        return ["--target", self.target.triple]

    @property
    def target_folder(self):
        """Where cargo puts what it builds for the target."""
        return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / self.target.triple

    def environment(self, emulator=()):
        """The environment for cargo: the same for every build, because cargo builds all anew after a change of it."""
        words, upper = self.target.triple.replace("-", "_"), self.target.triple.upper().replace("-", "_")
        headers = self.zig / "lib/libc/include"
        folders = [f"{self.target.name}-linux-gnu", "generic-glibc"]
        folders += [f"{'x86' if self.target is X86_64 else self.target.name}-linux-any", "any-linux-any"]
        clang = [f"-D__GLIBC_MINOR__={GLIBC[1]}"]
        for folder in folders:
            clang += ["-isystem", str(headers / folder)]
        registry = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "registry/src"
        environment = rust_environment(self.rust) if self.rust else dict(os.environ)
        environment.update({
            f"CARGO_TARGET_{upper}_LINKER": str(self.cc),
            # No path of the machine that built it stands in the program.
            f"CARGO_TARGET_{upper}_RUSTFLAGS": f"--remap-path-prefix={registry}=/crates",
            f"CC_{words}": str(self.cc),
            f"AR_{words}": str(self.ar),
            f"BINDGEN_EXTRA_CLANG_ARGS_{words}": " ".join(clang),
        })  # fmt: skip
        if runner := self.target.emulator(*emulator):
            environment[f"CARGO_TARGET_{upper}_RUNNER"] = " ".join(runner)
        return environment

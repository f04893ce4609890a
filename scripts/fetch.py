#!/usr/bin/env python3
"""Fetches what scripts/downloads.json pins into the cache, and puts it where the workspace expects it.

Needs Python 3.9 and pip, nothing else. Every archive comes through pip from its configured package
index, is checked against its sha256, unpacked into a temporary folder of the cache, checked as a
whole, and only then renamed into place: a run that is cut off leaves nothing half-made, and the
next one clears away what it left.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent
STAMP = ".complete"  # inside a fetched folder: the digest that was checked when it was made
ONNX_CHECK = "onnx-check"
ONNX_CHECK_PYTHONS = ((3, 10), (3, 14))


class FetchError(Exception):
    """Something that was expected is not so: what, expected, found, and what to do."""

    def __init__(self, what, expected, found, remedy):
        super().__init__(what)
        self.what, self.expected, self.found, self.remedy = what, expected, found, remedy

    def __str__(self):
        found = "\n            ".join(str(self.found).splitlines())
        return f"{self.what}\n  expected  {self.expected}\n  found     {found}\n  remedy    {self.remedy}"


def say(text):
    print(text, flush=True)


def cache_folder():
    """The folder for everything downloaded: $USHER_CACHE, else ~/.cache/usher."""
    return Path(os.environ.get("USHER_CACHE") or Path.home() / ".cache" / "usher").absolute()


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def tree_digest(folder):
    """The sha256 over the sorted lines '<sha256>  <path>' of all files below folder, the stamp left out."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    lines = (f"{sha256_of(folder / name)}  {name}\n" for name in files if name != STAMP)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# ---------------------------------------------------------------- archives


def pip(arguments, temporary, what, remedy, **environment):
    """Runs pip with its cache off and its temporary files in the cache folder's file system."""
    environment = dict(os.environ, TMPDIR=str(temporary), PIP_REQUIRE_VIRTUALENV="0", **environment)
    command = [sys.executable, "-m", "pip", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    out = None if sys.stdout.isatty() else subprocess.DEVNULL  # a person sees the progress bar
    done = subprocess.run(command + arguments, env=environment, stdout=out, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise FetchError(what, "pip to succeed", "\n".join(lines[-8:]) or f"exit code {done.returncode}", remedy)


def download(source, temporary):
    """Downloads one pinned archive by pip and returns its path."""
    name, pinned = source["file"], f"{source['package']}=={source['version']}"
    to = Path(tempfile.mkdtemp(prefix="download-", dir=temporary))
    requirements = to / "requirements.txt"
    requirements.write_text(f"{pinned} --hash=sha256:{source['sha256']}\n")
    arguments = ["download", "--no-deps", "--require-hashes", "-r", str(requirements), "-d", str(to)]
    environment = {}
    if name.endswith(".whl"):
        # The tags of the pinned file's name, so that any Python on any machine asks for this very wheel.
        python_tag, abi, platforms = name[: -len(".whl")].rsplit("-", 3)[1:]
        version = "3." + python_tag[3:] if python_tag.startswith("cp3") else "3.11"
        arguments += ["--only-binary=:all:", "--implementation", "cp", "--python-version", version]
        arguments += ["--abi", abi] if abi.startswith("cp") else []
        for tag in platforms.split("."):
            arguments += ["--platform", tag] if tag != "any" else []
    else:
        arguments += ["--no-binary=:all:"]
        if "needs" in source:  # pinned too, instead of whatever pip would fetch to build with
            with zipfile.ZipFile(download(source["needs"], temporary)) as wheel:
                wheel.extractall(to / "needs")
            arguments += ["--no-build-isolation"]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(to / "needs"), os.environ.get("PYTHONPATH")]))
    say(f"  fetching {pinned} ({source['megabytes']} MB)")
    remedy = (
        "check that pip reaches its package index (python3 -m pip download six), then run scripts/setup again;\n"
        "            if the hash differs, the index serves another file than the one pinned in scripts/downloads.json"
    )
    pip(arguments, temporary, f"{name} could not be downloaded", remedy, **environment)
    archive = to / name
    if not archive.is_file():
        raise FetchError(name, f"pip to bring {name}", ", ".join(sorted(p.name for p in to.iterdir())),
                         "compare the version and the file name in scripts/downloads.json with the package index")
    found = sha256_of(archive)
    if found != source["sha256"]:
        raise FetchError(name, f"sha256 {source['sha256']}", f"sha256 {found}",
                         "run scripts/setup again; if it stays, the package index changed the file: do not use it")
    return archive


def members(archive):
    """All files of a wheel or a source archive: name -> function that opens it."""
    if archive.name.endswith(".whl"):
        wheel = zipfile.ZipFile(archive)
        return {i.filename: (lambda i=i: wheel.open(i)) for i in wheel.infolist() if not i.is_dir()}
    tar = tarfile.open(archive)
    return {m.name: (lambda m=m: tar.extractfile(m)) for m in tar if m.isfile()}


def unpack(source, archive, into):
    """Copies what source["take"] names out of the archive; a name that ends in '/' is a whole folder."""
    broken = (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError)
    remedy = "run scripts/setup again; if it stays, compare 'take' in scripts/downloads.json with the archive"
    try:
        have = members(archive)
        for take in source["take"]:
            if take["from"].endswith("/"):
                wanted = {n: take["to"] + n[len(take["from"]):] for n in have if n.startswith(take["from"])}
            else:
                wanted = {take["from"]: take["to"]} if take["from"] in have else {}
            if not wanted:
                raise FetchError(source["file"], f"a file {take['from']} in it", f"{len(have)} other files", remedy)
            for name, to in wanted.items():
                path = (into / to).resolve()
                if into.resolve() not in path.parents:
                    raise FetchError(source["file"], "paths inside the archive", name, "do not use this archive")
                path.parent.mkdir(parents=True, exist_ok=True)
                with have[name]() as reader, open(path, "wb") as writer:
                    shutil.copyfileobj(reader, writer, 1 << 20)
                path.chmod(int(take.get("mode", "644"), 8))
                if "sha256" in take and (found := sha256_of(path)) != take["sha256"]:
                    raise FetchError(f"{take['from']} in {source['file']}", f"sha256 {take['sha256']}", f"sha256 {found}", remedy)
    except broken as error:
        raise FetchError(source["file"], "a whole archive", f"{type(error).__name__}: {error}", remedy) from error


# ---------------------------------------------------------------- the cache


@contextlib.contextmanager
def locked(cache):
    """One fetch at a time per cache; clears what a killed run left and gives a temporary folder."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  another setup is using the cache; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob("partial-*"):
            shutil.rmtree(left, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix="partial-", dir=cache))
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def wrong_with(artifact, cache, deep):
    """What is wrong with the artifact in the cache, or None; deep reads every byte again."""
    place = cache / artifact["place"]
    if not place.is_dir():
        return "not there yet"
    stamp = place / STAMP
    if not deep:
        named = [t["to"] for s in artifact["from"] for t in s["take"]]
        missing = [name for name in named if not (place / name).exists()]
        if missing:
            return f"{missing[0]} is missing"
        if stamp.is_file() and stamp.read_text().strip() == artifact["digest"]:
            return None
    found = tree_digest(place)
    return None if found == artifact["digest"] else f"its content has sha256 {found}, expected {artifact['digest']}"


def settle(made, place, temporary, digest):
    """Stamps a finished folder and renames it into place, an older one of that name out of the way."""
    (made / STAMP).write_text(digest + "\n")
    if place.exists():
        place.rename(temporary / "replaced")
    made.rename(place)


def fetch(artifact, cache):
    """Makes sure that the artifact is in the cache; returns its folder."""
    place = cache / artifact["place"]
    if wrong_with(artifact, cache, deep=False) is None:
        with contextlib.suppress(OSError):  # a folder that was made by hand and is right: check it only once
            if not (place / STAMP).exists():
                (place / STAMP).write_text(artifact["digest"] + "\n")
        return place
    megabytes = sum(s["megabytes"] for s in artifact["from"])
    say(f"{artifact['what']}")
    began = time.monotonic()
    with locked(cache) as temporary:
        if wrong_with(artifact, cache, deep=False) is None:  # another run was faster
            return place
        free = shutil.disk_usage(cache).free // 1_000_000
        if free < 3 * megabytes + 50:
            raise FetchError(str(cache), f"{3 * megabytes + 50} MB free for {artifact['name']}", f"{free} MB",
                             "free some space, or set USHER_CACHE to a folder on another disk")
        made = temporary / "made"
        made.mkdir()
        for name, text in artifact.get("write", {}).items():
            (made / name).write_text(text)
        for name, to in artifact.get("copy", {}).items():
            shutil.copyfile(ROOT / name, made / to)
        for source in artifact["from"]:
            archive = download(source, temporary)
            unpack(source, archive, made)
            shutil.rmtree(archive.parent)
        found = tree_digest(made)
        if found != artifact["digest"]:
            raise FetchError(f"the unpacked {artifact['name']}", f"digest {artifact['digest']}", f"digest {found}",
                             "run scripts/setup again; after a wanted change put the new digest into scripts/downloads.json")
        settle(made, place, temporary, artifact["digest"])
    say(f"  -> {place} ({time.monotonic() - began:.0f} s)")
    return place


def onnx_check_place(cache):
    lock = sha256_of(SCRIPTS / "onnx-check.lock")[:8]
    return cache / f"{ONNX_CHECK}-py{sys.version_info[0]}.{sys.version_info[1]}-{lock}"


def onnx_check_there(cache):
    # The interpreter is a link to the system's: it dangles after that one is removed.
    place = onnx_check_place(cache)
    return (place / STAMP).exists() and (place / "bin" / "python").exists()


def onnx_check_impossible():
    """Why there are no pinned onnx packages for this machine, or None."""
    low, high = ONNX_CHECK_PYTHONS
    if not low <= sys.version_info[:2] <= high:
        return f"no pinned packages for Python {sys.version_info[0]}.{sys.version_info[1]} (3.{low[1]} to 3.{high[1]} have them)"
    return not_for_here({"platform": "linux x86_64"})


def fetch_onnx_check(cache):
    """A Python with onnx and onnxruntime, for the tests that check exported networks; returns its path."""
    place = onnx_check_place(cache)
    if not onnx_check_there(cache):
        say("Python with onnx and onnxruntime, to check exported networks")
        say("  fetching the packages of scripts/onnx-check.lock (about 50 MB)")
        began = time.monotonic()
        with locked(cache) as temporary:
            made = temporary / "made"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
            packages = next((made / "lib").glob("python3*")) / "site-packages"
            pip(
                ["install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-warn-conflicts",
                 "--target", str(packages), "-r", str(SCRIPTS / "onnx-check.lock")],
                temporary,
                "the packages of scripts/onnx-check.lock could not be installed",
                "check that pip reaches its package index, then run scripts/setup again",
            )
            settle(made, place, temporary, "installed")
        say(f"  -> {place} ({time.monotonic() - began:.0f} s)")
    return place / "bin" / "python"


# ---------------------------------------------------------------- the workspace


def put(source, target):
    """Copies a file into the workspace unless it is there already; whole or not at all."""
    if target.is_file() and sha256_of(target) == sha256_of(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".put-", dir=target.parent)
    os.close(handle)
    shutil.copyfile(source, name)
    os.chmod(name, 0o644)
    os.replace(name, target)
    say(f"  -> {target.relative_to(ROOT)}")


def link_libtorch(place, cache):
    """Points .libtorch at the cache, unless it is the owner's own."""
    link = ROOT / ".libtorch"
    if link.is_symlink():
        target = Path(os.readlink(link))
        if target == place:
            return
        if cache not in target.parents:
            return say(f"  .libtorch is your own link to {target}: left as it is")
    elif link.exists():
        return say("  .libtorch is your own folder: left as it is")
    fresh = ROOT / f".libtorch-{os.getpid()}"
    fresh.symlink_to(place)
    fresh.replace(link)
    say(f"  -> .libtorch, a link to {place}")


def own_libtorch(cache):
    """Whether .libtorch is the owner's own (a CUDA workstation's, say)."""
    link = ROOT / ".libtorch"
    if link.is_symlink():
        return cache not in Path(os.readlink(link)).parents and link.exists()
    return link.exists()


def place_in_workspace(artifact, place, cache):
    if artifact["name"] == "libtorch":
        link_libtorch(place, cache)
    elif artifact["name"] == "detector":
        put(place / "yunet.onnx", ROOT / "models" / "yunet.onnx")
        put(place / "LICENSE", ROOT / "models" / "yunet.LICENSE.txt")
    elif artifact["name"] == "pictures":
        for source in artifact["from"]:
            for take in source["take"]:
                put(place / take["to"], ROOT / ".demo" / "pictures" / take["to"])


def not_for_here(artifact):
    """Why the artifact cannot be had on this machine, or None."""
    here = f"{platform.system().lower()} {platform.machine()}"
    if artifact.get("platform", here) == here:
        return None
    return f"only pinned for {artifact['platform']}, this is {here}"


def missing_in_workspace(artifact, cache):
    """What of the artifact is not where the workspace expects it, or None."""
    expected = {"libtorch": [".libtorch/lib/libtorch_cpu.so"], "detector": ["models/yunet.onnx"]}.get(artifact["name"], [])
    if artifact["name"] == "pictures":
        expected = [f".demo/pictures/{t['to']}" for s in artifact["from"] for t in s["take"]]
    return next((f"{path} is missing" for path in expected if not (ROOT / path).is_file()), None)


def check(artifacts, cache):
    """Prints what is there and what is missing; returns whether nothing is missing."""
    complete = True
    for artifact in artifacts:
        name, state = artifact["name"], "there"
        if name == "libtorch" and own_libtorch(cache):
            state = "there, your own .libtorch"
        elif why := not_for_here(artifact):
            state = f"not to be had: {why}"
            complete = complete and name != "libtorch"
        elif why := wrong_with(artifact, cache, deep=True) or missing_in_workspace(artifact, cache):
            state, complete = f"MISSING: {why}", False
        say(f"  {name:<12} {state}")
    return complete


def check_onnx(cache):
    why = onnx_check_impossible()
    there = onnx_check_there(cache)
    say(f"  {ONNX_CHECK:<12} " + (f"not to be had: {why}" if why else "there" if there else "MISSING: not there yet"))
    return bool(why) or there


def without_libtorch(why):
    return (
        f"libtorch: {why}.\n"
        "  Put a libtorch 2.13.0 for this machine at .libtorch (lib/ and include/ inside) to build the trainer.\n"
        "  What works without: cargo build, cargo test and the kiosk (shared and edge-runtime, the default members)."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="which artifacts (default: all of scripts/downloads.json, and onnx-check)")
    parser.add_argument("--check", action="store_true", help="only say what is there and what is missing (exit 1 if anything is)")
    parser.add_argument("--where", metavar="NAME", help="only print the path of a fetched tool: cargo-deny or onnx-check")
    parser.add_argument("--lock", type=Path, default=SCRIPTS / "downloads.json", help="the table of pinned downloads")
    parser.add_argument("--no-place", action="store_true", help="fill the cache only, leave the workspace alone")
    options = parser.parse_args()
    artifacts = json.loads(options.lock.read_text())["artifacts"]
    known = [a["name"] for a in artifacts] + [ONNX_CHECK]
    if unknown := [n for n in options.names if n not in known]:
        parser.error(f"unknown name {unknown[0]}; known are {', '.join(known)}")
    names, cache = options.names or known, cache_folder()
    artifacts = [a for a in artifacts if a["name"] in names]

    if options.where == ONNX_CHECK:
        return say(onnx_check_place(cache) / "bin" / "python") if onnx_check_there(cache) else 1
    if options.where:
        place = next((cache / a["place"] for a in artifacts if a["name"] == options.where), cache / "none")
        return say(place / options.where) if (place / STAMP).exists() else 1
    if options.check:
        complete = check(artifacts, cache)
        complete = (ONNX_CHECK not in names or check_onnx(cache)) and complete
        return 0 if complete else 1

    for artifact in artifacts:
        if artifact["name"] == "libtorch" and own_libtorch(cache) and not options.no_place:
            say("  .libtorch is your own: left as it is")
        elif why := not_for_here(artifact):
            say(without_libtorch(why) if artifact["name"] == "libtorch" else f"{artifact['name']}: {why}")
        else:
            place = fetch(artifact, cache)
            if not options.no_place:
                place_in_workspace(artifact, place, cache)
    if ONNX_CHECK in names:
        if why := onnx_check_impossible():
            say(f"{ONNX_CHECK}: {why}")
        else:
            fetch_onnx_check(cache)
    return 0


if __name__ == "__main__":
    if sys.version_info < (3, 9):
        sys.exit(f"scripts/fetch.py needs Python 3.9 or newer, this is {platform.python_version()}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the temporary folder is cleared away
    try:
        sys.exit(main())
    except FetchError as error:
        sys.exit(f"setup failed: {error}")
    except KeyboardInterrupt:
        sys.exit("setup stopped; nothing half-made was left, the next run goes on from here")

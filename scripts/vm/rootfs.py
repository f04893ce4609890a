"""A root file system put together from tars and files as a list of entries: no root rights, nothing unpacked.

    root = Rootfs()
    root.add_tar("base.tar", drop=DROPPED)      a whole system, without what matches these patterns
    root.add_deb("usher_0.1.0_arm64.deb")       what a package holds; its sysusers become users
    root.text("etc/hostname", "kiosk\\n")
    root.enable("usher.service")                as systemctl enable does
    root.squashfs("root.squashfs")              by mksquashfs, which reads a tar

Owners, modes and links are those of the tars; what is added here belongs to root. Times are one fixed moment, so that
the same parts give the same file system.
"""

import fnmatch
import io
import re
import subprocess
import tarfile
import tempfile

from machine import MachineError

# The moment that all files carry (2026-01-01): nothing that runs compares against it.
MOMENT = 1767225600
MERGED = ("bin", "sbin", "lib")
# Users that packages ask for get these ids in the order of asking, whatever other packages there are.
FIRST_ID = 960


class Rootfs:
    """Entries by path, without a leading slash, parents before children."""

    def __init__(self):
        """An empty one."""
        self.entries = {}
        self.tars = []

    def place(self, path):
        """The path of an entry: /lib/x lies at usr/lib/x."""
        path = re.sub(r"^(\./|/)+", "", path).rstrip("/")
        first, _, rest = path.partition("/")
        if first in MERGED and rest and first in self.entries and self.entries[first][0].issym():
            return f"usr/{path}"
        return path

    def put(self, info, source=None):
        """Adds an entry, with the folders above it; `source` is bytes, or a tar that holds it."""
        parent = info.name.rpartition("/")[0]
        if parent and parent not in self.entries:
            folder = tarfile.TarInfo(parent)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            self.put(folder)
        info.mtime = MOMENT
        self.entries.pop(info.name, None) if not info.isdir() else None
        self.entries[info.name] = (info, source)

    def add_tar(self, file, drop=()):
        """Adds what a tar (path or open stream) holds, but what matches one of the shell patterns."""
        tar = tarfile.open(file) if not hasattr(file, "read") else tarfile.open(fileobj=file)
        self.tars.append(tar)
        for info in tar:
            original = info.name
            info.name = self.place(original)
            if not info.name or info.ischr() or info.isblk():
                continue
            if any(fnmatch.fnmatchcase(info.name, pattern) for pattern in drop):
                continue
            if info.islnk():
                info.linkname = self.place(info.linkname)
                if info.linkname not in self.entries:
                    continue
            if info.isdir() and info.name in self.entries:
                continue
            # A copy with the old name, by which the tar finds the bytes.
            self.put(info, (tar, info) if info.isreg() else None)

    def add_deb(self, file):
        """Adds the files of a Debian package, and the users that its sysusers.d names."""
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(file)], capture_output=True, check=False)
        if done.returncode != 0:
            raise MachineError(f"expected a Debian package at {file}, found: {done.stderr.decode().strip()}; make it anew")
        before = set(self.entries)
        self.add_tar(io.BytesIO(done.stdout))
        for name in sorted(set(self.entries) - before):
            if re.match(r"usr/lib/sysusers\.d/[^/]+\.conf$", name):
                self.sysusers(self.read(name).decode())

    def read(self, path):
        """The bytes of a file, following no link.

        Raises MachineError when there is none.
        """
        info, source = self.entries.get(self.place(path), (None, None))
        if info is None or not info.isreg():
            raise MachineError(f"expected a file /{path} in the root, found none; make the minimal root anew")
        return source if isinstance(source, bytes) else source[0].extractfile(source[1]).read()

    def file(self, path, data, mode=0o644, owner=(0, 0)):
        """Adds a file with these bytes."""
        info = tarfile.TarInfo(self.place(path))
        info.size, info.mode, (info.uid, info.gid) = len(data), mode, owner
        self.put(info, data)

    def text(self, path, text, mode=0o644):
        """Adds a text file."""
        self.file(path, text.encode(), mode)

    def folder(self, path, mode=0o755):
        """Adds a folder, or changes its mode."""
        info = tarfile.TarInfo(self.place(path))
        info.type, info.mode = tarfile.DIRTYPE, mode
        self.put(info)

    def link(self, path, target):
        """Adds a symbolic link."""
        info = tarfile.TarInfo(self.place(path))
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        self.put(info)

    def mask(self, *units):
        """Keeps units from ever being started."""
        for unit in units:
            self.link(f"etc/systemd/system/{unit}", "/dev/null")

    def enable(self, unit):
        """Does what a unit's [Install] section asks for."""
        place = f"usr/lib/systemd/system/{unit}"
        found = re.findall(r"^(WantedBy|RequiredBy|Alias)=(.*)$", self.read(place).decode(), re.MULTILINE)
        if not found:
            raise MachineError(f"expected an [Install] section in {unit}, found none; it cannot be enabled")
        for kind, names in found:
            for name in names.split():
                if kind == "Alias":
                    self.link(f"etc/systemd/system/{name}", f"/{place}")
                else:
                    suffix = "wants" if kind == "WantedBy" else "requires"
                    self.link(f"etc/systemd/system/{name}.{suffix}/{unit}", f"/{place}")

    def sysusers(self, text):
        """Makes the users and memberships that a sysusers.d file asks for, with ids of their own."""
        files = {name: self.read(f"etc/{name}").decode().splitlines() for name in ("passwd", "group", "shadow")}

        def group(name, number=None):
            for line in files["group"]:
                if line.split(":")[0] == name:
                    return int(line.split(":")[2])
            taken = {int(line.split(":")[2]) for kind in ("group", "passwd") for line in files[kind]}
            number = number or next(free for free in range(FIRST_ID, 999) if free not in taken)
            files["group"].append(f"{name}:x:{number}:")
            return number

        for line in text.splitlines():
            words = re.findall(r'"[^"]*"|\S+', line)
            if not words or words[0].startswith("#"):
                continue
            words = [word.strip('"') for word in words] + ["-"] * 6
            kind, name = words[0].rstrip("!"), words[1]
            if kind == "g":
                group(name)
            elif kind == "u" and not any(entry.split(":")[0] == name for entry in files["passwd"]):
                number = group(name)
                about, home, shell = ("" if words[3] == "-" else words[3]), words[4], words[5]
                home = "/" if home == "-" else home
                shell = "/usr/sbin/nologin" if shell == "-" else shell
                files["passwd"].append(f"{name}:x:{number}:{number}:{about}:{home}:{shell}")
                files["shadow"].append(f"{name}:!*:1::::::")
            elif kind == "m":
                group(words[2])
                files["group"] = [
                    entry + ("" if entry.endswith(":") else ",") + name if entry.split(":")[0] == words[2] else entry
                    for entry in files["group"]
                ]
        for name, lines in files.items():
            info = self.entries[f"etc/{name}"][0]
            self.file(f"etc/{name}", ("\n".join(lines) + "\n").encode(), info.mode, (info.uid, info.gid))

    def size(self):
        """Bytes of all files."""
        return sum(info.size for info, _ in self.entries.values() if info.isreg())

    def tar(self, stream):
        """Writes all of it as a tar."""
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as out:
            for info, source in self.entries.values():
                info.pax_headers = {}  # they would name it as it was
                data = None
                if info.isreg():
                    data = io.BytesIO(source) if isinstance(source, bytes) else source[0].extractfile(source[1])
                out.addfile(info, data)

    def squashfs(self, file):
        """Writes it as a squashfs, compressed by gzip, which GRUB reads.

        Raises MachineError when mksquashfs fails.
        """
        command = ["mksquashfs", "-", str(file), "-tar", "-noappend", "-no-progress", "-quiet", "-comp", "gzip"]
        command += ["-Xcompression-level", "6", "-b", "256K", "-mkfs-time", str(MOMENT)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            self.tar(process.stdin)
            process.stdin.close()
        except BrokenPipeError:
            pass
        told = process.stdout.read().decode(errors="replace")
        if process.wait() != 0:
            raise MachineError(f"expected mksquashfs to succeed, found: {told.strip()[-300:]}; run it by hand")


def libraries(root, programs):
    """The paths of the shared libraries that these programs of the root need, and of the loader."""
    found, waiting = [], list(programs)
    while waiting:
        with tempfile.NamedTemporaryFile() as file:
            file.write(root.read(waiting.pop()))
            file.flush()
            told = subprocess.run(["readelf", "-dlW", file.name], capture_output=True, check=False).stdout
        names = re.findall(rb"\(NEEDED\).*\[(.+?)\]", told)
        loader = re.search(rb"interpreter: (\S+?)\]", told)
        for name in [*names, *([loader.group(1).rpartition(b"/")[2]] if loader else [])]:
            path = resolve(root, f"usr/lib/aarch64-linux-gnu/{name.decode()}")
            pair = (f"lib/aarch64-linux-gnu/{name.decode()}", path)
            if pair not in found:
                found.append(pair)
                waiting.append(path)
    return found


def resolve(root, path):
    """Follows links to a file."""
    for _ in range(8):
        entry = root.entries.get(root.place(path))
        if entry is None:
            break
        if not entry[0].issym():
            return root.place(path)
        target = entry[0].linkname
        path = target if target.startswith("/") else f"{path.rpartition('/')[0]}/{target}"
    raise MachineError(f"expected /{path} in the root, found none; make the minimal root anew")


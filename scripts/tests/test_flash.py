"""Tests of scripts/flash: disks on plain files and loop devices, and a kiosk behind a real sshd with a real dpkg.

The kiosk is this machine's own root with a layer over it that is thrown away (overlayfs in a mount namespace), and sshd
in it on a loopback port. Only usher and systemctl are stand-ins. That part needs root, unshare and openssh-server.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import textwrap
import time
import unittest
from pathlib import Path

import script

ROOT = Path(__file__).resolve().parent.parent.parent
FLASH = ROOT / "scripts" / "flash"
IS_ROOT = os.geteuid() == 0


def flash(*arguments, given=None, **environment):
    return script.run(FLASH, *arguments, given=given, **environment)


class Place(script.Place):
    def file(self, name, size, byte=None):
        path = self.folder / name
        path.write_bytes(os.urandom(size) if byte is None else bytes([byte]) * size)
        return path


class Disk(Place):
    def setUp(self):
        super().setUp()
        self.image = self.file("kiosk.img", 1 << 20)

    def flash(self, device, *more, **environment):
        return flash("--device", device, "--image", self.image, *more, **environment)

    def test_wrong_usage(self):
        for arguments, said in [((), "--device or --host"), (("--device", "/dev/x", "--host", "kiosk"), "not both"),
                                (("--device",), "needs a value"), (("--frob",), "--frob"),
                                (("--device", "/dev/x", "--model", "m"), "--host"),
                                (("--host", "kiosk", "--wait", "soon"), "--wait")]:
            code, output = flash(*arguments)
            self.assertEqual(code, 2, output)
            self.assertIn(said, output)
        code, output = flash("--help")
        self.assertEqual(code, 0)
        self.assertIn("--allow-file", output)

    def test_a_file_is_written_and_compared_and_the_rest_left(self):
        disk = self.file("disk", 3 << 20, 7)
        code, said = self.flash(disk, "--allow-file", "--yes", "disk")
        self.assertEqual(code, 0, said)
        written = disk.read_bytes()
        self.assertEqual(written[:1 << 20], self.image.read_bytes())
        self.assertEqual(written[1 << 20:], bytes([7]) * (2 << 20))
        self.assertIn("written and compared", said)

    def test_what_is_no_disk_is_refused(self):
        disk = self.file("disk", 2 << 20, 7)
        small = self.file("small", (1 << 20) - 512, 7)
        for device, more, said in [
            (disk, (), "a block device"),
            (self.folder, ("--allow-file",), "a block device"),
            ("/dev/null", ("--allow-file",), "a block device"),
            (self.folder / "nothing", (), "plug it in"),
            (small, ("--allow-file", "--yes", "small"), "too small"),
            (disk, ("--allow-file", "--yes", "sda"), "another name"),
            (disk, ("--allow-file",), "nobody to ask"),
        ]:
            code, output = self.flash(device, *more)
            self.assertEqual(code, 1, output)
            self.assertIn(said, output)
        self.assertEqual(disk.read_bytes(), bytes([7]) * (2 << 20))

    def test_what_is_no_image_is_refused(self):
        disk = self.file("disk", 2 << 20, 7)
        for content in (None, b"", b"x" * 1000):
            self.image.unlink(missing_ok=True)
            if content is not None:
                self.image.write_bytes(content)
            code, said = self.flash(disk, "--allow-file", "--yes", "disk")
            self.assertEqual(code, 1, said)
            self.assertIn("no image", said)

    def test_a_disk_that_loses_data_is_found_out(self):
        disk = self.file("disk", 2 << 20, 7)
        stand_in = self.folder / "bin"
        stand_in.mkdir()
        (stand_in / "dd").write_text('#!/bin/sh\n/bin/dd "$@"\nfor a; do case $a in of=*) f=${a#of=} ;; esac; done\n'
                                     'printf x | /bin/dd of="$f" bs=1 seek=4242 conv=notrunc status=none\n')
        (stand_in / "dd").chmod(0o755)
        code, said = self.flash(disk, "--allow-file", "--yes", "disk", PATH=f"{stand_in}:{os.environ['PATH']}")
        self.assertEqual(code, 1, said)
        self.assertIn("does not hold what was written", said)
        self.assertIn("half written", said)

    def test_the_systems_own_disk_is_refused(self):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            disk = Path("/sys/dev/block") / fields[2]
            if fields[4] == "/" and disk.exists():
                name = disk.resolve().name
                if (disk / "partition").exists():
                    code, said = self.flash(f"/dev/{name}", "--yes", "not-this")
                    self.assertIn("a partition is no disk", said)
                    name = disk.resolve().parent.name
                break
        else:
            self.skipTest("the root of this system is on no block device")
        # Were it not refused, the wrong name would still keep it from being written.
        code, said = self.flash(f"/dev/{name}", "--yes", "not-this")
        self.assertEqual(code, 1, said)
        self.assertIn("this system's /", said)


def loop_devices():
    return IS_ROOT and shutil.which("losetup") and subprocess.run(
        ["losetup", "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(loop_devices(), "loop devices need root and losetup")
class LoopDevice(Place):
    def setUp(self):
        super().setUp()
        self.image = self.file("kiosk.img", 1 << 20)
        self.disk = self.file("disk", 8 << 20, 7)
        self.device = subprocess.run(["losetup", "-f", "--show", self.disk], check=True, stdout=subprocess.PIPE,
                                     text=True).stdout.strip()
        self.addCleanup(subprocess.run, ["losetup", "-d", self.device], check=True)

    def flash(self, *more):
        return flash("--device", self.device, "--image", self.image, "--yes", Path(self.device).name, *more)

    def test_it_is_written_and_an_old_table_at_its_end_is_gone(self):
        code, said = self.flash()
        self.assertEqual(code, 0, said)
        self.assertIn(f"ERASES  everything on {self.device}", said)
        written = self.disk.read_bytes()
        self.assertEqual(written[:1 << 20], self.image.read_bytes())
        self.assertEqual(written[1 << 20:7 << 20], bytes([7]) * (6 << 20))
        self.assertEqual(written[7 << 20:], bytes(1 << 20))

    def flash_while_mounted(self, device):
        place = self.folder / "mounted"
        place.mkdir()
        subprocess.run(["mount", device, place], check=True)
        try:
            return place, *self.flash()
        finally:
            subprocess.run(["umount", place], check=True)

    def test_a_mounted_one_is_refused(self):
        subprocess.run(["mkfs.ext4", "-q", self.device], check=True)
        place, code, said = self.flash_while_mounted(self.device)
        self.assertEqual(code, 1, said)
        self.assertIn(f"mounted at {place}", said)
        self.assertEqual(self.flash()[0], 0)

    def test_a_partition_is_refused_and_one_in_use_protects_its_disk(self):
        subprocess.run(["sfdisk", "-q", self.device], check=True, input="label: dos\nsize=6M\n", text=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        name = Path(self.device).name
        number = Path(f"/sys/class/block/{name}/{name}p1/dev")
        if not number.exists():
            subprocess.run(["partx", "-a", self.device], stderr=subprocess.DEVNULL)
        if not number.exists():
            self.skipTest("this kernel reads no partitions of loop devices")
        self.addCleanup(subprocess.run, ["partx", "-d", self.device], stderr=subprocess.DEVNULL)
        part = Path(f"{self.device}p1")
        if not part.exists():
            major, minor = number.read_text().strip().split(":")
            subprocess.run(["mknod", part, "b", major, minor], check=True)
            self.addCleanup(part.unlink)
        code, said = flash("--device", part, "--image", self.image, "--yes", part.name)
        self.assertEqual(code, 1, said)
        self.assertIn(f"a partition of {self.device}", said)
        subprocess.run(["mkfs.ext4", "-q", "-L", "holiday", part], check=True)
        place, code, said = self.flash_while_mounted(part)
        self.assertEqual(code, 1, said)
        self.assertIn(f"mounted at {place}", said)
        code, said = flash("--device", self.device, "--image", self.image, "--yes", "another")
        self.assertEqual(code, 1, said)
        self.assertIn(f"ERASES  {part}, 6.0MB", said)

    def test_one_that_is_swapped_to_is_refused(self):
        subprocess.run(["mkswap", self.device], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if subprocess.run(["swapon", self.device], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("no swap on this machine")
        try:
            code, said = self.flash()
        finally:
            subprocess.run(["swapoff", self.device], check=True)
        self.assertEqual(code, 1, said)
        self.assertIn("used as swap", said)

    def test_a_read_only_one_is_refused(self):
        subprocess.run(["blockdev", "--setro", self.device], check=True)
        try:
            code, said = self.flash()
        finally:
            subprocess.run(["blockdev", "--setrw", self.device], check=True)
        self.assertEqual(code, 1, said)
        self.assertIn("read-only", said)


# The kiosk's usher: an `update` that keeps what it was given, and a health that is bad where a name says so.
USHER = """\
#!/bin/sh
# usher VERSION
models=/var/lib/usher/models
case "$1 ${2:-}" in
    'health '*)
        [ ! -e /run/usher/updating ] || { echo 'usher: found: it says that it is being updated; wait' >&2; exit 1; }
        case "$(cat /run/usher/started) $(readlink $models/current) $(cat $models/../people.gallery 2>/dev/null)" in
            *bad*) echo 'usher: expected the kiosk to be well, found: camera: lost; plug it in' >&2; exit 1 ;;
        esac
        echo well ;;
    'update install')
        [ "$(id -un)" = usher ] || { echo 'usher: expected to be run by user usher; runuser' >&2; exit 1; }
        grep -q "trusted comment: usher" "$3.minisig" || { echo 'usher: refused; sign it' >&2; exit 1; }
        case "$3" in *.gallery)
            [ -e "$(dirname "$USHER_KEY")/models" ] || { echo 'usher: expected the key of the gallery' >&2; exit 1; }
            [ ! -e /run/usher/started ] || { echo 'usher: expected a gallery that nobody holds' >&2; exit 1; }
            cp "$3" $models/../people.gallery; exit ;;
        esac
        mkdir -p $models && cp "$3" $models/ && readlink $models/current >$models/previous
        ln -sfn "$(basename "$3")" $models/current ;;
    'update rollback') ln -sfn "$(cat $models/previous)" $models/current ;;
    'update status') printf '{\n  "current": "%s",\n  "model_serial": 6\n}\n' "$(readlink $models/current)" ;;
esac
"""
# A service manager that notes which version it started.
SYSTEMCTL = """\
#!/bin/sh
echo "systemctl $*" >>/var/log/systemctl
case "$1" in
    restart | start) mkdir -p /run/usher && chown usher /run/usher && sed -n 's/^# usher //p' /usr/bin/usher >/run/usher/started ;;
    stop) rm -f /run/usher/started ;;
esac
"""


def can_layer():
    return IS_ROOT and all(map(shutil.which, ("unshare", "chroot", "dpkg-deb", "ssh"))) and os.path.exists("/usr/sbin/sshd") and \
        subprocess.run(["unshare", "-m", "sh", "-c",
                        "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/m && "
                        "mount -t overlay o -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/m"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(can_layer(), "a kiosk behind sshd needs root, unshare, overlayfs, dpkg and openssh-server")
class Kiosk(Place):
    def setUp(self):
        super().setUp()
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key], check=True)
        host = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {host}")
        (self.folder / "sshd_config").write_text(textwrap.dedent(f"""\
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey /kiosk/host
            AuthorizedKeysFile /kiosk/user.pub
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            PermitRootLogin prohibit-password
            PidFile none
            """))
        (self.folder / "systemctl").write_text(SYSTEMCTL)
        script = textwrap.dedent("""\
            set -e
            mount -t tmpfs layer "$1/layer" && cd "$1/layer" && mkdir upper work root
            mount -t overlay root -o lowerdir=/,upperdir=upper,workdir=work root
            mount -t proc proc root/proc && mount --rbind /dev root/dev
            mount -t tmpfs run root/run && mount -t tmpfs tmp root/tmp
            mkdir -p root/run/sshd root/kiosk && cp "$1"/host "$1"/*.pub "$1"/sshd_config root/kiosk/
            rm -f root/usr/bin/systemctl root/bin/systemctl
            cp "$1/systemctl" root/usr/bin/systemctl && chmod 755 root/usr/bin/systemctl
            chroot root useradd --system --home-dir /var/lib/usher --create-home usher
            exec chroot root /usr/sbin/sshd -D -e -f /kiosk/sshd_config
            """)
        (self.folder / "layer").mkdir()
        self.log = open(self.folder / "sshd.log", "w")
        self.addCleanup(self.log.close)
        self.sshd = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", self.folder],
                                     stdout=self.log, stderr=self.log)
        self.addCleanup(self.sshd.wait)
        self.addCleanup(self.sshd.terminate)
        for _ in range(200):
            with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", self.port), 1)):
                break
            self.assertIsNone(self.sshd.poll(), (self.folder / "sshd.log").read_text())
            time.sleep(0.05)

    def options(self):
        return ("--host", "root@127.0.0.1", "--port", self.port, "--identity", self.folder / "user",
                "--known-hosts", self.folder / "known", "--wait", "2")

    def on_kiosk(self, command):
        done = subprocess.run(["ssh", "-p", str(self.port), "-i", self.folder / "user", "-o",
                               f"UserKnownHostsFile={self.folder / 'known'}", "root@127.0.0.1", command],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
        return done.stdout.strip()

    def package(self, version, architecture=None, script=""):
        root = self.folder / f"package-{version}"
        shutil.rmtree(root, ignore_errors=True)
        for name in ("DEBIAN", "usr/bin", "etc/usher"):
            (root / name).mkdir(parents=True)
        architecture = architecture or subprocess.run(["dpkg", "--print-architecture"], check=True, text=True,
                                                      stdout=subprocess.PIPE).stdout.strip()
        (root / "DEBIAN/control").write_text(f"Package: usher\nVersion: {version}\nArchitecture: {architecture}\n"
                                             "Maintainer: nobody <nobody@localhost>\nDescription: a stand-in\n more\n")
        (root / "DEBIAN/conffiles").write_text("/etc/usher/kiosk.toml\n")
        if script:
            (root / "DEBIAN/postinst").write_text(f"#!/bin/sh\n{script}\n")
            (root / "DEBIAN/postinst").chmod(0o755)
        (root / "usr/bin/usher").write_text(USHER.replace("VERSION", version))
        (root / "usr/bin/usher").chmod(0o755)
        (root / "etc/usher/kiosk.toml").write_text(f"# of {version}\n")
        deb = self.folder / f"usher_{version}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, deb], check=True, stdout=subprocess.DEVNULL)
        return deb

    def flash(self, *arguments):
        return flash(*self.options(), *arguments)

    def installed(self):
        return self.on_kiosk("dpkg-query -W -f='${Version}' usher; echo; sed -n 's/^# usher //p' /usr/bin/usher; "
                             "cat /run/usher/started").split()

    def test_a_kiosk_from_the_first_package_to_a_bad_one_and_back(self):
        code, said = self.flash("--deb", self.package("1.0"))
        self.assertEqual(code, 0, said)
        self.assertEqual(self.installed(), ["1.0"] * 3, said)
        self.on_kiosk("echo '# my own' >/etc/usher/kiosk.toml; echo people >/var/lib/usher/people.gallery")

        code, said = self.flash("--deb", self.package("1.1"))
        self.assertEqual(code, 0, said)
        self.assertEqual(self.installed(), ["1.1"] * 3, said)
        self.assertIn("usher 1.0 -> 1.1", said)
        self.assertIn("done: usher 1.1\n", said.replace("\r", ""))

        kept = "cat /etc/usher/kiosk.toml /var/lib/usher/people.gallery; ls /run/usher/updating /tmp/usher-flash* 2>/dev/null"
        self.assertEqual(self.on_kiosk(kept), "# my own\npeople")

        # One that is not well, one that does not install, one that destroys the gallery: back, by the package that was kept.
        for deb in (self.package("1.2~bad"), self.package("1.3", script="exit 1"),
                    self.package("1.4", script="[ \"$1\" != configure ] || rm /var/lib/usher/people.gallery")):
            code, said = self.flash("--deb", deb)
            self.assertEqual(code, 1, said)
            self.assertEqual(self.installed(), ["1.1"] * 3, said)
            self.assertIn("rolled back: usher 1.1 is installed and well", said)
            self.on_kiosk("echo people >/var/lib/usher/people.gallery")
            self.assertEqual(self.on_kiosk(kept), "# my own\npeople", said)

        # The same where no package was kept: it is made again of the installed files.
        self.on_kiosk("rm -r /var/cache/usher")
        code, said = self.flash("--deb", self.package("1.5~bad"))
        self.assertEqual(code, 1, said)
        self.assertIn("made again of its files", said)
        self.assertEqual(self.installed(), ["1.1"] * 3, said)
        self.assertEqual(self.on_kiosk(kept), "# my own\npeople")

        # A kiosk that was not well before (no camera yet) keeps the new one: going back would help nobody.
        self.on_kiosk("echo bad >>/run/usher/started")
        code, said = self.flash("--deb", self.package("1.6~bad"))
        self.assertEqual(code, 1, said)
        self.assertIn("is installed and stays: it is not well (above), as usher 1.1 was not before", said)
        self.assertEqual(self.installed(), ["1.6~bad"] * 3, said)
        code, said = self.flash("--deb", self.package("1.7"))
        self.assertEqual((code, self.installed()), (0, ["1.7"] * 3), said)

        # Older ones only when it is said.
        code, said = self.flash("--deb", self.package("0.9"))
        self.assertEqual(code, 1, said)
        self.assertIn("--older", said)
        code, said = self.flash("--deb", self.package("0.9"), "--older")
        self.assertEqual((code, self.installed()), (0, ["0.9"] * 3), said)

    def test_what_does_not_fit_is_not_sent(self):
        wrong = self.package("2.0", architecture="armel")
        code, said = self.flash("--deb", wrong)
        self.assertEqual(code, 1, said)
        self.assertIn("for another processor", said)
        code, said = self.flash("--deb", self.file("usher.deb", 1000))
        self.assertIn("no package", said)
        code, said = self.flash("--deb", self.folder / "none.deb")
        self.assertIn("scripts/package", said)
        code, said = flash("--host", "root@127.0.0.1", "--port", 1, "--deb", wrong)
        self.assertEqual(code, 1, said)
        self.assertIn("no connection", said)
        self.assertEqual(self.on_kiosk("ls /tmp; dpkg-query -W usher 2>/dev/null"), "")

    @unittest.skipUnless(shutil.which("minisign"), "no minisign: apt-get install minisign")
    def test_a_model_alone(self):
        self.assertEqual(self.flash("--deb", self.package("1.0"))[0], 0)
        key = self.folder / "usher.key"
        subprocess.run(["minisign", "-G", "-W", "-s", key, "-p", self.folder / "sign.pub"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        in_use = "readlink /var/lib/usher/models/current; stat -c %U /var/lib/usher/models/current"
        code, said = self.flash("--model", ROOT / "models/usher-small.toml", "--key", key)
        self.assertEqual(code, 0, said)
        self.assertEqual(self.on_kiosk(in_use).split(), ["usher-small-7.model", "usher"], said)

        out = self.folder / "out"
        out.mkdir()
        signed = out / "bad-9.model"
        signed.write_bytes(b"x")
        self.assertIn("not signed", self.flash("--model", signed)[1])
        comment = "usher model bad serial=9 board=any"
        subprocess.run(["minisign", "-S", "-s", key, "-m", signed, "-t", comment], check=True, stdout=subprocess.DEVNULL)
        code, said = self.flash("--model", signed)
        self.assertEqual(code, 1, said)
        self.assertIn("rolled back: the old model is in use", said)
        self.assertEqual(self.on_kiosk(in_use).split(), ["usher-small-7.model", "usher"], said)

        # What the kiosk refuses changes nothing and restarts nothing.
        before = self.on_kiosk("cat /var/log/systemctl")
        (out / "bad-9.model.minisig").write_text("nothing")
        code, said = self.flash("--model", signed)
        self.assertEqual(code, 1, said)
        self.assertIn("refused", said)
        self.assertEqual(self.on_kiosk("cat /var/log/systemctl"), before)

        # With a gallery no model is taken back.
        for serial, content, expected, last in [(1, "good", 0, "well with lobby-1"), (2, "bad", 1, "which stays")]:
            signed = out / f"lobby-{serial}.gallery"
            signed.write_text(content)
            comment = f"usher gallery lobby serial={serial} board=any"
            subprocess.run(["minisign", "-S", "-s", key, "-m", signed, "-t", comment], check=True, stdout=subprocess.DEVNULL)
            code, said = self.flash("--model", signed)
            self.assertEqual(code, expected, said)
            self.assertIn(last, said)
            self.assertEqual(self.on_kiosk(in_use).split(), ["usher-small-7.model", "usher"], said)
        # One that is refused leaves a kiosk that runs.
        (out / "lobby-2.gallery.minisig").write_text("nothing")
        code, said = self.flash("--model", signed)
        self.assertEqual(code, 1, said)
        self.assertIn("refused", said)
        self.assertEqual(self.on_kiosk("cat /run/usher/started; tail -n 1 /var/log/systemctl").split("\n")[-1], "systemctl start usher")
        self.assertIn("1.0", self.on_kiosk("cat /run/usher/started"))


if __name__ == "__main__":
    unittest.main()

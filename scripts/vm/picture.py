"""Pictures of the machine's screen: read, kept small, and compared with how they should look.

    picture = Picture.of_screen(machine, "idle", out)      taken by qemu, kept as out/idle.png
    picture.compare("idle", masks, update=False)           None, or what is different from scripts/vm/golden/idle.png

A golden is a quarter as wide and high, each pixel the mean of sixteen, with what differs from visit to visit (the
camera's picture, the clock) gray. Two pictures are alike where almost all blocks of four by four such pixels are: text
in another place, another color or another word changes many more of them than anti-aliasing does. Nothing but Python.
"""

import struct
import zlib
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent / "golden"
SHRINK = 4
BLOCK = 4
GRAY = (128, 128, 128)
# A block differs when one of its mean colors does by more than this, of 255 ...
DIFFERENCE = 20
# ... and a picture does when more than this share of its blocks differ: one word of a name does, two visits do not.
SHARE = 0.002


class Picture:
    """Rows of RGB bytes."""

    def __init__(self, width, height, rows):
        """`rows` are `height` byte strings of three times `width`."""
        self.width, self.height, self.rows = width, height, rows

    @classmethod
    def of_screen(cls, machine, name, out):
        """Asks qemu for the screen, and keeps it as a PNG file if `out` is a folder."""
        file = Path(machine.folder.name) / "screen.ppm"
        file.unlink(missing_ok=True)
        answer = machine.command("screendump", filename=str(file))
        if "error" in answer:
            return None
        picture = cls.from_ppm(file.read_bytes())
        if out:
            (out / f"{name}.png").write_bytes(picture.png())
        return picture

    @classmethod
    def from_ppm(cls, data):
        """Reads the binary PPM that qemu writes."""
        kind, width, height, most, rest = data.split(None, 4)[0:4] + [b""]
        if kind != b"P6" or most != b"255":
            raise ValueError(f"expected a PPM of 8 bits, found {kind!r} {most!r}")
        width, height = int(width), int(height)
        pixels = data[len(data) - 3 * width * height :]
        return cls(width, height, [pixels[3 * width * y : 3 * width * (y + 1)] for y in range(height)])

    @classmethod
    def from_png(cls, data):
        """Reads a PNG as `png` writes them."""
        place, packed, width, height = 8, b"", 0, 0
        while place < len(data):
            (length,) = struct.unpack(">I", data[place : place + 4])
            kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
            if kind == b"IHDR":
                width, height, depth, color, _, _, _ = struct.unpack(">IIBBBBB", body)
                if (depth, color) != (8, 2):
                    raise ValueError(f"expected 8-bit RGB, found {depth} bits of kind {color}")
            elif kind == b"IDAT":
                packed += body
            place += 12 + length
        lines = zlib.decompress(packed)
        stride = 3 * width + 1
        if any(lines[y * stride] != 0 for y in range(height)):
            raise ValueError("expected a PNG that vm-test wrote, found a filtered one")
        return cls(width, height, [lines[y * stride + 1 : (y + 1) * stride] for y in range(height)])

    def png(self):
        """As a PNG file."""

        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        lines = b"".join(b"\0" + row for row in self.rows)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")

    def shrunk(self, times):
        """Each pixel the mean of a square of `times` by `times`."""
        width, height = self.width // times, self.height // times
        rows = []
        for y in range(height):
            band = self.rows[y * times : (y + 1) * times]
            row = bytearray()
            for x in range(width):
                for color in range(3):
                    start = 3 * x * times + color
                    row.append(sum(sum(line[start : start + 3 * times : 3]) for line in band) // (times * times))
            rows.append(bytes(row))
        return Picture(width, height, rows)

    def masked(self, masks):
        """With gray in these boxes (left, top, right, bottom, as shares of width and height)."""
        rows = [bytearray(row) for row in self.rows]
        for left, top, right, bottom in masks:
            for y in range(int(top * self.height), min(round(bottom * self.height), self.height)):
                first, last = int(left * self.width), min(round(right * self.width), self.width)
                rows[y][3 * first : 3 * last] = bytes(GRAY) * (last - first)
        return Picture(self.width, self.height, [bytes(row) for row in rows])

    def blank(self):
        """Whether nothing is shown: all pixels nearly the same."""
        small = self.shrunk(16)
        values = b"".join(small.rows)
        return max(values) - min(values) < 16

    def compare(self, name, masks=(), update=False):
        """None if it looks as its golden does, else how it differs; with `update` it becomes the golden."""
        small = self.shrunk(SHRINK).masked(masks)
        file = GOLDEN / f"{name}.png"
        if update:
            GOLDEN.mkdir(exist_ok=True)
            file.write_bytes(small.png())
            return None
        if not file.exists():
            return f"expected a golden at {file.name}, found none; scripts/vm-test --update-golden, and look at it"
        golden = Picture.from_png(file.read_bytes())
        if (golden.width, golden.height) != (small.width, small.height):
            return f"expected {golden.width}x{golden.height}, found {small.width}x{small.height}"
        ours, theirs = small.shrunk(BLOCK), golden.shrunk(BLOCK)
        different = 0
        for mine, other in zip(ours.rows, theirs.rows):
            for x in range(ours.width):
                pairs = zip(mine[3 * x : 3 * x + 3], other[3 * x : 3 * x + 3])
                different += any(abs(a - b) > DIFFERENCE for a, b in pairs)
        share = different / (ours.width * ours.height)
        return None if share <= SHARE else f"{share:.1%} of the picture differ from {file.name}"

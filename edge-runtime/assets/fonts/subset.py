#!/usr/bin/env python3
"""Cuts the kiosk's two fonts out of Debian's fonts-inter and writes their kerning where fontdue reads it.

    apt-get download fonts-inter && dpkg-deb -x fonts-inter_*.deb inter
    pip install fonttools==4.68.0 uharfbuzz
    python3 subset.py inter/usr/share/fonts/opentype/inter .

fontdue reads only the old `kern` table, Inter kerns by GPOS: HarfBuzz is asked for each pair once, here.
"""

import sys

import uharfbuzz
from fontTools import subset
from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables._k_e_r_n import KernTable_format_0

CHARACTERS = [
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x024F),  # Latin-1, Latin Extended-A and -B: every European name, African and Pinyin letters that Inter has
    (0x0259, 0x0259), (0x02B9, 0x02BC), (0x02BE, 0x02BF),  # schwa; the apostrophe-like letters of transliterated names
    (0x0300, 0x0304), (0x0306, 0x030C), (0x0323, 0x0323), (0x0327, 0x0328),  # marks that no composed letter carries
    (0x0384, 0x03CE),  # Greek
    (0x0400, 0x045F), (0x0490, 0x0493),  # Cyrillic
    (0x1E00, 0x1EFF),  # Latin Extended Additional: Welsh, Vietnamese, transliterated Indic and Semitic names
    (0x2010, 0x2015), (0x2018, 0x201E), (0x2022, 0x2022), (0x2026, 0x2026), (0x20AC, 0x20AC), (0x2116, 0x2116),
    (0x2212, 0x2212), (0x2248, 0x2248),
]
KERNED = [chr(c) for first, last in [(0x20, 0x7E), (0xC0, 0xFF)] for c in range(first, last + 1)] + list("’–…ŠšŽžŁłČčŐőĞğİıŞş")


def kerning(path):
    """Kerning of each pair of KERNED in font units, as HarfBuzz applies it; zero pairs are left out."""
    font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path)))

    def advance(text, kern):
        buffer = uharfbuzz.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        uharfbuzz.shape(font, buffer, {"kern": kern, "calt": False, "liga": False, "ccmp": False})
        return sum(position.x_advance for position in buffer.glyph_positions)

    pairs = {}
    for left in KERNED:
        for right in KERNED:
            value = advance(left + right, True) - advance(left + right, False)
            if value:
                pairs[left, right] = value
    return pairs


def main():
    source, target = sys.argv[1:]
    for name in ["InterDisplay-SemiBold", "Inter-Medium"]:
        path = f"{source}/{name}.otf"
        options = subset.Options(layout_features=[], notdef_outline=True, hinting=False, name_IDs=["*"], recalc_timestamp=False)
        font = TTFont(path, recalcTimestamp=False)
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=[c for first, last in CHARACTERS for c in range(first, last + 1)])
        subsetter.subset(font)
        cmap = font.getBestCmap()
        table = KernTable_format_0(apple=False)
        table.coverage, table.format, table.tupleIndex = 1, 0, None
        table.kernTable = {(cmap[ord(a)], cmap[ord(b)]): value for (a, b), value in kerning(path).items()}
        font["kern"] = newTable("kern")
        font["kern"].version, font["kern"].kernTables = 0, [table]
        font.save(f"{target}/{name}.otf")
        print(name, len(cmap), "characters,", len(table.kernTable), "kerning pairs")


main()

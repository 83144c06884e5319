"""Letters for pictures: Pillow's own font, the fonts of this machine, and the truth about missing glyphs."""

import functools
import importlib.util
import unicodedata
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

# Usual names on Linux, macOS and Windows: first the broad ones, then those for one script each.
KNOWN = (
    "NotoSans-Regular.ttf", "DejaVuSans.ttf", "segoeui.ttf", "Arial Unicode.ttf", "Arial.ttf", "arial.ttf",
    "LiberationSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "PingFang.ttc",
    "Hiragino Sans GB.ttc", "msyh.ttc", "YuGothR.ttc", "malgun.ttf", "AppleSDGothicNeo.ttc", "wqy-microhei.ttc",
    "NotoSansArabic-Regular.ttf", "NotoNaskhArabic-Regular.ttf", "GeezaPro.ttc", "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf", "NotoSansBengali-Regular.ttf", "NotoSansTamil-Regular.ttf", "Nirmala.ttf",
    "NotoSansThai-Regular.ttf", "leelawui.ttf", "NotoSansSymbols2-Regular.ttf", "NotoEmoji-Regular.ttf",
    "seguiemj.ttf", "Apple Symbols.ttf", "Symbola.ttf", "unifont.otf", "unifont.ttf",
)  # fmt: skip
NEVER_A_GLYPH = "\U0010ffff"
SUBSTITUTES = {"−": "-", "␣": "_", "–": "-", "’": "'"}
BUILT_IN = ""
BREAKS = dict.fromkeys(map(ord, "\t\n\u2028\u2029"), " ")  # a line that is drawn has no line in it
LATIN_END = 0x250  # the first code point after Latin Extended-B


@functools.lru_cache(maxsize=512)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    """Open a font by file name, or None where this machine lacks it; `BUILT_IN` is Pillow's own (ASCII only)."""
    if name == BUILT_IN:
        return ImageFont.load_default(size=size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return _matplotlib_font(size) if name == "DejaVuSans.ttf" else None


@functools.lru_cache(maxsize=2**15)
def _length(name: str, size: int, text: str) -> float:
    """Return how wide a text is, in pixels; a layout asks for each word several times."""
    return _font(name, size).getlength(text)


def _matplotlib_font(size: int) -> ImageFont.FreeTypeFont | None:
    """Matplotlib brings DejaVu Sans; find it without importing matplotlib."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or not found.origin:
        return None
    path = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size) if path.is_file() else None


@functools.lru_cache(maxsize=65536)
def _has(name: str, character: str) -> bool:
    """Return whether a font draws this character, and not its sign for "no glyph"."""
    if unicodedata.category(character) in ("Mn", "Me", "Cf", "Zs"):
        return True
    font = _font(name, 24)
    return font is not None and _picture(font, character) != _picture(font, NEVER_A_GLYPH)


def _picture(font: ImageFont.FreeTypeFont, character: str) -> tuple:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


class Fonts:
    """Measure and draw text with one font, and what it lacks with the first that has it.

    Words are drawn whole in one font where one has them; characters that no font has are kept in `missing`.

    Args:
        scale: pixels for each unit of size.
        sample: text to be drawn; the main font is the first that has all its Latin letters, so that words with and
            without accents look alike.
    """

    def __init__(self, scale: float = 2.0, sample: str = "") -> None:
        self.scale = scale
        self.missing: set[str] = set()
        latin = {character for character in sample if character.isalpha() and ord(character) < LATIN_END}
        covers = (name for name in (BUILT_IN, *KNOWN) if all(_has(name, character) for character in latin))
        self.main = next(covers, BUILT_IN)

    def at(self, scale: float) -> "Fonts":
        """Return the same fonts at another scale."""
        other = Fonts(scale)
        other.main = self.main
        return other

    def runs(self, text: str) -> list[tuple[str, str]]:
        """Cut `text` into (font name, stretch) pairs."""
        text = text.translate(BREAKS)
        if all(_has(self.main, character) for character in text):
            return [(self.main, text)]
        letters = {character for character in text if character.isalpha()}
        if not all(_has(self.main, character) for character in letters):
            for name in KNOWN:
                if all(_has(name, character) for character in text):
                    return [(name, text)]
        found: list[tuple[str, str]] = []
        for character in text:
            name, character = self._best(character)
            if found and found[-1][0] == name:
                found[-1] = (name, found[-1][1] + character)
            else:
                found.append((name, character))
        return found

    def _best(self, character: str) -> tuple[str, str]:
        """Return the font for one character, and the character or what stands in for it."""
        for name in (self.main, *KNOWN, BUILT_IN):
            if _has(name, character):
                return name, character
        shown = SUBSTITUTES.get(character, character)
        if not _has(self.main, shown):
            self.missing.add(character)
        return self.main, shown

    def measure(self, text: str, size: float) -> float:
        """Return the width of `text` in units."""
        pixels = round(size * self.scale)
        return sum(_length(name, pixels, stretch) for name, stretch in self.runs(text)) / self.scale

    def draw(self, draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: float, fill: str) -> None:
        """Draw `text` with its left end of the baseline at `place` (units)."""
        x, y = (part * self.scale for part in place)
        for name, stretch in self.runs(text):
            font = _font(name, round(size * self.scale))
            draw.text((x, y), stretch, font=font, fill=fill, anchor="ls")
            x += _length(name, round(size * self.scale), stretch)

    def warning(self, text: str) -> str:
        """Return a sentence on what this machine cannot draw of `text`, or "" where all is well."""
        self.runs(text)
        notes = []
        if self.missing:
            codes = ", ".join(f"U+{ord(character):04X}" for character in sorted(self.missing)[:4])
            more = f" and {len(self.missing) - 4} more" if len(self.missing) > 4 else ""
            notes.append(
                f"No font of this machine has {codes}{more}: shown as boxes. Install Noto fonts, or save as .html."
            )
        if not features.check("raqm") and any(
            unicodedata.bidirectional(character) in ("R", "AL") for character in text
        ):
            notes.append("Letters are not joined: this Pillow lacks raqm. Save as .html to see them joined.")
        return " ".join(notes)


def vertical(fonts: Fonts, text: str, size: float, fill: str) -> Image.Image:
    """Return `text` as a picture with a clear ground, turned to read from bottom to top."""
    width, height = round(fonts.measure(text, size) * fonts.scale) + 2, round(1.5 * size * fonts.scale)
    picture = Image.new("RGBA", (max(width, 1), height), (255, 255, 255, 0))
    fonts.draw(ImageDraw.Draw(picture), (1 / fonts.scale, 1.1 * size), text, size, fill)
    return picture.rotate(90, expand=True)

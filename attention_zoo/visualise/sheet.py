"""A drawing of rectangles, pictures and labels, painted as PNG by Pillow or as SVG by joining strings."""

import base64
import io
from dataclasses import dataclass, field
from html import escape

from PIL import Image, ImageDraw

from attention_zoo.visualise.fonts import Fonts
from attention_zoo.visualise.palette import INK, PAPER
from attention_zoo.visualise.segments import printable

TALLEST = 16_000  # pixels: above this a picture is drawn at half the resolution, so that viewers still open it


@dataclass(frozen=True)
class Rectangle:
    """A filled rectangle; `hint` is what an SVG shows under the pointer."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    radius: float = 0.0
    hint: str = ""


@dataclass(frozen=True)
class Label:
    """A line of text; `x` is its left end and `y` its baseline."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    width: float


@dataclass(frozen=True)
class Picture:
    """A picture of pixels, drawn with hard edges; `hint` is what a screen reader says of it in an SVG."""

    x: float
    y: float
    width: float
    height: float
    image: Image.Image
    hint: str = ""


@dataclass
class Sheet:
    """A page of fixed width that grows downwards (units: 1/96 inch).

    Attributes:
        width: units.
        title: what a screen reader says of the picture.
        paper: colour of the ground.
    """

    width: float
    title: str
    fonts: Fonts = field(default_factory=Fonts)
    bottom: float = 0.0
    shapes: list[Rectangle | Picture | Label] = field(default_factory=list)
    paper: str = PAPER

    def rectangle(
        self, x: float, y: float, width: float, height: float, fill: str, radius: float = 0.0, hint: str = ""
    ) -> None:
        """Add a filled rectangle."""
        self.shapes.append(Rectangle(x, y, width, height, fill, radius, hint))
        self.bottom = max(self.bottom, y + height)

    def picture(self, x: float, y: float, width: float, height: float, image: Image.Image, hint: str = "") -> None:
        """Add a picture of pixels, stretched to the rectangle."""
        self.shapes.append(Picture(x, y, width, height, image, hint))
        self.bottom = max(self.bottom, y + height)

    def fitting(self, text: str, size: float, width: float) -> str:
        """Return `text`, cut where it is wider than `width`."""
        if self.fonts.measure(text, size) <= width:
            return text
        while len(text) > 1 and self.fonts.measure(text + "…", size) > width:
            text = text[:-1]
        return text + "…"

    def label(self, x: float, y: float, text: str, size: float, fill: str = INK, align: str = "left") -> float:
        """Add a line of text; `x` is its left end, middle or right end by `align`. Return its width."""
        text = printable(text)
        width = self.fonts.measure(text, size)
        left = x - {"left": 0.0, "center": width / 2, "right": width}[align]
        self.shapes.append(Label(left, y, text, size, fill, width))
        self.bottom = max(self.bottom, y + 0.3 * size)
        return width

    def paragraph(self, x: float, y: float, text: str, size: float, fill: str = INK) -> float:
        """Add text in as many lines as it needs; return the baseline below the last."""
        line = ""
        for word in [*printable(text).split(), None]:
            longer = f"{line} {word}".strip()
            if word is not None and self.fonts.measure(longer, size) <= self.width - x - 28:
                line = longer
                continue
            if line:
                self.label(x, y, line, size, fill)
                y += 1.5 * size
            line = word or ""
        return y


def paint_png(sheet: Sheet, margin: float = 28.0) -> bytes:
    """Paint a sheet as PNG, two pixels a unit (one where it would be taller than most viewers take)."""
    height = sheet.bottom + margin
    scale = sheet.fonts.scale if height * sheet.fonts.scale <= TALLEST else 1.0
    fonts = sheet.fonts if scale == sheet.fonts.scale else sheet.fonts.at(scale)
    picture = Image.new("RGB", (round(sheet.width * scale), round(height * scale)), sheet.paper)
    draw = ImageDraw.Draw(picture)
    for shape in sheet.shapes:
        if isinstance(shape, Label):
            fonts.draw(draw, (shape.x, shape.y), shape.text, shape.size, shape.fill)
            continue
        if isinstance(shape, Picture):
            size = (round(shape.width * scale), round(shape.height * scale))
            drawn = shape.image.convert("RGB").resize(size, Image.Resampling.NEAREST)
            picture.paste(drawn, (round(shape.x * scale), round(shape.y * scale)))
            continue
        corners = [
            (shape.x * scale, shape.y * scale),
            ((shape.x + shape.width) * scale - 1, (shape.y + shape.height) * scale - 1),
        ]
        draw.rounded_rectangle(corners, shape.radius * scale, fill=shape.fill)
    # Pictures of pixels hardly get smaller by what takes a second; flat colours and letters do.
    flat = not any(isinstance(shape, Picture) for shape in sheet.shapes)
    return encode(picture, scale, optimize=flat and picture.width * picture.height < 4e6)


def encode(picture: Image.Image, scale: float = 2.0, optimize: bool | None = None) -> bytes:
    """Return a picture as the bytes of a PNG that says how large a unit is.

    Args:
        picture: what is written.
        scale: pixels for each 1/96 inch.
        optimize: whether time is spent on fewer bytes; None does so for pictures under 4 million pixels.
    """
    buffer = io.BytesIO()
    optimize = picture.width * picture.height < 4e6 if optimize is None else optimize
    picture.save(buffer, format="PNG", dpi=(96 * scale, 96 * scale), optimize=optimize)
    return buffer.getvalue()


def paint_svg(sheet: Sheet, margin: float = 28.0) -> bytes:
    """Paint a sheet as SVG; each label keeps its measured width in whatever font the viewer has."""
    height = sheet.bottom + margin
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {sheet.width:g} {height:.1f}" width="{sheet.width:g}" '
        f'height="{height:.1f}" role="img" font-family="Helvetica, Arial, sans-serif">',
        f"<title>{escape(printable(sheet.title))}</title>",
        f'<rect width="100%" height="100%" fill="{sheet.paper}"/>',
    ]
    makers = {Label: _svg_label, Picture: _svg_picture, Rectangle: _svg_rectangle}
    lines += [makers[type(shape)](shape) for shape in sheet.shapes]
    return "\n".join([*lines, "</svg>", ""]).encode()


def _svg_label(shape: Label) -> str:
    # An SVG is read from its own left: without this, right-to-left words would start at their left end and leave it.
    return (
        f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" fill="{shape.fill}" '
        f'textLength="{shape.width:.1f}" lengthAdjust="spacingAndGlyphs" xml:space="preserve" direction="ltr">'
        f"{escape(shape.text)}</text>"
    )


def _svg_rectangle(shape: Rectangle) -> str:
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
    inside = f"><title>{escape(printable(shape.hint))}</title></rect>" if shape.hint else "/>"
    return f'<rect {place} rx="{shape.radius:g}" fill="{shape.fill}"{inside}'


def _svg_picture(shape: Picture) -> str:
    place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" height="{shape.height:.1f}"'
    return (
        f'<image {place} preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="{data_address(shape.image)}"><title>{escape(printable(shape.hint))}</title></image>'
    )


def data_address(picture: Image.Image) -> str:
    """Return a picture as an address that holds it whole, for pages that load nothing."""
    return "data:image/png;base64," + base64.b64encode(encode(picture, 1.0)).decode("ascii")

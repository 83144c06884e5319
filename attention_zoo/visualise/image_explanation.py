"""Where an image classifier looked, and what moved its scores: the answer to "why?"."""

import base64
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from attention_zoo.errors import ZooValueError
from attention_zoo.visualise.drawn import Drawn
from attention_zoo.visualise.explanation import SUM_TOLERANCE, as_maps, plain, why
from attention_zoo.visualise.overlay import as_rgb, check_map
from attention_zoo.visualise.sheet import encode

if TYPE_CHECKING:
    from attention_zoo.answers import Answer


@dataclass(frozen=True, eq=False)
class ImageExplanation(Drawn):
    """One picture, its answer, where the model looked and what each part did to the scores.

    Saved as a picture, it stands beside the same with its heat; as a page, with the maps of every head.

    Maps have any height and width of their own: each is stretched over the whole picture.

    Args:
        image: uint8, or float of 0..1, [height, width] or [height, width, 1 or 3].
        answer: what the model said.
        attention: maps by site, each `[head, query, key]` or `[head, key]`; more axes in front count as heads.
        grids: by site of `attention`, (rows, columns) of its keys on the picture, in reading order; one key more than
            rows x columns is a class token, first. A site without a grid (windows) is saved, but not drawn.
        gates: by site, what a gate lets through, `[height, width]` or `[channel]`.
        weights: where the answer came from, `[height, width]`, not negative, 1 in all; None where nothing says so.
        effects: by label, best first, what each place does to the label's score (0..1), `[height, width]`; above 0 the
            place speaks for the label.
        measure: what a number of `effects` is, for the words below the pictures.

    Raises:
        ZooValueError: if a shape does not fit, a number is not finite, or `weights` are not shares of 1.
    """

    image: np.ndarray
    answer: "Answer"
    attention: dict[str, np.ndarray] = field(default_factory=dict)
    grids: dict[str, tuple[int, int]] = field(default_factory=dict)
    gates: dict[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None
    effects: dict[str, np.ndarray] = field(default_factory=dict)
    measure: str = "points of 100 that its score loses when the place is hidden"

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", as_rgb(self.image))
        if self.weights is not None:
            weights = check_map(self.weights, "weights", diverging=False)
            if abs(weights.sum() - 1) > SUM_TOLERANCE:
                raise ZooValueError(f"weights must be 1 in all, got sum {weights.sum():.4g}")
            object.__setattr__(self, "weights", weights)
        effects = {label: check_map(value, f"effects[{label!r}]") for label, value in self.effects.items()}
        maps = {site: as_maps(value, f"attention[{site!r}]") for site, value in self.attention.items()}
        gates = {site: _gate(value, f"gates[{site!r}]") for site, value in self.gates.items()}
        grids = {site: _grid(site, value, maps) for site, value in self.grids.items()}
        for name, value in {"effects": effects, "attention": maps, "gates": gates, "grids": grids}.items():
            object.__setattr__(self, name, value)

    def looks(self, site: str) -> np.ndarray | None:
        """Return how much each place was looked at by each head, the mean of all queries.

        Args:
            site: of `attention`.

        Returns:
            [head, rows, columns], or None where the site has no grid. A class token's own share is left out.
        """
        if site not in self.grids:
            return None
        rows, columns = self.grids[site]
        return self.attention[site].mean(axis=1)[:, -rows * columns :].reshape(-1, rows, columns)

    def to_dict(self) -> dict:
        """Return everything as plain lists, numbers and strings, ready for JSON (numbers with 6 digits).

        The picture is a PNG in base64.
        """
        height, width = self.image.shape[:2]
        picture = base64.b64encode(encode(Image.fromarray(self.image), 1.0)).decode("ascii")
        return {
            "image": {"height": height, "width": width, "png": picture},
            "answer": plain(asdict(self.answer)),
            "weights": None if self.weights is None else plain(self.weights),
            "effects": plain(self.effects),
            "measure": self.measure,
            "attention": plain(self.attention),
            "grids": plain(self.grids),
            "gates": plain(self.gates),
        }

    def _title(self) -> str:
        return why(self.answer)

    def _drawing(self) -> tuple[Callable, Callable]:
        from attention_zoo.visualise import image_page, image_sheet

        return image_sheet.compose, image_page.page


def _gate(value: object, name: str) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim == 1:
        return check_map(array[None], name)[0]
    return check_map(array, name)


def _grid(site: str, value: object, maps: dict[str, np.ndarray]) -> tuple[int, int]:
    if site not in maps:
        raise ZooValueError(f"grids must be of sites in attention, got {site!r}")
    keys = maps[site].shape[-1]
    rows, columns = (int(number) for number in value)
    if rows < 1 or columns < 1 or keys - rows * columns not in (0, 1):
        raise ZooValueError(f"grids[{site!r}] must have {keys} places, or one less, got {rows} x {columns}")
    return rows, columns

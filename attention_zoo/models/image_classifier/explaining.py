"""Why an answer about a picture: all maps on their places, what the pooling took, what each place does to scores."""

from typing import Any

import numpy as np

from attention_zoo.answers import Answer
from attention_zoo.calibrate.capture import capture, output_name
from attention_zoo.calibrate.gradients import attention_gradients
from attention_zoo.checks import whole_number
from attention_zoo.core.tape import Site
from attention_zoo.errors import unknown
from attention_zoo.models.classifier.effects import chosen_labels, effects_of
from attention_zoo.visualise import ImageExplanation, attention_rollout, grid_of

METHODS = {
    "occlusion": "points of 100 that its score loses when the place is hidden",
    "gradient": "attention times the gradient of its logit",
}
POOLING = "pooling"  # where the network sums the places up
CELLS = 7  # along each side of a picture whose explanation is judged
ROWS = 64  # pictures with one cell hidden that are run at once, at most


def check(method: str, cells: int) -> None:
    """Refuse what `ImageClassifier.explain` cannot work with.

    Raises:
        ZooValueError: if the method is unknown, or `cells` is no whole number of at least 1.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    whole_number("cells", cells, unit="along each side")


def best(answer: Answer, labels: list[str] | None, task: Any) -> list[str]:
    """Return the labels to explain, best first."""
    return chosen_labels(answer, labels, task.labels)


def explanation(
    task: Any, picture: np.ndarray, pixels: np.ndarray, told: tuple[Answer, list[str]], method: str, cells: int
) -> ImageExplanation:
    """Put an explanation together.

    Args:
        task: the classifier.
        picture: uint8 [height, width, channels], what the network sees.
        pixels: the same, [1, height, width, channels], 0..1.
        told: the answer, and the labels to explain.
        method: of METHODS.
        cells: along each side of the picture, for "occlusion".
    """
    answer, labels = told
    maps, sites = seen(task.model, pixels)
    mixing = {name: _head_map(value) for name, value in maps.items() if sites[name].kind == "mix" and value.ndim >= 2}
    gates = {name: found for name, value in maps.items() if (found := _gate_map(value, sites[name])) is not None}
    size = picture.shape[:2]
    grids = {name: grid for name, value in mixing.items() if (grid := _grid(value, size)) is not None}
    mixing = {name: _class_first(value, grids.get(name)) for name, value in mixing.items()}
    if method == "occlusion":
        effects = occluded(task, pixels, labels, cells)
    else:
        effects = {label: _relevance(task, pixels, label, grids, size) for label in labels}
    return ImageExplanation(
        picture, answer, mixing, grids, gates, _weights(mixing, grids, sites), effects, METHODS[method]
    )


def seen(model: Any, pixels: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, Site]]:
    """Return the maps and gates of one picture by site, without the batch axis, and the sites.

    Args:
        model: from pixels to logits.
        pixels: [1, height, width, channels].
    """
    watched = capture(model)
    found = watched.predict(pixels, verbose=0)
    sites = {site.path.replace("/", "."): site for site in watched.sites.values()}
    # Of what is cut into windows the first axis is no batch of one; it is kept whole.
    maps = {name: np.asarray(found[output_name(site.path)], np.float32) for name, site in sites.items()}
    return {name: value[0] if len(value) == 1 else value for name, value in maps.items()}, sites


def _head_map(value: np.ndarray) -> np.ndarray:
    return np.maximum(value, 0.0)


def _grid(value: np.ndarray, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return how the keys of a map lie on the picture, None where they are not all of its places."""
    if value.ndim > 3:
        return None
    keys = value.shape[-1]
    return grid_of(keys, *size) or (grid_of(keys - 1, *size) if keys > 1 else None)


def _class_first(value: np.ndarray, grid: tuple[int, int] | None) -> np.ndarray:
    """Bring the class token, which our networks have last, to the front, where pictures expect it."""
    if grid is None or value.shape[-1] == grid[0] * grid[1]:
        return value
    value = np.roll(value, 1, axis=-1)
    return np.roll(value, 1, axis=-2) if value.ndim == 3 and value.shape[-2] == value.shape[-1] else value


def _gate_map(value: np.ndarray, site: Site) -> np.ndarray | None:
    """Return a gate as [height, width] or [channel], None where it is neither."""
    if site.kind != "gate":
        return None
    if value.ndim != 3:
        return value if value.ndim == 1 else None
    if value.shape[:2] == (1, 1):
        return value[0, 0]
    return value.mean(axis=-1)


def _weights(
    maps: dict[str, np.ndarray], grids: dict[str, tuple[int, int]], sites: dict[str, Site]
) -> np.ndarray | None:
    """Return where the answer came from, [rows, columns], 1 in all; None where nothing says so."""
    top = maps.get(POOLING)
    layers = [value for name, value in maps.items() if name != POOLING and _is_self(value, sites[name])]
    alike = bool(layers) and len({len(value[0]) for value in layers}) == 1
    if top is None:
        found = _followed(layers, "mean") if alike and POOLING not in maps else None
        return None if found is None else _placed(found, grids, maps)
    shares = top.reshape(-1, top.shape[-1])
    if alike and layers[0].shape[-1] == top.shape[-1]:
        return _placed(_followed(layers, shares), grids, maps)
    return _placed(shares.mean(axis=0), grids, maps)


def _is_self(value: np.ndarray, site: Site) -> bool:
    return value.ndim == 3 and value.shape[-1] == value.shape[-2] and site.axes[-2:] == ("query", "key")


def _followed(layers: list[np.ndarray], readout: Any) -> np.ndarray:
    count = layers[0].shape[-1]
    side = int(np.sqrt(count - 1)) if count > 1 else 0
    with_class = isinstance(readout, str) and side * side == count - 1
    return attention_rollout(layers, readout="class" if with_class else readout)


def _placed(shares: np.ndarray, grids: dict[str, tuple[int, int]], maps: dict[str, np.ndarray]) -> np.ndarray | None:
    """Lay shares of places on their grid."""
    for name, (rows, columns) in grids.items():
        if rows * columns == len(shares) and maps[name].shape[-1] - rows * columns in (0, 1):
            total = shares.sum()
            return (shares / total).reshape(rows, columns) if total > 0 else None
    return None


def occluded(task: Any, pixels: np.ndarray, labels: list[str], cells: int) -> dict[str, np.ndarray]:
    """Return how far each label's score falls when a cell is painted over with the mean colour.

    Args:
        task: the classifier.
        pixels: [1, height, width, channels].
        labels: whose scores.
        cells: along each side; at most one for each pixel.

    Returns:
        By label, [cells, cells].

    Cost: one run of the model for each cell, at most 64 at a time.
    Source: Zeiler, Fergus 2013, arXiv:1311.2901, section 4.2. Differs: cells do not overlap.
    """
    rows, columns = min(cells, pixels.shape[1]), min(cells, pixels.shape[2])
    count = rows * columns
    shown = np.concatenate([np.ones((1, count), bool), ~np.eye(count, dtype=bool)])
    effects = effects_of(hidden_logits(task, pixels, shown, cells), task.config)
    return {label: effects[task.labels.index(label)].reshape(rows, columns) for label in labels}


def hidden_logits(task: Any, pixels: np.ndarray, shown: np.ndarray, cells: int) -> np.ndarray:
    """Return the logits of versions of a picture, in each of which some cells are painted with the mean colour.

    Args:
        task: the classifier.
        pixels: [1, height, width, channels].
        shown: bool [versions, cells along the height x cells along the width]; False paints one over.
        cells: along each side; at most one for each pixel.

    Returns:
        [versions, labels].

    Cost: one run of the model for each version, at most 64 at a time.
    """
    height, width, channels = pixels.shape[1:]
    rows, columns = min(cells, height), min(cells, width)
    row, column = (np.arange(side) * parts // side for side, parts in ((height, rows), (width, columns)))
    cell = row[:, None] * columns + column
    colour = np.broadcast_to(np.asarray(task.config.mean, np.float32), (channels,))
    count = len(shown)
    size = min(ROWS, count)
    found = []
    for start in range(0, count, size):
        part = shown[start : start + size]
        part = np.concatenate([part, np.ones((size - len(part), part.shape[1]), bool)])
        versions = np.where(part[:, cell][..., None], pixels, colour).astype(np.float32)
        found.append(np.asarray(task.model.predict(versions, batch_size=size, verbose=0), np.float32))
    return np.concatenate(found)[:count]


def importance(task: Any, pixels: np.ndarray, label: str, method: str) -> np.ndarray:
    """Return what one explanation says of each cell of a picture.

    Args:
        task: the classifier.
        pixels: [1, height, width, channels].
        label: whose score is explained.
        method: "attention", or of METHODS.

    Returns:
        [cells], row by row.

    Raises:
        ZooValueError: if the method is unknown.
    """
    if method not in ("attention", *METHODS):
        raise unknown("method", method, ("attention", *METHODS))
    if method == "occlusion":
        return occluded(task, pixels, [label], CELLS)[label].reshape(-1)
    maps, sites = seen(task.model, pixels)
    mixing = {name: _head_map(value) for name, value in maps.items() if sites[name].kind == "mix" and value.ndim >= 2}
    size = pixels.shape[1:3]
    grids = {name: grid for name, value in mixing.items() if (grid := _grid(value, size)) is not None}
    if method == "gradient":
        found = _relevance(task, pixels, label, grids, size)
    else:
        mixing = {name: _class_first(value, grids.get(name)) for name, value in mixing.items()}
        found = _weights(mixing, grids, sites)
        found = np.zeros(size) if found is None else found
    return _in_cells(found, min(CELLS, size[0]), min(CELLS, size[1])).reshape(-1)


def _in_cells(grid: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Read a grid of any size at the middle of each cell."""
    row, column = (
        ((np.arange(parts) + 0.5) / parts * side).astype(int) for parts, side in zip((rows, columns), grid.shape)
    )
    return grid[np.ix_(row, column)]


def _relevance(
    task: Any, pixels: np.ndarray, label: str, grids: dict[str, tuple[int, int]], size: tuple[int, int]
) -> np.ndarray:
    """Return attention times gradient of the last map that lies on the picture, [rows, columns]."""
    values = attention_gradients(task.model, pixels, task.labels.index(label))
    named = {path.replace("/", "."): value[0] for path, value in values.items() if len(value) == 1}
    on_grid = [name for name in named if name in grids]
    if on_grid:
        rows, columns = grids[on_grid[-1]]
        value = named[on_grid[-1]]
        return value.reshape(-1, value.shape[-1]).sum(axis=0)[: rows * columns].reshape(rows, columns)
    places = [value for value in named.values() if value.ndim == 3 and value.shape[0] * value.shape[1] > 1]
    return places[-1].sum(axis=-1) if places else np.zeros(size)

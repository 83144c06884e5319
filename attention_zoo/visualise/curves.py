"""Pictures of training and of errors: curves, confusion matrix, ROC. They need matplotlib (extra `plot`)."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attention_zoo.errors import ZooFileError, ZooValueError, need
from attention_zoo.files import write_bytes
from attention_zoo.visualise.palette import INK, MAP_LIGHT, MUTED, RULE, ramp
from attention_zoo.visualise.segments import printable

# Okabe and Ito's colours that stand out on white; the line style changes too, so that colour is never alone.
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLES = ("-", "--", "-.", ":")
NAMED = 30  # classes: up to here each has its name, and up to half of it each cell its number
PAIRS = 32
LISTED = 7  # classes: from here on the worst pairs are listed too
ROW = 16.0  # points between the lines of that list


def training_curves(history: Mapping[str, Sequence[float]] | str | os.PathLike, path: str | os.PathLike) -> Path:
    """Draw a panel for each measure, training and validation together; the best validation epoch is marked.

    Args:
        history: measures by name, one number an epoch (Keras's `History.history`), or the CSV that `CSVLogger` writes.
        path: `.png` (or `.svg`, `.pdf`).

    Returns:
        The path written.

    Raises:
        ZooValueError: if there is no measure, or their lengths differ.
        ZooFileError: if the CSV cannot be read.
        ZooImportError: without matplotlib.
    """
    columns = _history(history)
    epochs = columns.pop("epoch", None)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, values in columns.items():
        base = name.removeprefix("val_")
        groups.setdefault(base, {})["validation" if name.startswith("val_") else "training"] = values
    across = min(len(groups), 3)
    down = -(-len(groups) // across)
    figure = _figure(5.2 * across, 3.6 * down)
    for place, (base, lines) in enumerate(groups.items()):
        axes = figure.add_subplot(down, across, place + 1)
        count = len(next(iter(lines.values())))
        # Keras counts epochs from 0, people from 1.
        steps = np.arange(1, count + 1) if epochs is None else epochs + 1
        _panel(axes, base, steps, lines)
    return _save(figure, path)


def _panel(axes: Any, base: str, steps: np.ndarray, lines: dict[str, np.ndarray]) -> None:
    for place, (name, values) in enumerate(sorted(lines.items())):
        mark = "o" if len(values) < 30 else None
        axes.plot(steps, values, STYLES[place], color=LINES[place], marker=mark, markersize=4, label=name)
    if len(lines) > 1:
        axes.legend(frameon=False, labelcolor=INK)
    best = lines.get("validation")
    if best is not None and np.isfinite(best).any():
        lower = any(part in base for part in ("loss", "error", "perplexity", "mae", "mse"))
        place = int(np.nanargmin(best) if lower else np.nanargmax(best))
        axes.axvline(steps[place], color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)))
        axes.set_title(f"{_words(base)}: best {best[place]:.4g} in epoch {steps[place]:g}", loc="left", color=INK)
    else:
        axes.set_title(_words(base), loc="left", color=INK)
    lost = sum(int((~np.isfinite(values)).sum()) for values in lines.values())
    axes.set_xlabel("epoch" + (f" ({lost} of the numbers not finite, not drawn)" if lost else ""))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color=RULE, linewidth=0.8)


def confusion_matrix(matrix: np.ndarray, labels: Sequence[str], path: str | os.PathLike) -> Path:
    """Draw how often each class was taken for each other; rows are the truth, in shares of their class.

    Up to 30 classes stand with their names (up to 15, each cell with its count); above, a plain picture with positions
    at round steps, in colours by the root of the share. From 7 classes on, the pairs confused most often are listed
    beside it, with their count and share.

    Args:
        matrix: counts `[true class, predicted class]`.
        labels: names of the classes, in the order of the matrix.
        path: `.png` (or `.svg`, `.pdf`).

    Returns:
        The path written.

    Raises:
        ZooValueError: if the matrix is not square, not of the labels' size, empty, or holds what is no count.
        ZooImportError: without matplotlib.
    """
    counts, names = _counts(matrix, labels), [printable(str(label)) for label in labels]
    classes = len(names)
    pairs = _pairs(counts, names) if classes >= LISTED else []
    side = float(np.clip(2.6 + 0.42 * classes, 4.2, 10.0)) if classes <= NAMED else 8.5
    beside = 5.0 if pairs else 0.0
    figure = _figure(side + 0.8 + beside, side)
    grid = figure.add_gridspec(1, 2 if pairs else 1, width_ratios=(side + 0.8, beside) if pairs else None)
    axes = figure.add_subplot(grid[0])
    axes.set_anchor("NE")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    colours, norm = _colours(0.5 if classes > NAMED else 1.0)
    image = axes.imshow(shares, cmap=colours, norm=norm, interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, shrink=0.5, anchor=(0.0, 1.0))
    bar.set_label("share of the true class", color=MUTED)
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    axes.set_title(f"{classes} classes, {counts.sum():,} examples, {100 * accuracy:.1f} % right", loc="left", color=INK)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if classes <= NAMED:
        _name_classes(axes, names, counts, shares)
    if pairs:
        _list_pairs(figure.add_subplot(grid[1]), pairs)
    return _save(figure, path)


def roc_curve(curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], path: str | os.PathLike) -> dict[str, float]:
    """Draw how many true cases are found (up) at how many false alarms (right), and the area under each curve.

    Args:
        curves: by name, the truth (0 or 1 each) and the scores (larger: more like 1).
        path: `.png` (or `.svg`, `.pdf`).

    Returns:
        The area under each curve, 0.5 for chance, 1 for perfect.

    Raises:
        ZooValueError: if there is no curve, lengths differ, scores are not finite, or one class is missing.
        ZooImportError: without matplotlib.
    """
    if not curves:
        raise ZooValueError("curves must hold at least one name with (truth, scores), got none")
    figure = _figure(5.4, 5.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)))
    areas = {}
    for place, (name, (truth, scores)) in enumerate(curves.items()):
        false, found = _rates(name, truth, scores)
        areas[name] = float(np.trapezoid(found, false))
        style = STYLES[(place // len(LINES) + place) % len(STYLES)]
        label = f"{printable(name)[:40]}: {areas[name]:.3f}"
        axes.plot(false, found, style, color=LINES[place % len(LINES)], linewidth=1.8, label=label)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel="false alarms", ylabel="found")
    axes.set_title("ROC (area under the curve)", loc="left", color=INK)
    axes.grid(color=RULE, linewidth=0.8)
    axes.legend(frameon=False, loc="lower right", labelcolor=INK, fontsize=9 if len(areas) <= 12 else 6)
    _save(figure, path)
    return areas


def _rates(name: str, truth: Sequence[int], scores: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return false alarm and finding rates at every threshold; equal scores move together."""
    truth, scores = np.asarray(truth), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != scores.shape or not np.isfinite(scores).all():
        raise ZooValueError(
            f"curves[{name!r}] must be truth and finite scores of one length, got {truth.shape} and {scores.shape}"
        )
    if not np.isin(truth, (0, 1)).all() or len(np.unique(truth)) < 2:
        raise ZooValueError(f"curves[{name!r}] must have a truth of both 0 and 1, got {np.unique(truth)[:4].tolist()}")
    order = np.argsort(-scores, kind="stable")
    positive = truth[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found, false = np.cumsum(positive)[last], np.cumsum(1 - positive)[last]
    return np.append(0, false / false[-1]), np.append(0, found / found[-1])


def _history(history: object) -> dict[str, np.ndarray]:
    columns = history if isinstance(history, Mapping) else _read(history)
    try:
        found = {str(name): np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    except (TypeError, ValueError) as error:
        raise ZooValueError(f"history must hold one number an epoch for each measure, got {error}") from error
    lengths = {values.shape for values in found.values()}
    if not set(found) - {"epoch"} or len(lengths) != 1 or len(next(iter(lengths))) != 1 or () in lengths:
        raise ZooValueError(
            f"history must hold measures of one length, got {sorted(found)} of shapes {sorted(lengths)}"
        )
    if next(iter(lengths)) == (0,):
        raise ZooValueError("history must hold at least one epoch, got none")
    return found


def _read(path: str | os.PathLike) -> dict[str, list[float]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ZooFileError(f"history {str(path)!r} cannot be read: {error}") from error
    names = list(rows[0]) if rows else []
    # CSVLogger writes NA where a measure was not taken in an epoch.
    return {name: [float("nan") if row[name] in ("NA", "", None) else row[name] for row in rows] for name in names}


def _counts(matrix: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape != (len(labels), len(labels)) or not len(labels):
        raise ZooValueError(
            f"matrix must be [{len(labels)}, {len(labels)}], one row and column a label, got shape {counts.shape}"
        )
    if counts.dtype.kind not in "iuf" or not np.isfinite(counts).all() or (counts < 0).any() or (counts % 1).any():
        raise ZooValueError("matrix must hold counts (whole numbers, 0 or more), got something else")
    return counts.astype(np.int64)


def _pairs(counts: np.ndarray, names: list[str]) -> list[tuple[int, float, str, str]]:
    """Return (count, share of the true class, true, predicted) of the worst confusions."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    places = [np.unravel_index(place, wrong.shape) for place in order]
    return [
        (int(wrong[row, column]), wrong[row, column] / counts[row].sum(), names[row], names[column])
        for row, column in places
        if wrong[row, column]
    ]


def _name_classes(axes: Any, names: list[str], counts: np.ndarray, shares: np.ndarray) -> None:
    places = range(len(names))
    short = [name if len(name) <= 22 else name[:21] + "…" for name in names]
    turn = {} if max(map(len, short)) * len(short) <= 36 else {"rotation": 90}
    axes.set_xticks(places, short, **turn)
    axes.set_yticks(places, short)
    axes.tick_params(length=0)
    if len(names) > NAMED // 2:
        return
    size = float(np.clip(72 / len(names), 8, 14))
    for row in places:
        for column in places:
            if counts[row, column]:
                colour = "white" if shares[row, column] > 0.45 else INK
                axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=size)


def _list_pairs(axes: Any, pairs: list[tuple[int, float, str, str]]) -> None:
    axes.axis("off")
    axes.set_anchor("NW")
    axes.text(0, 1, "Most confused: true → predicted", transform=axes.transAxes, va="bottom", color=INK)
    kept = int((axes.figure.get_figheight() - 1.0) * 72 / ROW)
    for row, (count, share, true, taken) in enumerate(pairs[:kept]):
        cells = (
            (28, "right", f"{count:,}", MUTED),
            (66, "right", f"{100 * share:.0f} %", MUTED),
            (78, "left", f"{_brief(true)} → {_brief(taken)}", INK),
        )
        for x, side, text, colour in cells:
            axes.annotate(
                text, (0, 1), xytext=(x, -ROW * (row + 0.9)), xycoords="axes fraction", textcoords="offset points",
                ha=side, va="center", fontsize=8.5, color=colour, annotation_clip=False,
            )  # fmt: skip


def _brief(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "…"


def _words(name: str) -> str:
    return printable(name).replace("_", " ")


def _colours(power: float) -> tuple[Any, Any]:
    """Return the colours, and how shares find theirs; a power below 1 lifts rare confusions out of the white."""
    need("matplotlib", "plot")
    from matplotlib.colors import ListedColormap, PowerNorm

    return ListedColormap(ramp(np.linspace(0, 1, 256), MAP_LIGHT) / 255.0), PowerNorm(power, vmin=0.0, vmax=1.0)


def _figure(width: float, height: float) -> Any:
    """Return a bare figure (inches); no pyplot, so nothing outside of it changes."""
    need("matplotlib", "plot")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: str | os.PathLike) -> Path:
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg", ".pdf"):
        raise ZooValueError(f"path must end in .png, .svg or .pdf, got {str(path)!r}")
    for axes in figure.axes:
        axes.spines[:].set_color(RULE)
        axes.tick_params(colors=MUTED)
        axes.xaxis.label.set_color(MUTED)
        axes.yaxis.label.set_color(MUTED)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], bbox_inches="tight", pad_inches=0.2)
    return write_bytes(path, buffer.getvalue())

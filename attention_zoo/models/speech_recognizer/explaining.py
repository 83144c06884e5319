"""When a recognizer heard what it wrote: one pass over the sound and the transcript."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from attention_zoo.calibrate import capture
from attention_zoo.calibrate.capture import output_name
from attention_zoo.errors import ZooValueError
from attention_zoo.models.speech_recognizer.network import DECODER
from attention_zoo.search import BOS_ID
from attention_zoo.search.ctc_posterior import posteriors
from attention_zoo.text import Token
from attention_zoo.text.rows import padded
from attention_zoo.visualise import Alignment
from attention_zoo.visualise.alignment_words import Axis

MULTIPLE = 8  # rows are as wide as a multiple of this, so that few shapes are compiled


def aligned(task: Any, sound: Any, text: str, score: float | None) -> Alignment:
    """Return the alignment of what was written with the time of the sound.

    Args:
        task: a `SpeechRecognizer`.
        sound: what was heard.
        text: what was written.
        score: of the search, or None.

    Raises:
        ZooValueError: if nothing was written.
    """
    preprocessor, listener = task.preprocessor, task.listener
    ids = said_ids(task, text)
    arrays = preprocessor([sound])
    steps = int(-(-arrays["frames"][0] // listener.factor))
    written, rows = _rows(preprocessor, ids)
    maps, sides = {}, {}
    if task.config.decodes:
        maps, sides = _maps(task.model, arrays, [BOS_ID, *ids], steps)
        rows = [*rows, Token("[EOS]", len(written), len(written), len(rows))]
        sites = crossing(sides)
        # The layer before the last looks where it reads; the last one already at what comes.
        weights = maps[sites[max(len(sites) - 2, 0)]].mean(axis=0)
    else:
        features = arrays["features"][0, : arrays["frames"][0]]
        weights = posteriors(listener.chances([features], 1)[0], ids)
    axis = Axis(steps, listener.step_seconds, unit="s", name="time")
    return Alignment("", axis, written, rows, weights=weights, score=score, attention=maps, sides=sides)


def said_ids(task: Any, text: str) -> np.ndarray:
    """Return the units of a transcript.

    Raises:
        ZooValueError: if there are none.
    """
    ids = task.preprocessor.targets([text])[0][: task.config.max_length - 1]
    if not len(ids):
        raise ZooValueError("the transcript must hold at least one unit to be explained, got an empty one")
    return ids


def with_units(arrays: dict[str, np.ndarray], rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """Return what a network with a decoder reads: sounds, and the units that were written from each."""
    begun = [[BOS_ID, *row] for row in rows]
    return {**arrays, "target_ids": padded(begun, MULTIPLE, -(-max(map(len, begun)) // MULTIPLE) * MULTIPLE)}


def crossing(paths: Iterable[str]) -> list[str]:
    """Return the sites at which what is written looks at the sound, in the order of the layers."""
    return [path for path in paths if path.startswith(DECODER) and path.rsplit("/", 1)[-1] != "self_attention"]


def _rows(preprocessor: Any, ids: np.ndarray) -> tuple[str, list[Token]]:
    """Return the text of units, and each unit with its characters in it."""
    text, rows = "", []
    for number, unit in enumerate(ids.tolist()):
        start = len(text)
        text += preprocessor.unit(unit)
        rows.append(Token(preprocessor.unit(unit), start, len(text), number))
    return text, rows


def _maps(model: Any, arrays: dict, said: list, steps: int) -> tuple[dict, dict]:
    """Return the maps of the decoder, without padding, and what their sides are."""
    watched = capture(model, only=f"{DECODER}*")
    found = watched.predict_on_batch(with_units(arrays, [said[1:]]))
    maps, sides = {}, {}
    for site in watched.sites.values():
        own = site.path.rsplit("/", 1)[-1] == "self_attention"
        keys, width = ("written", len(said)) if own else ("source", steps)
        maps[site.path] = np.asarray(found[output_name(site.path)], np.float32)[0][..., : len(said), :width]
        sides[site.path] = ("target", keys)
    return maps, sides

"""When a recognizer heard what it wrote: one pass over the sound and the transcript."""

from typing import Any

import numpy as np

from attention_zoo.calibrate import capture
from attention_zoo.calibrate.capture import output_name
from attention_zoo.errors import ZooValueError
from attention_zoo.models.speech_recognizer.network import DECODER
from attention_zoo.search import BOS_ID
from attention_zoo.search.ctc_posterior import posteriors
from attention_zoo.text import Token
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
    ids = preprocessor.targets([text])[0][: task.config.max_length - 1]
    if not len(ids):
        raise ZooValueError("the transcript must hold at least one unit to be explained, got an empty one")
    arrays = preprocessor([sound])
    steps = int(-(-arrays["frames"][0] // listener.factor))
    written, rows = _rows(preprocessor, ids)
    maps, sides = {}, {}
    if task.config.decodes:
        maps, sides = _maps(task.model, arrays, [BOS_ID, *ids], steps)
        rows = [*rows, Token("[EOS]", len(written), len(written), len(rows))]
        crossing = [site for site, pair in sides.items() if pair == ("target", "source")]
        # The layer before the last looks where it reads; the last one already at what comes.
        weights = maps[crossing[max(len(crossing) - 2, 0)]].mean(axis=0)
    else:
        features = arrays["features"][0, : arrays["frames"][0]]
        weights = posteriors(listener.chances([features], 1)[0], ids)
    axis = Axis(steps, listener.step_seconds, unit="s", name="time")
    return Alignment("", axis, written, rows, weights=weights, score=score, attention=maps, sides=sides)


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
    target_ids = np.zeros((1, -(-len(said) // MULTIPLE) * MULTIPLE), np.int32)
    target_ids[0, : len(said)] = said
    watched = capture(model, only=f"{DECODER}*")
    found = watched.predict_on_batch({**arrays, "target_ids": target_ids})
    maps, sides = {}, {}
    for site in watched.sites.values():
        own = site.path.rsplit("/", 1)[-1] == "self_attention"
        keys, width = ("written", len(said)) if own else ("source", steps)
        maps[site.path] = np.asarray(found[output_name(site.path)], np.float32)[0][..., : len(said), :width]
        sides[site.path] = ("target", keys)
    return maps, sides

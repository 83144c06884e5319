"""Where a translator looked: one pass over what was written."""

import keras
import numpy as np

from attention_zoo.calibrate import capture
from attention_zoo.calibrate.capture import output_name
from attention_zoo.errors import ZooValueError
from attention_zoo.models.translator.network import DECODER
from attention_zoo.search import BOS_ID
from attention_zoo.text import Token, TranslationPreprocessor
from attention_zoo.text.rows import padded
from attention_zoo.visualise import Alignment

MULTIPLE = 8  # rows are as wide as a multiple of this, so that few shapes are compiled


def aligned(
    model: keras.Model, preprocessor: TranslationPreprocessor, text: str, written: str, score: float | None
) -> Alignment:
    """Return the alignment of a text and what was written from it.

    Args:
        model: a network of the family.
        preprocessor: of the model.
        text: what was read.
        written: what was written; may be empty.
        score: of the search, or None.

    Raises:
        ZooValueError: if the text is blank.
    """
    if not text.strip():
        raise ZooValueError(f"text must hold at least one word to be explained, got {text!r}")
    inputs = paired(preprocessor, [text], [written])
    source, target = (int(np.count_nonzero(inputs[name])) for name in ("source_ids", "target_ids"))
    sizes = {"source": source, "target": target, "written": target}
    watched = capture(model)
    found = watched.predict_on_batch(inputs)
    maps, sides = {}, {}
    for site in watched.sites.values():
        keys, queries = _sides(site.path)
        map_ = np.asarray(found[output_name(site.path)], np.float32)[0]
        maps[site.path] = map_[..., : sizes[queries], : sizes[keys]]
        sides[site.path] = (queries, keys)
    return Alignment(
        text,
        _ended(preprocessor.source_tokens(text), text),
        written,
        _ended(preprocessor.target_tokens(written), written),
        weights=_weights(maps, sides),
        score=score,
        attention=maps,
        sides=sides,
    )


def _ended(tokens: list[Token], text: str) -> list[Token]:
    """Return tokens with the mark that ends them."""
    return [*tokens, Token("[EOS]", len(text), len(text), len(tokens))]


def paired(preprocessor: TranslationPreprocessor, texts: list[str], written: list[str]) -> dict[str, np.ndarray]:
    """Return what a network reads of texts and of what was written from them, from its first piece to its last.

    Args:
        preprocessor: of the model.
        texts: what was read; one that is too long is cut, and this is said.
        written: for each; may be empty.
    """
    rows = [[BOS_ID, *row[: preprocessor.max_length - 1]] for row in preprocessor.target.encode(written)]
    longest = -(-max(map(len, rows)) // MULTIPLE) * MULTIPLE
    return {**preprocessor(texts), "target_ids": padded(rows, MULTIPLE, longest)}


def _sides(site: str) -> tuple[str, str]:
    """Return what the keys and the queries of a site are."""
    if not site.startswith(DECODER):
        return "source", "source"
    last = site.rsplit("/", 1)[-1]
    return ("written", "target") if last == "self_attention" else ("source", "target")


def crossing(sides: dict[str, tuple[str, str]]) -> list[str]:
    """Return the sites at which what is written looks at the source, in the order of the layers."""
    return [site for site, pair in sides.items() if pair == ("target", "source")]


def _weights(maps: dict[str, np.ndarray], sides: dict[str, tuple[str, str]]) -> np.ndarray:
    """Return where the decoder looked, [target, source]: of the layer before the last, mean over heads."""
    sites = crossing(sides)
    return maps[sites[max(len(sites) - 2, 0)]].mean(axis=0)

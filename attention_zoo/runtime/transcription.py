"""From the steps of a recognizer to what was said, in pieces and as a whole."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError, unknown
from attention_zoo.search import Decoding
from attention_zoo.search.ctc import Word, greedy
from attention_zoo.search.ctc_align import align, words
from attention_zoo.search.ctc_beam import CtcDecoding, prefix_beam

# Ids with their score, best first.
Found = list[tuple[Sequence[int], float]]


@dataclass(frozen=True)
class Transcript:
    """What was said in one sound.

    Args:
        text: the best transcript; "" where nothing was said.
        score: what the search ranked it by, a log-probability; the mean over the pieces of a long sound.
        words: with their times, where these were asked for.
        others: further transcripts with their scores, best first; as many as `nbest` asked for, without the best.
    """

    text: str
    score: float
    words: tuple[Word, ...] = ()
    others: tuple[tuple[str, float], ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the transcript as a line of JSON tells it, beside the sound that it is of."""
        told: dict[str, Any] = {"transcript": self.text, "score": self.score}
        if self.words:
            told["words"] = [asdict(word) for word in self.words]
        return {**told, "others": [list(other) for other in self.others]} if self.others else told


@dataclass(frozen=True)
class Hearing:
    """Settings of a search for what was said.

    score = (1 - ctc_weight) log p_decoder + ctc_weight log p_ctc + lm_weight log p_language + length_bonus x units

    Without a decoder, and with a `ctc_weight` of 1, CTC is alone; with a decoder the language model ranks what the
    search has found.

    Raises:
        ZooValueError: if a number is out of its range.
    """

    beam: int = 8  # hypotheses kept alive; 1 is greedy search
    nbest: int = 1  # transcripts handed back, at most `beam`
    ctc_weight: float = 0.4  # share of CTC in the score, 0 to 1, where there is a decoder
    lm_weight: float = 0.0  # weight of the language model's log-probability
    length_bonus: float = 0.0  # added for each unit
    max_length: int = 256  # units at most that a decoder writes

    def __post_init__(self) -> None:
        for name, unit in {"beam": "hypotheses", "nbest": "transcripts", "max_length": "units"}.items():
            whole_number(name, getattr(self, name), unit=unit)
        if self.nbest > self.beam:
            raise ZooValueError(f"nbest must be at most beam ({self.beam}), got {self.nbest}")
        for name, (least, most) in {"ctc_weight": (0, 1), "lm_weight": (0, 10), "length_bonus": (-10, 10)}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
                raise ZooValueError(f"{name} must be a number from {least} to {most}, got {value!r}")

    @classmethod
    def of(cls, usual: Mapping[str, Any], asked: Mapping[str, Any], language: Any) -> "Hearing":
        """Return settings; what is asked for goes before what is usual, and None asks for nothing.

        Args:
            usual: fields.
            asked: fields.
            language: the language model, or None; without one its weight is 0 unless it is asked for.

        Raises:
            ZooValueError: if a name is unknown, a value cannot work, or there is no language model to be weighed.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        given = {name: value for name, value in asked.items() if value is not None}
        for name in given:
            if name not in names:
                raise unknown("setting of a transcription", name, names)
        if language is None:
            if given.get("lm_weight"):
                raise ZooValueError(f"lm_weight {given['lm_weight']} wants a language model, and this model has none")
            usual = {**usual, "lm_weight": 0.0, "length_bonus": 0.0}
        return cls(**{**usual, **given})

    def of_decoder(self) -> Decoding:
        """Return the settings of the decoder's own search: with a language model it hands back all that it has."""
        return Decoding(
            beam=self.beam,
            nbest=self.beam if self.lm_weight else self.nbest,
            ctc_weight=self.ctc_weight,
            length_penalty=0.0 if self.ctc_weight else 1.0,
            max_length=self.max_length,
        )


def by_ctc(chances: np.ndarray, settings: Hearing, language: Any, separator: int | None) -> Found:
    """Search by CTC alone.

    Args:
        chances: float [steps, units], log-probabilities.
        settings: of the search.
        language: a language model, or None.
        separator: id of the unit between words, where there is one.
    """
    if settings.beam == 1 and not settings.lm_weight:
        path = greedy(chances[None])[0]
        return [(path.token_ids, path.score)]
    own = CtcDecoding(
        beam=settings.beam,
        nbest=settings.nbest,
        language_weight=settings.lm_weight,
        bonus=settings.length_bonus,
        separator=separator,
    )
    return [(one.token_ids, one.score) for one in prefix_beam(chances[None], own, language)[0]]


def by_decoder(told: Mapping[str, np.ndarray], settings: Hearing, language: Any) -> list[Found]:
    """Return what a decoder's search found of each piece, ranked by the language model too where it counts.

    Args:
        told: "token_ids" [pieces, nbest, length], "scores" and "lengths" [pieces, nbest].
        settings: of the search.
        language: a language model, or None.
    """
    found: list[Found] = []
    for ids, scores, lengths in zip(told["token_ids"], told["scores"], told["lengths"]):
        found.append([(row[:length].tolist(), float(score)) for row, score, length in zip(ids, scores, lengths)])
    return [reranked(one, settings, language) for one in found] if settings.lm_weight else found


def reranked(found: Found, settings: Hearing, language: Any) -> Found:
    """Rank what a decoder found by the language model too.

    Args:
        found: ids with their scores.
        settings: of the search.
        language: the language model.
    """
    worth = [
        (ids, score + settings.lm_weight * language.total(ids) + settings.length_bonus * len(ids))
        for ids, score in found
    ]
    return sorted(worth, key=lambda one: -one[1])[: settings.nbest]


@dataclass(frozen=True)
class Heard:
    """What a search found in one piece of a sound.

    Args:
        hypotheses: ids of units with their scores, best first.
        chances: float [steps, units], log-probabilities of CTC.
        start: of the piece in its sound (seconds).
    """

    hypotheses: Sequence[tuple[Sequence[int], float]]
    chances: np.ndarray
    start: float = 0.0


def transcribed(
    pieces: Sequence[Heard], write: Callable[[Sequence[int]], str], nbest: int, timing: tuple[Any, float] | None
) -> Transcript:
    """Join what was heard in the pieces of one sound: the best of each, the second best of each ...

    Args:
        pieces: in order.
        write: turns ids of units into text.
        nbest: transcripts wanted.
        timing: the preprocessor's units and seconds of a step, where words are to have times; else None.
    """
    ranked = []
    for rank in range(nbest):
        chosen = [piece.hypotheses[min(rank, len(piece.hypotheses) - 1)] for piece in pieces if piece.hypotheses]
        texts = [write(ids) for ids, _ in chosen]
        score = float(np.mean([score for _, score in chosen])) if chosen else 0.0
        ranked.append((" ".join(text for text in texts if text), score))
    said = () if timing is None else tuple(word for piece in pieces for word in _timed(piece, write, *timing))
    return Transcript(*ranked[0], said, tuple(ranked[1:]))


def _timed(piece: Heard, write: Callable[[Sequence[int]], str], units: Any, seconds: float) -> list[Word]:
    """Return the words of the best hypothesis with their times in the whole sound."""
    if not piece.hypotheses or not len(piece.hypotheses[0][0]):
        return []
    path = align(piece.chances, piece.hypotheses[0][0])
    found = words(path, write, units.separator, seconds, units.begins)
    return [replace(word, start=word.start + piece.start, end=word.end + piece.start) for word in found]

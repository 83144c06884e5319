"""How a decoder is asked: greedy, beam search or sampling, and by which numbers."""

import dataclasses
from collections.abc import Mapping
from numbers import Real
from typing import Any

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown

PAD_ID, UNKNOWN_ID, BOS_ID, EOS_ID = 0, 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Settings of a search for what a decoder has to say.

    score = sum of log p(token) / ((5 + length) / 6)^length_penalty
            + coverage_penalty x sum over source of log min(attention it got, 1)

    where length counts the closing [EOS]. With `ctc_weight` w, of a recognizer, log p(token) is

        (1 - w) log p_decoder(token) + w (log p_ctc(said and token) - log p_ctc(said))

    with p_ctc the probability of all texts that begin so, and at [EOS] that of this text itself.

    Raises:
        ZooValueError: if a number is out of its range, or two settings contradict each other.

    Source: Wu et al. 2016, arXiv:1609.08144, section 7, equation 14 (both penalties); Watanabe et al. 2017, "Hybrid
        CTC/Attention Architecture for End-to-End Speech Recognition" (one-pass decoding).
    """

    beam: int = 5  # hypotheses kept alive; 1 is greedy search
    length_penalty: float = 1.0  # alpha; 0 compares plain sums, which favours the short
    coverage_penalty: float = 0.0  # beta; 0 leaves the attention out
    ctc_weight: float = 0.0  # share of CTC in the score, under 1; 0 leaves it out. Wants an encoder that gives it
    max_length: int = 128  # tokens at most, the closing [EOS] among them
    nbest: int = 1  # hypotheses handed back, at most `beam`
    early_stopping: bool = True  # a sentence is done at `beam` ended hypotheses, else when no living one can win
    sample: bool = False  # draw by chance instead of searching; wants beam=1
    temperature: float = 1.0  # logits are divided by it; under 1 is more sure (sampling)
    top_k: int = 0  # only so many of the likeliest tokens; 0 is all (sampling)
    top_p: float = 1.0  # only the fewest tokens that together have this probability (sampling)
    seed: int = 0  # of the sampling
    pad_id: int = PAD_ID  # fills rows
    bos_id: int = BOS_ID  # what the decoder reads first
    eos_id: int = EOS_ID  # what it says last
    banned: tuple[int, ...] = (PAD_ID, UNKNOWN_ID, BOS_ID)  # ids that are never said

    def __post_init__(self) -> None:
        for name, unit in {"beam": "hypotheses", "max_length": "tokens", "nbest": "hypotheses"}.items():
            whole_number(name, getattr(self, name), unit=unit)
        for name in ("top_k", "seed", "pad_id", "bos_id", "eos_id"):
            whole_number(name, getattr(self, name), least=0)
        for name in ("early_stopping", "sample"):
            if not isinstance(getattr(self, name), bool):
                raise ZooTypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        for name in ("length_penalty", "coverage_penalty"):
            self._within(name, 0.0, float("inf"), "at least 0 and finite", least_too=True)
        self._within("ctc_weight", 0.0, 1.0, "at least 0 and under 1 (share)", least_too=True)
        self._within("temperature", 0.0, float("inf"), "over 0 and finite")
        self._within("top_p", 0.0, 1.0, "over 0 and at most 1", most_too=True)
        object.__setattr__(self, "banned", tuple(whole_number("banned", one, least=0) for one in self.banned))
        self._agree()

    def _within(self, name: str, least: float, most: float, words: str, least_too=False, most_too=False) -> None:
        """Raise unless a number lies between two others."""
        value = getattr(self, name)
        fits = isinstance(value, Real) and not isinstance(value, bool)
        fits = fits and (least < value < most or (least_too and value == least) or (most_too and value == most))
        if not fits:
            raise ZooValueError(f"{name} must be {words}, got {value!r}")

    def _agree(self) -> None:
        """Raise where two settings contradict each other."""
        if self.nbest > self.beam:
            raise ZooValueError(f"nbest must be at most beam ({self.beam}), got {self.nbest}")
        if self.sample and self.beam > 1:
            raise ZooValueError(f"sample=True draws one hypothesis and wants beam=1, got beam={self.beam}")
        if self.sample and self.ctc_weight:
            raise ZooValueError(f"sample=True draws by the decoder alone and wants ctc_weight=0, got {self.ctc_weight}")
        for name, plain in {"temperature": 1.0, "top_k": 0, "top_p": 1.0}.items():
            value = getattr(self, name)
            if not self.sample and value != plain:
                raise ZooValueError(f"{name} is for sampling and wants sample=True, got {value!r} without it")
        if self.pad_id == self.eos_id:
            raise ZooValueError(f"pad_id and eos_id must differ, got {self.pad_id} for both")
        if self.eos_id in self.banned:
            raise ZooValueError(f"banned must not hold eos_id {self.eos_id}, got {self.banned}")

    def change(self, **changes: Any) -> "Decoding":
        """Return these settings with some changed.

        Raises:
            ZooValueError: if a name is unknown, or what comes out cannot work.
        """
        _check_names(changes)
        return dataclasses.replace(self, **changes)

    def get_config(self) -> dict[str, Any]:
        """Return the settings as plain values that JSON can hold."""
        return {**dataclasses.asdict(self), "banned": list(self.banned)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Decoding":
        """Make settings of what `get_config` gave.

        Raises:
            ZooValueError: if a name is unknown or a value is out of its range.
        """
        _check_names(config)
        return cls(**config)


def _check_names(values: Mapping[str, Any]) -> None:
    """Raise for a name that is no setting."""
    names = [field.name for field in dataclasses.fields(Decoding)]
    for name in values:
        if name not in names:
            raise unknown("setting of decoding", name, names)

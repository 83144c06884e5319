"""Every choice of a speech recognizer, each with its unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.models.config import Config

# What each network means where a field is left None.
NETWORKS: dict[str, dict[str, Any]] = {
    "conformer": {"depth": 6, "decoder_depth": 2, "attention": "transformer_xl", "cross_attention": "multi_head"},
    "streaming": {"depth": 6, "decoder_depth": 0, "attention": "rotary", "cross_attention": "multi_head"},
    "las": {"depth": 3, "decoder_depth": 1, "attention": "location_aware", "cross_attention": "multi_head"},
}
UNITS = ("letters", "pieces")
CELLS = ("lstm", "gru")


@dataclass(frozen=True)
class SpeechRecognizerConfig(Config):
    """What a speech recognizer is made of.

    conformer: features -> a step of four frames -> Conformer blocks -> CTC, and a transformer that reads the steps
    streaming: the same with convolutions that look back and attention within chunks and some before -> CTC
    las: features -> recurrent layers that lay steps together -> CTC, and a recurrent decoder that aligns itself

    Raises:
        ZooValueError: if a value is out of range or a name is unknown.
        ZooTypeError: if a value is of the wrong kind.
    """

    family = "speech_recognizer"

    network: str = "conformer"  # name of NETWORKS: what the fields that are None mean
    units: str = "letters"  # what is written: "letters" or "pieces" of words
    vocabulary_size: int | None = None  # units with the four special ones; None until they are learned
    pieces: int = 300  # pieces at most, where units are "pieces"
    mels: int = 80  # bands of the features
    max_seconds: float = 30.0  # of a sound that is read at once; a longer one is cut where it is quiet
    max_length: int = 256  # units of a transcript that are written at most by the decoder

    width: int = 144  # channels of a step
    depth: int | None = None  # blocks of the encoder, or recurrent layers
    heads: int = 4  # heads of each attention
    feed_forward: int | None = None  # channels within each feed-forward part; None is 4 x `width`
    kernel_size: int = 15  # steps that the convolutions of the encoder span, odd
    attention: Any = None  # of the encoder, role "self"; of "las": of the decoder, role "align"
    decoder_depth: int | None = None  # decoder blocks; 0 is CTC alone
    cross_attention: Any = None  # of a transformer decoder on the steps, role "cross"
    cell: str = "lstm"  # of "las": "lstm" or "gru"
    chunk: int = 16  # of "streaming": steps of 40 ms in a chunk, which is what an answer waits for
    left: int = 4  # of "streaming": chunks before its own that a step sees

    dropout: float = 0.1  # share dropped while training, within and after blocks
    attention_dropout: float = 0.0  # share of the attention weights dropped while training
    stochastic_depth: float = 0.0  # how often the last block is left out while training
    scheduled_sampling: float = 0.0  # of "las": share of steps that the decoder learns from its own last unit
    ctc_share: float = 0.3  # share of CTC in the loss where there is a decoder

    beam: int = 8  # hypotheses kept, where nothing else is asked for; 1 is greedy
    ctc_weight: float = 0.4  # share of CTC in the score of a search where there is a decoder
    lm_weight: float = 0.3  # weight of the language model's log-probability, where there is one
    length_bonus: float = 0.0  # added to the score for each unit, where there is a language model

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise unknown("network", self.network, NETWORKS)
        self.fill(NETWORKS[self.network])
        whole_number("width", self.width, 1, "channels")
        self.fill({"feed_forward": 4 * self.width})
        self._check_numbers()
        self._check_choices()
        self._check_network()

    @property
    def decodes(self) -> bool:
        """True where there is a decoder beside CTC."""
        return self.decoder_depth > 0

    @property
    def attention_name(self) -> str:
        """Return the name of the attention that the network is known by."""
        chosen = self.attention
        return str(chosen.get("name", "")) if isinstance(chosen, Mapping) else str(chosen)

    def _check_numbers(self) -> None:
        counts = {"pieces": (8, "pieces"), "mels": (8, "bands"), "max_length": (1, "units"), "depth": (1, "blocks")}
        counts |= {"heads": (1, "heads"), "feed_forward": (1, "channels"), "kernel_size": (3, "steps")}
        counts |= {"decoder_depth": (0, "blocks"), "chunk": (1, "steps"), "left": (1, "chunks")}
        counts |= {"beam": (1, "hypotheses")}
        for name, (least, unit) in counts.items():
            whole_number(name, getattr(self, name), least, unit)
        if self.vocabulary_size is not None:
            whole_number("vocabulary_size", self.vocabulary_size, 5, "units")
        shares = ("dropout", "attention_dropout", "stochastic_depth", "scheduled_sampling", "ctc_share", "ctc_weight")
        for name in shares:
            if name.startswith("ctc"):
                _between(name, getattr(self, name), 0.0, 1.0)
            else:
                share(name, getattr(self, name))
        _between("max_seconds", self.max_seconds, 1.0, 3600.0)
        _between("lm_weight", self.lm_weight, 0.0, 10.0)
        _between("length_bonus", self.length_bonus, -10.0, 10.0)

    def _check_choices(self) -> None:
        for name, known in {"units": UNITS, "cell": CELLS}.items():
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        for name in ("attention", "cross_attention"):
            value = getattr(self, name)
            if not (isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("name"), str))):
                raise ZooTypeError(f"{name} must be a name or a dict with 'name', got {value!r}")

    def _check_network(self) -> None:
        """Check that what belongs to one network is not asked of another."""
        if self.kernel_size % 2 == 0:
            raise ZooValueError(f"kernel_size must be odd (steps), got {self.kernel_size}")
        if self.width % self.heads:
            raise ZooValueError(f"width must be a multiple of heads, got {self.width} for {self.heads} heads")
        if self.network == "las" and self.decoder_depth != 1:
            raise ZooValueError(f"decoder_depth must be 1 for network 'las', got {self.decoder_depth}")
        if self.network == "streaming" and self.decoder_depth:
            raise ZooValueError(f"decoder_depth must be 0 for network 'streaming', got {self.decoder_depth}")
        if self.scheduled_sampling and self.network != "las":
            raise ZooValueError(f"scheduled_sampling must be 0 for network {self.network!r}, whose steps run at once")


def _between(name: str, value: Any, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ZooValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")

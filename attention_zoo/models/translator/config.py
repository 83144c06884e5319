"""Every choice of a translator, each with its unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.models.config import Config
from attention_zoo.text.pieces import SMALLEST_VOCABULARY

# What each network means where a field is left None.
NETWORKS: dict[str, dict[str, Any]] = {
    "transformer": {"depth": 4, "position": "sinusoidal", "attention": "multi_head"},
    "recurrent": {"depth": 1, "position": "none", "attention": "alignment"},
}
SHARED = ("all", "target", "none")
CELLS = ("gru", "lstm")


@dataclass(frozen=True)
class TranslatorConfig(Config):
    """What a translator is made of.

    transformer: source -> embedding -> encoder blocks -> decoder blocks that also read the target so far -> logits
    recurrent: source -> embedding -> bidirectional layers -> one recurrent decoder that aligns itself at each step

    Raises:
        ZooValueError: if a value is out of range or a name is unknown.
        ZooTypeError: if a value is of the wrong kind.
    """

    family = "translator"

    network: str = "transformer"  # name of NETWORKS: what the fields that are None mean
    source: str = "source"  # language or column that is read, as in the data ("en")
    target: str = "target"  # language or column that is written ("de")
    vocabulary_size: int = 8000  # pieces at most of each vocabulary; once they are learned, those of the target
    source_size: int | None = None  # pieces of the source's vocabulary; None until it is learned
    joint: bool = True  # whether source and target have one vocabulary
    min_frequency: int = 2  # times that a pair of pieces must occur to be joined
    max_length: int = 128  # pieces of a text that are read at once, and written at most

    width: int = 128  # channels of the embeddings and of the blocks
    depth: int | None = None  # encoder blocks, or bidirectional layers
    decoder_depth: int | None = None  # decoder blocks; None is `depth`, always 1 for "recurrent"
    attention: Any = None  # transformer: of the encoder, and of the decoder on itself, role "self"; recurrent: "align"
    decoder_attention: Any = None  # of the decoder on itself, if it is another; must go step by step
    cross_attention: Any = "multi_head"  # of the decoder on the source, role "cross"; transformer only
    heads: int = 4  # heads of each attention; transformer only
    feed_forward: int | None = None  # channels within each block's feed-forward part; None is 4 x `width`
    feed_forward_kind: str = "relu"  # "gelu", "relu", "silu" or "swiglu"
    norm: str = "pre"  # "pre" or "post": where a block normalizes
    position: str | None = None  # absolute position added to the embeddings: "sinusoidal", "learned", "none"
    shared: str = "all"  # tables that are one: "all" (source, target, logits), "target" (target, logits) or "none"
    cell: str = "gru"  # of recurrent layers: "gru" or "lstm"
    units: int | None = None  # channels of the recurrent decoder, and of both directions together; None is 2 x `width`
    input_feeding: bool = True  # whether the recurrent decoder sees what it read a step before
    scheduled_sampling: float = 0.0  # share of steps that a recurrent decoder learns from its own last word

    dropout: float = 0.1  # share dropped while training within and after blocks, and of the embeddings
    attention_dropout: float = 0.0  # share of the attention weights dropped while training; transformer only
    piece_dropout: float = 0.0  # share of joins left out while training: other cuts of the same words

    beam: int = 5  # hypotheses kept while translating, where nothing else is asked for; 1 is greedy
    length_penalty: float = 1.0  # power by which longer translations are favoured, where nothing else is asked for

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise unknown("network", self.network, NETWORKS)
        self.fill(NETWORKS[self.network])
        whole_number("width", self.width, 1, "channels")
        self.fill({"feed_forward": 4 * self.width, "units": 2 * self.width, "decoder_depth": self.depth})
        if not self.recurrent:
            self.fill({"decoder_attention": self.attention})
        self._check_numbers()
        self._check_choices()
        self._check_network()

    @property
    def recurrent(self) -> bool:
        """True where the decoder is a recurrent one."""
        return self.network == "recurrent"

    @property
    def attention_name(self) -> str:
        """Return the name of the attention that reads the source while writing."""
        chosen = self.attention if self.recurrent else self.cross_attention
        return str(chosen.get("name", "")) if isinstance(chosen, Mapping) else str(chosen)

    def _check_numbers(self) -> None:
        counts = {"vocabulary_size": (SMALLEST_VOCABULARY, "pieces"), "min_frequency": (1, "times")}
        counts |= {"max_length": (2, "pieces")}
        counts |= {"depth": (1, "blocks"), "decoder_depth": (1, "blocks"), "heads": (1, "heads")}
        counts |= {"feed_forward": (1, "channels"), "units": (2, "channels"), "beam": (1, "hypotheses")}
        for name, (least, unit) in counts.items():
            whole_number(name, getattr(self, name), least, unit)
        if self.source_size is not None:
            whole_number("source_size", self.source_size, SMALLEST_VOCABULARY, "pieces")
        for name in ("dropout", "attention_dropout", "piece_dropout", "scheduled_sampling"):
            share(name, getattr(self, name))
        if not 0 <= self.length_penalty < float("inf"):
            raise ZooValueError(f"length_penalty must be at least 0, got {self.length_penalty!r}")

    def _check_choices(self) -> None:
        choices = {"norm": ("pre", "post"), "shared": SHARED, "cell": CELLS}
        choices |= {"feed_forward_kind": ("gelu", "relu", "silu", "swiglu")}
        choices |= {"position": ("sinusoidal", "learned", "none")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        for name in ("attention", "decoder_attention", "cross_attention"):
            value = getattr(self, name)
            if value is not None and not _named(value):
                raise ZooTypeError(f"{name} must be a name or a dict with 'name', got {value!r}")
        for name in ("source", "target"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ZooTypeError(f"{name} must be the name of a language or column, got {getattr(self, name)!r}")

    def _check_network(self) -> None:
        """Check that what belongs to one network is not asked of the other."""
        if self.shared == "all" and not self.joint:
            raise ZooValueError("shared must be 'target' or 'none' where joint is False, as tables differ, got 'all'")
        if self.recurrent:
            if self.decoder_depth != 1 and self.decoder_depth != self.depth:
                raise ZooValueError(f"decoder_depth must be 1 for network 'recurrent', got {self.decoder_depth}")
            object.__setattr__(self, "decoder_depth", 1)
            if self.decoder_attention is not None:
                raise ZooValueError("decoder_attention must be left out for network 'recurrent', which has none")
            if self.units % 2:
                raise ZooValueError(f"units must be even, half for each direction, got {self.units}")
        else:
            if self.width % self.heads:
                raise ZooValueError(f"width must be a multiple of heads, got {self.width} for {self.heads} heads")
            if self.scheduled_sampling:
                raise ZooValueError("scheduled_sampling must be 0 for network 'transformer', whose steps run at once")


def _named(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("name"), str))

"""Every choice of a recommender, each with its unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attention_zoo.blocks.feed_forward import KINDS
from attention_zoo.blocks.ranker import FIELDS, TARGET
from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.models.config import Config, as_tuple

# What a network is made of where nothing else is said.
NETWORKS: dict[str, dict[str, Any]] = {
    "sasrec": {"attention": "multi_head", "depth": 2},
    "bert4rec": {"attention": "multi_head", "depth": 2},
    "gru": {"attention": "additive", "depth": 1},
    # Shares of the history: without the softmax, as published, weights of any size and sign tell little of what counts.
    "din": {"attention": {"name": "din", "normalizer": "softmax"}, "depth": 1},
    "autoint": {"attention": "auto_int", "depth": 1},
    "afm": {"attention": "afm", "depth": 1},
}
RANKERS = {"din": TARGET, "autoint": FIELDS, "afm": FIELDS}  # networks with a second step, and what fits there
POSITIONS = ("learned", "none")


@dataclass(frozen=True)
class RecommenderConfig(Config):
    """What a recommender is made of.

    Numbers of items -> vectors -> a state after each (causal attention; attention both ways over hidden items; or a GRU
    and attention) -> scores of all items by the same table. "din", "autoint" and "afm" then order the best `candidates`
    by a ranker: target attention over the history, or attention among fields.

    Raises:
        ZooValueError: if a value is out of range or a name is unknown.
        ZooTypeError: if a value is of the wrong kind.
    """

    family = "recommender"

    network: str = "sasrec"  # "sasrec", "bert4rec", "gru", "din", "autoint" or "afm"
    items: int | None = None  # in the catalogue; None until data is seen
    features: Any = ()  # of the items: pairs of a name and how many numbers it has; known once data is seen
    length: int = 50  # items of a history that are read, the newest

    width: int = 64  # channels
    depth: int | None = None  # blocks over the history; None is that of the network; a GRU has one
    heads: int = 2  # of the attention over the history
    feed_forward: int | None = None  # channels within feed-forward parts; None is 4 x `width`
    feed_forward_kind: str = "gelu"  # "gelu", "relu", "silu" or "swiglu"
    norm: str = "pre"  # where blocks normalise: "pre" or "post"
    attention: Any = None  # what the network is known by, a name or a dict with "name": of the blocks over the history
    # ("sasrec", "bert4rec"), of the look back ("gru"), of the ranker ("din", "autoint", "afm")
    encoder_attention: Any = "multi_head"  # of the blocks over the history where there is a ranker
    position: str = "learned"  # how places of a history are told: "learned", or "none" where the attention knows them
    units: int | None = None  # channels of the GRU's states; None is `width`

    ranker_units: int = 64  # hidden units of the ranker's network
    candidates: int = 100  # items that a ranker orders, the best by the state; more where more are asked for
    hide: float = 0.2  # share of the items that "bert4rec" learns to find

    dropout: float = 0.3  # share dropped while training: of vectors, within and after blocks
    attention_dropout: float = 0.0  # share of the attention weights dropped while training

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise unknown("network", self.network, NETWORKS)
        self.fill(NETWORKS[self.network])
        whole_number("width", self.width, 1, "channels")
        self.fill({"feed_forward": 4 * self.width, "units": self.width})
        object.__setattr__(self, "features", _features(self.features))
        self._check_numbers()
        self._check_choices()

    @property
    def hides(self) -> bool:
        """True where the network learns to find hidden items, seeing both ways."""
        return self.network == "bert4rec"

    @property
    def ranks(self) -> bool:
        """True where a ranker orders the best items in a second step."""
        return self.network in RANKERS

    @property
    def attention_name(self) -> str:
        """Return the name of the attention that the network is known by."""
        return _name(self.attention)

    def _check_numbers(self) -> None:
        counts = {"length": (1, "items"), "depth": (1, "blocks"), "heads": (1, "heads"), "units": (1, "channels")}
        counts |= {"feed_forward": (0, "channels"), "ranker_units": (1, "units"), "candidates": (1, "items")}
        for name, (least, unit) in counts.items():
            whole_number(name, getattr(self, name), least, unit)
        if self.items is not None:
            whole_number("items", self.items, 2, "items in the catalogue")
        for name in ("dropout", "attention_dropout", "hide"):
            share(name, getattr(self, name))
        channels = "units" if self.network == "gru" else "width"
        if getattr(self, channels) % self.heads:
            raise ZooValueError(
                f"{channels} must be a multiple of heads, got {getattr(self, channels)} for {self.heads} heads"
            )

    def _check_choices(self) -> None:
        choices = {"norm": ("pre", "post"), "feed_forward_kind": KINDS, "position": POSITIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        for name in ("attention", "encoder_attention"):
            if not _name(getattr(self, name)):
                raise ZooTypeError(f"{name} must be a name or a dict with 'name', got {getattr(self, name)!r}")
        if self.ranks and self.attention_name not in RANKERS[self.network]:
            raise unknown(f"attention of network {self.network!r}", self.attention_name, RANKERS[self.network])
        if self.network == "gru" and self.depth != 1:
            raise ZooValueError(f"depth must be 1 for network 'gru', got {self.depth}")


def _name(choice: Any) -> str:
    """Return the name of what was chosen by a name, or by a dict with one; "" where it is neither."""
    name = choice.get("name") if isinstance(choice, Mapping) else choice
    return name if isinstance(name, str) else ""


def _features(given: Any) -> tuple[tuple[str, int], ...]:
    """Bring {name: numbers}, or pairs of these, to pairs."""
    pairs = given.items() if isinstance(given, Mapping) else as_tuple("features", given)
    found = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair := tuple(pair)) != 2 or not isinstance(pair[0], str):
            raise ZooTypeError(f"features must be pairs of a name and a number, got {pair!r:.60}")
        found.append((pair[0], whole_number(f"features {pair[0]!r}", pair[1], 1, "numbers")))
    return tuple(found)

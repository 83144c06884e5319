"""Every choice of a text classifier, each with its unit."""

from dataclasses import dataclass
from typing import Any

from attention_zoo.checks import share, whole_number
from attention_zoo.errors import ZooTypeError, ZooValueError, unknown
from attention_zoo.models.classifier.backbone import checked_backbone
from attention_zoo.models.classifier.config import ClassifierConfig
from attention_zoo.models.config import as_tuple

# What each network means where a field is left None. Any of these fields may be given in place of the network's own,
# so a mix of two networks is a config, not a new class.
NETWORKS: dict[str, dict[str, Any]] = {
    "transformer": {"depth": 2, "position": "sinusoidal"},
    "recurrent": {"recurrent": "gru"},
    "convolutional": {"convolutions": (2, 3, 4)},
    "hierarchical": {"recurrent": "gru", "tokens": "word"},
    "backbone": {"tokens": "wordpiece"},
}
PLAIN: dict[str, Any] = {"depth": 0, "position": "none", "recurrent": "none", "convolutions": (), "tokens": "word"}
TOKENS = ("word", "wordpiece", "bpe")
RECURRENT = ("none", "gru", "lstm")


@dataclass(frozen=True)
class TextClassifierConfig(ClassifierConfig):
    """What a text classifier is made of.

    tokens -> embedding -> convolutions -> recurrent -> encoder blocks -> pooling -> logits; each stage but the first
    and the last two may be absent. "hierarchical" pools the words of each sentence first, and then reads the sentences
    by a recurrent layer and encoder blocks of their own.

    Raises:
        ZooValueError: if a value is out of range or a name is unknown.
        ZooTypeError: if a value is of the wrong kind.
    """

    family = "text_classifier"

    network: str = "transformer"  # name of NETWORKS: what the fields that are None mean
    tokens: str | None = None  # "word", "wordpiece" or "bpe"
    vocabulary_size: int = 8000  # entries at most; once a tokenizer is trained, entries
    min_frequency: int = 1  # times that a word (or pair of pieces) must occur to be known
    lowercase: bool = True  # whether capital letters are read as small ones
    max_length: int = 128  # tokens of a text (hierarchical: of a sentence) that are read
    max_sentences: int = 16  # sentences of a text that are read, hierarchical only

    width: int = 128  # channels of the embedding and of the encoder blocks
    backbone: Any = None  # of keras-hub in place of the embedding, see `interop.to_spec`; for network "backbone"
    position: Any = None  # absolute position added to the embedding: "sinusoidal", "learned", "none"
    convolutions: tuple[int, ...] | None = None  # widths of parallel convolutions (tokens); () for none
    filters: int | None = None  # channels of each convolution; None is `width`
    recurrent: str | None = None  # "gru", "lstm" or "none"
    units: int | None = None  # channels of each direction of a recurrent layer; None is `width` / 2
    recurrent_depth: int = 1  # recurrent layers, one upon the other
    depth: int | None = None  # encoder blocks
    attention: Any = "multi_head"  # of the encoder blocks: a name of `layers.names("self")`, or a dict with "name"
    heads: int = 4  # heads of each encoder block
    feed_forward: int | None = None  # channels within each block's feed-forward part; None is 4 x `width`, 0 for none
    feed_forward_kind: str = "gelu"  # "gelu", "relu", "silu" or "swiglu"
    norm: str = "pre"  # "pre" or "post": where a block normalizes
    block_convolution: int = 0  # width (tokens) of a depthwise convolution within each block; 0 for none
    pooling: Any = "attention_pooling"  # a name of `layers.names("pool")`, a dict with "name", or "none"
    max_pooling: bool = False  # whether the largest value over time of each channel joins the pooled vector
    skip: bool = False  # whether the embedding joins what the encoder made of it, before pooling
    hidden: int = 0  # channels of a dense layer before the logits; 0 for none

    token_dropout: float = 0.05  # share of tokens masked while training
    embedding_dropout: float = 0.1  # share of the embedding's channels dropped while training, for a whole text
    dropout: float = 0.1  # share dropped while training within and after encoder blocks and recurrent layers
    attention_dropout: float = 0.0  # share of the attention weights of encoder blocks dropped while training
    head_dropout: float = 0.3  # share of the pooled vector dropped while training
    stochastic_depth: float = 0.0  # how often the last block's parts are left out for a text; earlier ones less

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise unknown("network", self.network, NETWORKS)
        object.__setattr__(self, "backbone", checked_backbone(self.network, self.backbone))
        self.fill({**PLAIN, **NETWORKS[self.network]})
        whole_number("width", self.width, 1, "channels")
        self.fill({"filters": self.width, "feed_forward": 4 * self.width, "units": max(self.width // 2, 1)})
        object.__setattr__(self, "convolutions", as_tuple("convolutions", self.convolutions))
        self._check_numbers()
        self._check_choices()
        self.check_answers()

    @property
    def hierarchical(self) -> bool:
        """True where texts are read sentence by sentence."""
        return self.network == "hierarchical"

    @property
    def layout(self) -> str:
        """Return the layout of the preprocessor."""
        return "sentences" if self.hierarchical else "flat"

    @property
    def attention_name(self) -> str:
        """Return the name of the attention that decides most: that of the blocks, else that of the pooling."""
        chosen = self.attention if self.depth else self.pooling
        return str(chosen.get("name", "")) if isinstance(chosen, dict) else str(chosen)

    def _check_numbers(self) -> None:
        counts = {"vocabulary_size": (3, "entries"), "min_frequency": (1, "times"), "max_length": (2, "tokens")}
        counts |= {"max_sentences": (2, "sentences"), "filters": (1, "channels"), "units": (1, "channels")}
        counts |= {"recurrent_depth": (1, "layers"), "depth": (0, "blocks"), "heads": (1, "heads")}
        counts |= {"feed_forward": (0, "channels"), "block_convolution": (0, "tokens"), "hidden": (0, "channels")}
        for name, (least, unit) in counts.items():
            whole_number(name, getattr(self, name), least, unit)
        for width in self.convolutions:
            whole_number("convolutions", width, 1, "tokens each")
        shares = ("token_dropout", "embedding_dropout", "dropout", "attention_dropout", "head_dropout")
        for name in (*shares, "stochastic_depth"):
            share(name, getattr(self, name))
        if self.depth and self.width % self.heads:
            raise ZooValueError(f"width must be a multiple of heads, got {self.width} channels for {self.heads} heads")

    def _check_choices(self) -> None:
        choices = {"tokens": TOKENS, "recurrent": RECURRENT, "norm": ("pre", "post")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        for name in ("attention", "pooling", "position"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (isinstance(value, dict) and isinstance(value.get("name"), str)):
                raise ZooTypeError(f"{name} must be a name or a dict with 'name', got {value!r}")
        if self.hierarchical and self.position != "none":
            raise ZooValueError(
                f"position must be 'none' for network 'hierarchical', whose order comes from recurrent layers, "
                f"got {self.position!r}"
            )
        if self.pooling == "none" and not self.max_pooling:
            raise ZooValueError("pooling must be a name of a pooling layer where max_pooling is False, got 'none'")

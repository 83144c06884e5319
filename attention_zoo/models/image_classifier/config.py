"""Every choice of an image classifier, each with its unit."""

from collections.abc import Mapping
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
    "resnet": {
        "stem": "small",
        "blocks": "basic",
        "widths": (32, 64, 128),
        "depths": (2, 2, 2),
        "strides": (1, 2, 2),
        "attention": "squeeze_excite",
        "norm": "batch",
    },
    "vit": {
        "stem": "patch",
        "patch": 4,
        "blocks": "attention",
        "widths": (128,),
        "depths": (6,),
        "strides": (1,),
        "attention": "multi_head",
        "position": "learned",
        "norm": "layer",
    },
    "swin": {
        "stem": "patch",
        "patch": 2,
        "blocks": "attention",
        "widths": (48, 96, 192),
        "depths": (2, 2, 2),
        "strides": (1, 2, 2),
        "attention": ("swin_window", "swin_shifted_window"),
        "norm": "layer",
    },
    "hybrid": {
        "stem": "small",
        "blocks": ("basic", "basic", "attention"),
        "widths": (32, 64, 128),
        "depths": (2, 2, 2),
        "strides": (1, 2, 2),
        "attention": "multi_head",
        "position": "convolution",
        "norm": "batch",
    },
    "backbone": {
        "stem": "small",
        "blocks": (),
        "widths": (),
        "depths": (),
        "strides": (),
        "attention": "none",
        "norm": "batch",
    },
}
PLAIN: dict[str, Any] = {"position": "none", "patch": 4}
STEMS = ("small", "large", "patch", "convolutions")
CONVOLUTIONS = ("basic", "bottleneck", "inverted", "fused", "convnext")
BLOCKS = (*CONVOLUTIONS, "attention")
POSITIONS = ("sinusoidal_2d", "learned", "convolution", "rotary_2d", "none")
PLAIN_POOLING = ("mean", "max", "class_token")
CHANNELS_OF_A_HEAD = 32  # where heads are not told
# Fields that hold one value for all, or a list.
ONCE = ("mean", "std", "blocks", "attention", "heads")


@dataclass(frozen=True)
class ImageClassifierConfig(ClassifierConfig):
    """What an image classifier is made of.

    pixels -> standardised -> stem -> stages of blocks -> pooling -> logits. Each stage has a kind of block, a number of
    channels, a number of blocks and a stride. Attention blocks mix the places of the map by the attention; blocks of
    convolutions have an attention or gate within them, before what they found is added.

    Raises:
        ZooValueError: if a value is out of range or a name is unknown.
        ZooTypeError: if a value is of the wrong kind.
    """

    family = "image_classifier"

    network: str = "hybrid"  # name of NETWORKS: what the fields that are None mean
    height: int = 32  # pixels that an image is resized to
    width: int = 32  # pixels that an image is resized to
    channels: int = 3  # of a pixel: 1 for grey, 3 for colour
    resize: str = "bilinear"  # how pictures are brought to that size: a name of `vision.resizing.FILTERS`
    fit: str = "stretch"  # what becomes of other proportions: "stretch", "crop" (the middle) or "pad"
    mean: Any = 0.5  # of the pixels (0..1): one number, or one for each channel
    std: Any = 0.25  # deviation of the pixels, above 0: one number, or one for each channel

    backbone: Any = None  # of keras-hub or keras-cv in place of stem and stages, see `interop.to_spec`; for "backbone"
    stem: str | None = None  # "small" (3 x 3), "large" (7 x 7, stride 4), "patch", "convolutions" (3 x 3 to a patch)
    patch: int | None = None  # pixels along each side of a patch, for stems "patch" and "convolutions" (a power of 2)
    blocks: Any = None  # kind of each stage's blocks, one for all or one a stage: names of BLOCKS
    widths: tuple[int, ...] | None = None  # channels of each stage
    depths: tuple[int, ...] | None = None  # blocks of each stage
    strides: tuple[int, ...] | None = None  # places of the map before a stage for one of its own, along each axis
    attention: Any = None  # of attention blocks, else of the others: a name, a dict with "name", or a list of turns
    gate: Any = "none"  # of convolution blocks beside attention blocks: a name of `layers.names("image")`, or a dict
    gate_stages: tuple[int, ...] | None = None  # stages (from 1) whose convolution blocks attend or gate; None is all
    heads: Any = None  # heads of the attention, one number or one a stage; None is one for each 32 channels
    window: int = 7  # pixels along each side of a window, for attention that has windows or a grid
    position: str | None = None  # what marks places before attention blocks: a name of POSITIONS
    feed_forward: float = 4.0  # channels within an attention block's feed-forward part, times its width; 0 for none
    feed_forward_kind: str = "gelu"  # "gelu", "relu", "silu" or "swiglu"
    expansion: int = 4  # channels within a block, times (bottleneck: divided by) its width; not "basic"
    kernel: int = 3  # pixels along each side of the middle convolution of "inverted", "fused" and "convnext", odd
    order: str = "pre"  # "pre" or "post": whether blocks normalize before or after their parts
    norm: str | None = None  # of stem and convolution blocks: "batch", "layer" or "group" (8 groups)
    activation: str = "relu"  # of stem and convolution blocks: "relu", "gelu" or "silu"
    pooling: Any = "attention_pooling"  # a name of `layers.names("pool")`, a dict, "mean", "max" or "class_token"
    hidden: int = 0  # channels of a dense layer before the logits; 0 for none

    dropout: float = 0.0  # share dropped while training within blocks
    attention_dropout: float = 0.0  # share of the weights dropped while training, attention of role "self" only
    head_dropout: float = 0.2  # share of the pooled vector dropped while training
    stochastic_depth: float = 0.0  # how often the last block is left out for an image; earlier ones less

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise unknown("network", self.network, NETWORKS)
        object.__setattr__(self, "backbone", checked_backbone(self.network, self.backbone))
        self.fill({**PLAIN, **NETWORKS[self.network]})
        for name in ("widths", "depths", "strides", "gate_stages", "mean", "std", "blocks", "attention", "heads"):
            self._listed(name)
        self._check_stages()
        self._check_numbers()
        self._check_pixels()
        self._check_choices()
        self._check_places()
        self.check_answers()

    def _listed(self, name: str) -> None:
        """Keep a list as a tuple; what may be said once for all stages stays as it is said."""
        value = getattr(self, name)
        once = name in ONCE and (isinstance(value, str | Mapping) or not hasattr(value, "__iter__"))
        if value is not None and not once:
            object.__setattr__(self, name, as_tuple(name, value))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of blocks of each stage."""
        return (self.blocks,) * len(self.widths) if isinstance(self.blocks, str) else self.blocks

    @property
    def stage_heads(self) -> tuple[int, ...]:
        """The heads of each stage's attention."""
        if self.heads is None:
            return tuple(max(width // CHANNELS_OF_A_HEAD, 1) for width in self.widths)
        return self.heads if isinstance(self.heads, tuple) else (self.heads,) * len(self.widths)

    @property
    def turns(self) -> tuple[Any, ...]:
        """The attentions that the blocks of a stage have in turn."""
        return self.attention if isinstance(self.attention, tuple) else (self.attention,)

    @property
    def attends(self) -> bool:
        """True where a stage has attention blocks."""
        return "attention" in self.kinds

    @property
    def attention_name(self) -> str:
        """Return the name of the attention that decides most: the first of the blocks, else that of the pooling."""
        names = [_name(choice) for choice in (*self.turns, self.gate, self.pooling)]
        return next((name for name in names if name not in (*PLAIN_POOLING, "none")), "none")

    def _check_stages(self) -> None:
        stages = len(self.widths)
        if bool(stages) == (self.network == "backbone"):
            if stages:
                raise ZooValueError(f"widths must be left out for network 'backbone', got {self.widths}")
            raise ZooValueError("widths must be at least one number (channels of a stage), got none")
        lists = {"blocks": self.kinds, "depths": self.depths, "strides": self.strides, "heads": self.stage_heads}
        for name, values in lists.items():
            if len(values) != stages:
                raise ZooValueError(f"{name} must be one entry a stage, {stages} as in widths, got {len(values)}")
        counted = {"widths": "channels", "depths": "blocks", "strides": "places", "heads": "heads"}
        for name, unit in counted.items():
            for value in lists.get(name, self.widths):
                whole_number(name, value, 1, f"{unit} of a stage")
        self._check_blocks()

    def _check_blocks(self) -> None:
        for kind, width, heads in zip(self.kinds, self.widths, self.stage_heads):
            if kind not in BLOCKS:
                raise unknown("kind of blocks", kind, BLOCKS)
            if kind == "attention" and width % heads:
                raise ZooValueError(f"widths must be multiples of heads, got {width} channels for {heads} heads")

    def _check_numbers(self) -> None:
        counts = {"height": (1, "pixels"), "width": (1, "pixels"), "channels": (1, "numbers of a pixel")}
        counts |= {"patch": (1, "pixels"), "window": (1, "pixels"), "expansion": (1, "times the width")}
        counts |= {"kernel": (1, "pixels"), "hidden": (0, "channels")}
        for name, (least, unit) in counts.items():
            whole_number(name, getattr(self, name), least, unit)
        if not _number(self.feed_forward) or not 0 <= self.feed_forward < float("inf"):
            raise ZooValueError(f"feed_forward must be at least 0 (times the width), got {self.feed_forward!r}")
        for name in ("dropout", "attention_dropout", "head_dropout", "stochastic_depth"):
            share(name, getattr(self, name))
        if self.kernel % 2 == 0:
            raise ZooValueError(f"kernel must be odd (pixels), got {self.kernel}")
        if self.stem == "convolutions" and (self.patch < 2 or self.patch & (self.patch - 1)):
            raise ZooValueError(f"patch must be a power of 2, at least 2, for stem 'convolutions', got {self.patch}")

    def _check_pixels(self) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            numbers = (value,) if _number(value) else value
            if not all(map(_number, numbers)) or len(numbers) not in (1, self.channels):
                raise ZooValueError(
                    f"{name} must be one number, or one for each of {self.channels} channels, got {value}"
                )
            if name == "std" and min(numbers) <= 0:
                raise ZooValueError(f"std must be above 0, got {value}")

    def _check_choices(self) -> None:
        choices = {"stem": STEMS, "position": POSITIONS, "order": ("pre", "post"), "norm": ("batch", "layer", "group")}
        choices |= {"feed_forward_kind": ("gelu", "relu", "silu", "swiglu"), "activation": ("relu", "gelu", "silu")}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        if not self.turns:
            raise ZooValueError("attention must be a name, a dict with 'name', or a list with at least one, got none")
        named = [("attention", turn) for turn in self.turns] + [("gate", self.gate), ("pooling", self.pooling)]
        for name, value in named:
            if not _name(value):
                raise ZooTypeError(f"{name} must be a name or a dict with 'name', got {value!r}")

    def _check_places(self) -> None:
        """Check that attention, gate, position and pooling stand where there is a place for them."""
        for stage in self.gate_stages or ():
            whole_number("gate_stages", stage, 1, "number of a stage")
            if stage > len(self.widths) or self.kinds[stage - 1] == "attention":
                raise ZooValueError(f"gate_stages must be stages of convolution blocks, got {stage} of {self.kinds}")
        if self.attends and any(_name(turn) == "none" for turn in self.turns):
            raise ZooValueError(f"attention must be a name where a stage has attention blocks, got {self.attention!r}")
        if not self.attends and _name(self.gate) != "none":
            raise ZooValueError(
                f"gate must be 'none' where no stage has attention blocks, {self.gate!r} is then for `attention`"
            )
        if not self.attends and self.position != "none":
            raise ZooValueError(
                f"position must be 'none' where no stage has attention blocks, which it is for, got {self.position!r}"
            )
        last = self.kinds[-1] if self.kinds else "none"
        if self.pooling == "class_token" and last != "attention":
            raise ZooValueError(f"pooling 'class_token' wants attention blocks in the last stage, got {last!r}")


def _name(value: Any) -> str:
    """Return the name of a choice; "" where it is none."""
    name = value.get("name", "") if isinstance(value, Mapping) else value
    return name if isinstance(name, str) else ""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

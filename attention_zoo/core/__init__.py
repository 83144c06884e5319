"""The verbs, the door and the parts that every attention of the zoo is made of."""

from attention_zoo.core.attend import Attended, Parts, attend
from attention_zoo.core.choices import Choice, Choices, Reinforce, ReinforceLoss
from attention_zoo.core.chunked import Chunked
from attention_zoo.core.gate import gate
from attention_zoo.core.linear import attend_linear, elu_plus_one
from attention_zoo.core.masks import Masks
from attention_zoo.core.naming import site_path
from attention_zoo.core.normalizers import (
    Entmax,
    Entmax15,
    GumbelSoftmax,
    Hard,
    Normalizer,
    Sigmoid,
    SinkSoftmax,
    Softmax,
    SoftmaxPlusOne,
    Sparsemax,
    TopK,
)
from attention_zoo.core.part import Part, get_part, part_names, register
from attention_zoo.core.patterns import (
    Block,
    Both,
    Causal,
    Dilated,
    Either,
    Fixed,
    Full,
    GlobalTokens,
    Pattern,
    Prefix,
    SlidingWindow,
    Strided,
)
from attention_zoo.core.positions import Fourier, Learned, NoPosition, Pairs, Places, Position, Sinusoidal
from attention_zoo.core.positions_bias import ALiBi, ContinuousBias, RelativeTable, T5Bias
from attention_zoo.core.positions_content import CoPE, Disentangled, Shaw, TransformerXL
from attention_zoo.core.positions_rotary import Rotary, Rotary2D, XPos
from attention_zoo.core.scores import Additive, Concat, Cosine, Dot, General, QueryKeyNorm, ScaledDot, Score
from attention_zoo.core.tape import Site, Tape, remat, tap, tap_after_loop, tap_in_loop, watched

__all__ = [
    "ALiBi",
    "Additive",
    "Attended",
    "Block",
    "Both",
    "Causal",
    "Choice",
    "Choices",
    "Chunked",
    "CoPE",
    "Concat",
    "ContinuousBias",
    "Cosine",
    "Dilated",
    "Disentangled",
    "Dot",
    "Either",
    "Entmax",
    "Entmax15",
    "Fixed",
    "Fourier",
    "Full",
    "General",
    "GlobalTokens",
    "GumbelSoftmax",
    "Hard",
    "Learned",
    "Masks",
    "NoPosition",
    "Normalizer",
    "Pairs",
    "Part",
    "Parts",
    "Pattern",
    "Places",
    "Position",
    "Prefix",
    "QueryKeyNorm",
    "Reinforce",
    "ReinforceLoss",
    "RelativeTable",
    "Rotary",
    "Rotary2D",
    "ScaledDot",
    "Score",
    "Shaw",
    "Sigmoid",
    "SinkSoftmax",
    "Sinusoidal",
    "Site",
    "SlidingWindow",
    "Softmax",
    "SoftmaxPlusOne",
    "Sparsemax",
    "Strided",
    "T5Bias",
    "Tape",
    "TopK",
    "TransformerXL",
    "XPos",
    "attend",
    "attend_linear",
    "elu_plus_one",
    "gate",
    "get_part",
    "part_names",
    "register",
    "remat",
    "site_path",
    "tap",
    "tap_after_loop",
    "tap_in_loop",
    "watched",
]

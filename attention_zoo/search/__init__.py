"""Search for what a decoder has to say: greedy, beams and sampling, over arrays of any library, without Keras."""

from attention_zoo.search.arrays import NumpyArrays
from attention_zoo.search.choosing import choose, noise
from attention_zoo.search.loop import begin, go_on, result
from attention_zoo.search.settings import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID, Decoding

__all__ = [
    "BOS_ID",
    "Decoding",
    "EOS_ID",
    "NumpyArrays",
    "PAD_ID",
    "UNKNOWN_ID",
    "begin",
    "choose",
    "go_on",
    "noise",
    "result",
]

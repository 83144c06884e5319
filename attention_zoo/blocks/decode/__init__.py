"""Let a decoder speak: a whole search in one compiled call, and batches of few shapes for it."""

from attention_zoo.blocks.decode.batches import decode, in_batches
from attention_zoo.blocks.decode.generator import Generator

__all__ = ["Generator", "decode", "in_batches"]

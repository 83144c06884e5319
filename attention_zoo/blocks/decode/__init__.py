"""Let a decoder speak: a whole search in one compiled call, and batches of few shapes for it."""

from attention_zoo.blocks.decode.batches import decode
from attention_zoo.blocks.decode.generator import Generator

__all__ = ["Generator", "decode"]

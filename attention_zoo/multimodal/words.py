"""The reader of texts: words to numbers of a vocabulary that the training data taught."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.multimodal.reader import Named, Reader
from attention_zoo.multimodal.settings import Settings
from attention_zoo.text.preprocessor import PROBE_TOKENS, WORDS_MULTIPLE, TextPreprocessor
from attention_zoo.text.rows import PAD_ID
from attention_zoo.text.strings import as_text

_CHUNK = 1024  # texts that are padded together while they are encoded


class WordReader(Reader):
    """Read texts as int32 [tokens]; 0 pads, 1 is unknown.

    Args:
        texts: its tokenizer, and how many tokens are kept.
    """

    multiple = WORDS_MULTIPLE
    nothing = "a text without a word"
    dtype = np.int32

    def __init__(self, texts: TextPreprocessor):
        super().__init__("text")
        self.texts = texts
        if texts.layout != "flat":
            raise ZooValueError(f"the texts' layout must be 'flat', got {texts.layout!r}")

    @classmethod
    def learn(cls, modality: str, values: Sequence[Named], settings: Settings) -> Self:
        """Learn the vocabulary."""
        texts = [as_text(value, name, blank=True) for name, value in values]
        texts = [text for text in texts if text.strip()]
        if not texts:
            raise ZooValueError("text must have at least one word in the training data, got none")
        return cls(
            TextPreprocessor.train(texts, vocabulary_size=settings.vocabulary_size, max_length=settings.max_tokens)
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """None: a step is one number."""
        return ()

    @property
    def longest(self) -> int:
        """Most tokens."""
        return self.texts.max_length

    def read(self, values: Sequence[Named]) -> list[np.ndarray | None]:
        """Return int32 [tokens] of each text."""
        texts = [as_text(value, name, blank=True) for name, value in values]
        rows: list[np.ndarray | None] = [None] * len(texts)
        told = [number for number, text in enumerate(texts) if text.strip()]
        for start in range(0, len(told), _CHUNK):
            chosen = told[start : start + _CHUNK]
            for number, ids in zip(chosen, self.texts([texts[number] for number in chosen])["token_ids"]):
                rows[number] = ids[ids != PAD_ID]
        return rows

    def size(self, value: Any, name: str) -> float:
        """Return about how many words a text has."""
        return float(min(len(value) / 5, self.longest)) if isinstance(value, str | bytes) else 1.0

    @property
    def usage(self) -> str:
        """What the array is."""
        return "int32 [batch, tokens], from `preprocessor/text/tokenizer.json`, padded with 0"

    def probe(self, generator: np.random.Generator, part: int) -> np.ndarray:
        """Return numbers of the whole vocabulary."""
        tokens = max(min(self.longest, PROBE_TOKENS), 2) // part
        return generator.integers(1, self.texts.vocabulary_size, tokens, dtype=np.int32)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the tokenizer."""
        self.texts.save(folder)
        return {}

    @classmethod
    def load(cls, folder: Path, modality: str, told: dict[str, Any], settings: Settings) -> Self:
        """Read what `save` wrote."""
        return cls(TextPreprocessor.load(folder))

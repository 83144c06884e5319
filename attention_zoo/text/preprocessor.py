"""The text preprocessor: strings in, token numbers out, and back to the pieces of the user's own text."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Encoding, Tokenizer

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooError, ZooFileError, ZooValueError, unknown
from attention_zoo.files import make_folder, read_bytes, read_json, write_bytes, write_json
from attention_zoo.text import vocabulary
from attention_zoo.text.rows import PAD_ID, SaysOnce, Token, as_tokens, padded, rounded
from attention_zoo.text.sentences import sentence_spans
from attention_zoo.text.strings import as_text, as_texts

FORMAT = 1  # of preprocessor.json
TOKENIZER, CONFIG = "tokenizer.json", "preprocessor.json"
UNKNOWN_ID, MASK_ID = 1, 2
LAYOUTS = ("flat", "sentences")
WORDS_MULTIPLE, SENTENCES_MULTIPLE = 8, 4
SMALLEST_VOCABULARY = 16
PROBE_TOKENS, PROBE_SENTENCES = 45, 5  # odd, so that no size is a multiple of anything; less where less is kept


class _Part(NamedTuple):
    """A sentence, or a part of a long one: its ids, and the characters of each."""

    ids: list[int]
    spans: list[tuple[int, int]]


_NOTHING = _Part([], [])


class TextPreprocessor(SaysOnce):
    """Turn texts into `token_ids`, int32, padded with 0.

    Layout "flat" gives [batch, tokens]; layout "sentences" gives [batch, sentences, tokens]. Tokens are as many as the
    longest row has, rounded up to a multiple of 8, at most `max_length` (sentences: of 4, at most `max_sentences`).
    Id 0 pads, 1 is unknown, 2 masks. Make one by `train` or `load`.

    Args:
        tokenizer: of the `tokenizers` library, with `[PAD]`, `[UNK]`, `[MASK]` as 0, 1, 2.
        kind: "word", "wordpiece" or "bpe".
        max_length: tokens of a row that are kept.
        layout: "flat" or "sentences". A sentence of more than `max_length` tokens goes on as a further sentence.
        max_sentences: sentences of a text that are kept.

    Raises:
        ZooValueError: if an argument is out of range or unknown.
    """

    noun, example = "text", "a text"  # what one input is called, and one as it stands on a command line
    items = staticmethod(as_texts)  # checks what a user gave, and returns it as a sequence
    size = staticmethod(len)  # inputs of like size are run together

    def __init__(
        self,
        tokenizer: Tokenizer,
        kind: str = "word",
        max_length: int = 128,
        layout: str = "flat",
        max_sentences: int = 16,
    ):
        _check_choice("kind", kind, vocabulary.KINDS)
        _check_choice("layout", layout, LAYOUTS)
        whole_number("max_length", max_length, 1, "tokens")
        whole_number("max_sentences", max_sentences, 1, "sentences")
        found = [tokenizer.token_to_id(name) for name in vocabulary.SPECIAL]
        if found != [PAD_ID, UNKNOWN_ID, MASK_ID]:
            raise ZooValueError(f"tokenizer must have {', '.join(vocabulary.SPECIAL)} as 0, 1, 2, got {found}")
        self.kind, self.max_length, self.layout, self.max_sentences = kind, max_length, layout, max_sentences
        self._tokenizer = tokenizer

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: str = "word",
        vocabulary_size: int = 8000,
        lowercase: bool = True,
        max_length: int = 128,
        layout: str = "flat",
        max_sentences: int = 16,
        min_frequency: int = 1,
    ) -> "TextPreprocessor":
        """Learn a vocabulary from texts; the same texts give the same one, byte for byte.

        Args:
            texts: strings, or bytes that are UTF-8.
            kind: "word" (words and punctuation marks), "wordpiece" or "bpe" (pieces of words).
            vocabulary_size: most entries, the three special ones included, at least 16.
            lowercase: True reads all letters as small ones.
            max_length: most tokens of a row.
            layout: "flat" or "sentences".
            max_sentences: most sentences of a text, for layout "sentences".
            min_frequency: how often a word (or a pair of pieces) must occur to be known.

        Raises:
            ZooValueError, ZooTypeError: if a text or an argument cannot work.
        """
        _check_choice("kind", kind, vocabulary.KINDS)
        whole_number("vocabulary_size", vocabulary_size, SMALLEST_VOCABULARY, "entries")
        whole_number("min_frequency", min_frequency, 1, "times")
        tokenizer = vocabulary.build(as_texts(texts), kind, vocabulary_size, bool(lowercase), min_frequency)
        return cls(tokenizer, kind, max_length, layout, max_sentences)

    @property
    def vocabulary_size(self) -> int:
        """Number of entries, the special ones included: one more than the largest id."""
        return self._tokenizer.get_vocab_size()

    @property
    def config(self) -> dict:
        """What `preprocessor.json` holds beside the tokenizer."""
        names = ("kind", "max_length", "layout", "max_sentences")
        return {"format": FORMAT, **{name: getattr(self, name) for name in names}}

    @property
    def usage(self) -> str:
        """What the arrays are, for a person who has to make them by other means."""
        axes = "[batch, sentences, tokens]" if self.layout == "sentences" else "[batch, tokens]"
        return f"`token_ids`: int32 {axes}, from `preprocessor/tokenizer.json`, padded with 0"

    def __call__(self, texts: str | bytes | Iterable[str | bytes]) -> dict[str, np.ndarray]:
        """Encode texts; one that is too long is cut, and this is said once (`UserWarning`).

        Args:
            texts: strings, or bytes that are UTF-8; a single one is a batch of one.

        Returns:
            {"token_ids": int32 [batch, tokens] or [batch, sentences, tokens]}.

        Raises:
            ZooTypeError: if something is no string.
            ZooValueError: if there is no text, one is blank, or one is not UTF-8.
        """
        texts = as_texts(texts)
        if self.layout == "flat":
            rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
            return {"token_ids": self._padded(self._cut(rows))}
        rows = self._sentences(texts)
        sentences = min(rounded(max(map(len, rows)), SENTENCES_MULTIPLE), self.max_sentences)
        flat = [part.ids for row in rows for part in row + [_NOTHING] * (sentences - len(row))]
        return {"token_ids": self._padded(flat).reshape(len(texts), sentences, -1)}

    def tokens(self, text: str | bytes) -> list[Token]:
        """Return the pieces of one text, aligned with `preprocessor([text])["token_ids"]`.

        Args:
            text: one string.

        Returns:
            Its tokens that are kept, in order. `token.index` is the position in the flattened row.

        Raises:
            ZooTypeError, ZooValueError: if it cannot work, as in `__call__`.
        """
        text = as_text(text, "text")
        if self.layout == "flat":
            offsets = self._tokenizer.encode(text).offsets[: self.max_length]
            return as_tokens(text, enumerate(offsets))
        (parts,) = self._sentences([text])
        width = min(rounded(max(len(part.ids) for part in parts), WORDS_MULTIPLE), self.max_length)
        places = (
            (row * width + column, span) for row, part in enumerate(parts) for column, span in enumerate(part.spans)
        )
        return as_tokens(text, places)

    def probes(self) -> list[dict[str, np.ndarray]]:
        """Return two batches of different size and length: numbers from the whole vocabulary (seed 0), padded.

        Raises:
            ZooValueError: if one token or one sentence is kept at most, so that no second length exists.
        """
        sizes = [min(self.max_length, PROBE_TOKENS)]
        if self.layout == "sentences":
            sizes.insert(0, min(self.max_sentences, PROBE_SENTENCES))
        if min(sizes) < 2:
            raise ZooValueError(
                f"the preprocessor must keep at least 2 tokens (and sentences) for an export, got {sizes}"
            )
        generator = np.random.default_rng(0)
        probes = []
        for batch, part in ((2, 2), (3, 1)):
            shape = [batch, *(size // part for size in sizes)]
            ids = generator.integers(1, self.vocabulary_size, shape, dtype=np.int32)
            ids[-1, ..., shape[-1] // 2 + 1 :] = PAD_ID
            if len(shape) == 3:
                ids[-1, shape[1] // 2 + 1 :] = PAD_ID
            probes.append({"token_ids": ids})
        return probes

    def save(self, folder: str | Path) -> None:
        """Write `tokenizer.json` and `preprocessor.json` into a folder, which is made.

        Raises:
            ZooFileError: if it cannot be written.
        """
        folder = make_folder(folder)
        write_bytes(folder / TOKENIZER, (self._tokenizer.to_str(pretty=True) + "\n").encode("utf-8"))
        write_json(folder / CONFIG, self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "TextPreprocessor":
        """Read what `save` wrote.

        Raises:
            ZooFileError: if a file is missing or damaged; names it.
        """
        folder = Path(folder)
        config = read_json(folder / CONFIG, FORMAT)
        content = read_bytes(folder / TOKENIZER)
        try:
            tokenizer = Tokenizer.from_str(content.decode("utf-8"))
        except Exception as error:  # the library raises the bare class
            raise ZooFileError(f"{folder / TOKENIZER} is damaged: {error}") from error
        try:
            return cls(tokenizer, **config)
        except (ZooError, TypeError) as error:
            raise ZooFileError(f"{folder} is damaged: {error}") from error

    def _sentences(self, texts: list[str]) -> list[list[_Part]]:
        """Return the sentences of each text that are kept, each at most `max_length` long."""
        spans = [sentence_spans(text) for text in texts]
        kept = [found[: self.max_sentences] for found in spans]
        pieces = [text[start:end] for text, found in zip(texts, kept) for start, end in found]
        encodings = iter(self._tokenizer.encode_batch(pieces))
        rows, is_cut = [], any(len(found) > self.max_sentences for found in spans)
        for found in kept:
            parts = [part for start, _ in found for part in _parts(next(encodings), start, self.max_length)]
            is_cut |= len(parts) > self.max_sentences
            rows.append(parts[: self.max_sentences] or [_Part([UNKNOWN_ID], [])])
        if is_cut:
            self._warn(f"a text of more sentences was cut to the first {self.max_sentences:,} (max_sentences)", depth=2)
        return rows

    def _cut(self, rows: list[list[int]]) -> list[list[int]]:
        longest = max(map(len, rows))
        if longest > self.max_length:
            self._warn(f"a text of {longest:,} tokens was cut to the first {self.max_length:,} (max_length)", depth=2)
        return [row[: self.max_length] or [UNKNOWN_ID] for row in rows]

    def _padded(self, rows: list[list[int]]) -> np.ndarray:
        return padded(rows, WORDS_MULTIPLE, self.max_length)


def _parts(encoding: Encoding, shift: int, length: int) -> list[_Part]:
    """Cut the encoding of a sentence that begins at character `shift` into parts of at most `length` tokens."""
    ids, spans = encoding.ids, [(start + shift, end + shift) for start, end in encoding.offsets]
    return [_Part(ids[cut : cut + length], spans[cut : cut + length]) for cut in range(0, len(ids), length)]


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise unknown(name, value, known)

"""The preprocessor of translation: sentences of one language in, sentences of another out, through pieces of words."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.files import make_folder, read_bytes, read_json, write_bytes, write_json
from attention_zoo.text.cutting import parts
from attention_zoo.text.dropping import PieceDropout
from attention_zoo.text.pieces import BEGIN_ID, END_ID, Pieces
from attention_zoo.text.rows import PAD_ID, SaysOnce, Token, as_tokens, padded
from attention_zoo.text.strings import as_text, as_texts

FORMAT, KIND = 1, "translation"  # of preprocessor.json
CONFIG, JOINT, SOURCE, TARGET = "preprocessor.json", "tokenizer.json", "source_tokenizer.json", "target_tokenizer.json"
MULTIPLE = 8
PROBE_SOURCE, PROBE_TARGET = 23, 17  # odd, so that no size is a multiple of anything; less where less is kept

Rows = list[np.ndarray]


def _as_texts(texts: str | bytes | Iterable[str | bytes]) -> list[str]:
    """Return texts as a list; one may be blank, for its translation is."""
    return as_texts(texts, blank=True)


class TranslationPreprocessor(SaysOnce):
    """Turn sentences into rows of ids, and rows of ids into sentences.

    A source is its pieces and the end, `y1 ... yn [EOS]`; a target row is `[BOS] y1 ... yn [EOS]`, of which a decoder
    reads all but the last and is to say all but the first. 0 pads, 1 is unknown, 2 begins, 3 ends. Make one by `train`
    or `load`.

    Args:
        source: pieces of the language that is read.
        target: pieces of the language that is written; the same object where both have one vocabulary.
        max_length: tokens of a row that are kept, the end included, at least 2.

    Raises:
        ZooValueError: if `max_length` is out of range.
    """

    noun, example = "text", "a sentence"  # what one input is called, and one as it stands on a command line
    items = staticmethod(_as_texts)  # checks what a user gave, and returns it as a sequence
    size = staticmethod(len)  # inputs of like size are run together
    kind = KIND

    def __init__(self, source: Pieces, target: Pieces, max_length: int = 128):
        self.max_length = whole_number("max_length", max_length, 2, "tokens")
        self.source, self.target = source, target

    @classmethod
    def train(
        cls,
        sources: Iterable[str],
        targets: Iterable[str],
        vocabulary_size: int = 8000,
        joint: bool = True,
        max_length: int = 128,
        min_frequency: int = 2,
    ) -> "TranslationPreprocessor":
        """Learn pieces from sentences of both languages; the same sentences give the same ones, byte for byte.

        Args:
            sources: strings, or bytes that are UTF-8.
            targets: likewise; they need not be translations of `sources`.
            vocabulary_size: most entries (of each vocabulary), the four special ones and 256 bytes included.
            joint: whether both languages have one vocabulary, so that embeddings can be shared.
            max_length: most tokens of a row.
            min_frequency: how often two pieces must stand together to become one.

        Raises:
            ZooValueError, ZooTypeError: if a text or an argument cannot work.
        """
        sources, targets = _as_texts(sources), _as_texts(targets)
        if joint:
            both = Pieces.train([*sources, *targets], vocabulary_size, min_frequency)
            return cls(both, both, max_length)
        source, target = (Pieces.train(texts, vocabulary_size, min_frequency) for texts in (sources, targets))
        return cls(source, target, max_length)

    @property
    def joint(self) -> bool:
        """Whether both languages have one vocabulary."""
        return self.source is self.target

    @property
    def source_vocabulary_size(self) -> int:
        """Number of source entries, the special ones included: one more than the largest id."""
        return len(self.source)

    @property
    def target_vocabulary_size(self) -> int:
        """Number of target entries, the special ones included: one more than the largest id."""
        return len(self.target)

    @property
    def config(self) -> dict:
        """What `preprocessor.json` holds beside the tokenizers."""
        return {"format": FORMAT, "kind": KIND, "max_length": self.max_length, "joint": self.joint}

    @property
    def usage(self) -> str:
        """What the arrays are, for a person who has to make them by other means."""
        read, written = (JOINT, JOINT) if self.joint else (SOURCE, TARGET)
        return (
            f"`source_ids`: int32 [batch, source], from `preprocessor/{read}`, each row ended by {END_ID}, padded with "
            f"{PAD_ID}; `target_ids`: int32 [batch, target], from `preprocessor/{written}`, begun by {BEGIN_ID}, "
            f"padded with {PAD_ID}"
        )

    def __call__(self, texts: str | bytes | Iterable[str | bytes]) -> dict[str, np.ndarray]:
        """Encode sentences to be translated; one that is too long is cut, and this is said once (see `split`).

        Args:
            texts: strings, or bytes that are UTF-8; a single one is a batch of one. A blank one is [EOS] alone.

        Returns:
            {"source_ids": int32 [batch, source]}, as wide as the longest, rounded up to a multiple of 8 (at most
            `max_length`).

        Raises:
            ZooTypeError: if something is no string.
            ZooValueError: if there is no text, or one is not UTF-8.
        """
        rows = self.source.encode(_as_texts(texts))
        longest, room = max(map(len, rows)), self.max_length - 1
        if longest > room:
            self._warn(f"a text of {longest:,} tokens was cut to the first {room:,} (max_length)", depth=1)
        return {"source_ids": padded([[*row[:room], END_ID] for row in rows], MULTIPLE, self.max_length)}

    def pairs(self, sources: Iterable[str], targets: Iterable[str]) -> tuple[Rows, Rows]:
        """Encode sentences and their translations for training.

        Pairs with a blank side, and those with a side of more than `max_length` tokens, are left out: half a sentence
        is no translation. A `UserWarning` says how many.

        Args:
            sources: strings, or bytes that are UTF-8.
            targets: one for each source.

        Returns:
            (source rows, target rows), int32 [tokens] each and as many, the first ended, the others begun and ended.

        Raises:
            ZooTypeError: if something is no string.
            ZooValueError: if the two differ in number, if a text is not UTF-8, or if no pair is left.
        """
        sources, targets = _as_texts(sources), _as_texts(targets)
        if len(sources) != len(targets):
            raise ZooValueError(f"targets must be one for each source ({len(sources):,}), got {len(targets):,}")
        encoded = list(zip(self.source.encode(sources), self.target.encode(targets)))
        # [BOS] is no token of the target: decoders read it in the place of [EOS], which they say.
        kept = [pair for pair in encoded if all(0 < len(row) < self.max_length for row in pair)]
        if not kept:
            raise ZooValueError(f"all {len(encoded):,} pairs are blank or longer than max_length ({self.max_length})")
        if len(kept) < len(encoded):
            message = f"{len(encoded) - len(kept):,} of {len(encoded):,} pairs are blank or longer than max_length "
            warnings.warn(f"{message}({self.max_length} tokens), and were left out", UserWarning, stacklevel=2)
        source_rows = [np.array([*source, END_ID], np.int32) for source, _ in kept]
        return source_rows, [np.array([BEGIN_ID, *target, END_ID], np.int32) for _, target in kept]

    def dropout(self, rate: float) -> Callable[[Rows, Rows, np.random.Generator], tuple[Rows, Rows]]:
        """Return an `augment` for batches of pairs that cuts words anew, each time otherwise (BPE dropout).

        Rows become longer, by about a fifth at a rate of 0.1; none becomes longer than `max_length`: such a row stays
        as it is.

        Args:
            rate: probability of leaving out a joining of two pieces, at least 0 and under 1.

        Raises:
            ZooValueError: if the rate is none.

        Source: Provilkov, Emelianenko, Voita 2020, arXiv:1910.13267.
        """
        read = PieceDropout(self.source, rate)
        written = read if self.joint else PieceDropout(self.target, rate)

        def augment(sources: Rows, targets: Rows, generator: np.random.Generator) -> tuple[Rows, Rows]:
            sources = [self._dropped(read, row, generator, begins=0) for row in sources]
            return sources, [self._dropped(written, row, generator, begins=1) for row in targets]

        return augment

    def _dropped(
        self, dropout: PieceDropout, row: np.ndarray, generator: np.random.Generator, begins: int
    ) -> np.ndarray:
        cut = dropout(row[begins:-1].tolist(), generator)
        if len(cut) >= self.max_length:
            return row
        return np.array([*[BEGIN_ID] * begins, *cut, END_ID], np.int32)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the sentence that a row of target ids says, in true case and with its blanks.

        Args:
            ids: one row; it ends at the first [EOS], [BOS] and padding say nothing.

        Raises:
            ZooTypeError: if the ids are no row of whole numbers.
            ZooValueError: if one is not of the vocabulary.
        """
        row = self._said(ids)
        return self.target.decode(row[row > END_ID].tolist())

    def split(self, text: str | bytes) -> list[str]:
        """Cut a text that is too long into parts to be translated one by one; said once (`UserWarning`).

        Parts end where sentences do; a sentence that is too long itself ends at a comma or the like, else between two
        words, and only a single word that is too long is cut within. Joined by blanks, parts are the text.

        Args:
            text: one string.

        Returns:
            Parts of at most `max_length` tokens, at least one; [text] where it fits.

        Raises:
            ZooTypeError, ZooValueError: if it cannot work, as in `__call__`.
        """
        text = as_text(text, "text", blank=True)
        (row,) = self.source.encode([text])
        if len(row) < self.max_length:
            return [text]
        found = parts(text, self.source, self.max_length - 1)
        self._warn(
            f"a text of {len(row):,} tokens was split into {len(found):,} parts of at most {self.max_length:,} "
            "(max_length), to be translated one by one",
            depth=1,
        )
        return found

    def tokens(self, text: str | bytes) -> list[Token]:
        """Return the pieces of one source text, aligned with `preprocessor([text])["source_ids"]`.

        Args:
            text: one string.

        Returns:
            Its tokens that are kept, in order, without the end; `token.index` is the position in the row.

        Raises:
            ZooTypeError, ZooValueError: if it cannot work, as in `__call__`.
        """
        text = as_text(text, "text", blank=True)
        return as_tokens(text, enumerate(self.source.spans(text)[: self.max_length - 1]))

    source_tokens = tokens

    def target_tokens(self, text: str | bytes) -> list[Token]:
        """Return the pieces of one target text; `token.index` is the position among what a decoder is to say.

        Args:
            text: one string; it is cut as in `pairs`.

        Returns:
            Its tokens that are kept, in order, without the end.

        Raises:
            ZooTypeError, ZooValueError: if it cannot work, as in `__call__`.
        """
        text = as_text(text, "text", blank=True)
        return as_tokens(text, enumerate(self.target.spans(text)[: self.max_length - 1]))

    def said_tokens(self, ids: Sequence[int] | np.ndarray) -> list[Token]:
        """Return the pieces of a row of target ids, as they stand in `decode(ids)`.

        A search may write a word in other pieces than `target_tokens(decode(ids))`, so these belong to its weights.

        Args:
            ids: one row, as for `decode`.

        Returns:
            Its tokens in order, without beginning, end and padding; `token.index` is the position among what the
            decoder said, so that 0 is the first id after [BOS].

        Raises:
            ZooTypeError, ZooValueError: if the ids cannot work, as in `decode`.
        """
        row = self._said(ids)
        places = np.flatnonzero(row > END_ID)
        text, spans = self.target.spelled(row[places].tolist())
        return as_tokens(text, zip(places.tolist(), spans))

    def probes(self) -> list[dict[str, np.ndarray]]:
        """Return two batches of different size and length: numbers from the whole vocabularies (seed 0), padded.

        Raises:
            ZooValueError: if so few tokens are kept that no second length exists.
        """
        longest = [min(self.max_length, size) for size in (PROBE_SOURCE, PROBE_TARGET)]
        if min(longest) < 4:
            raise ZooValueError(f"the preprocessor must keep at least 4 tokens for an export, got {self.max_length}")
        generator = np.random.default_rng(0)
        probes = []
        for batch, part in ((2, 2), (3, 1)):
            sources, targets = (
                generator.integers(END_ID + 1, len(pieces), (batch, size // part), dtype=np.int32)
                for pieces, size in zip((self.source, self.target), longest)
            )
            sources[:, -1], targets[:, 0] = END_ID, BEGIN_ID
            short = sources.shape[1] // 2
            sources[-1, short:], sources[-1, short - 1] = PAD_ID, END_ID
            targets[-1, targets.shape[1] // 2 + 1 :] = PAD_ID
            probes.append({"source_ids": sources, "target_ids": targets})
        return probes

    def save(self, folder: str | Path) -> None:
        """Write `preprocessor.json` and the tokenizers into a folder, which is made.

        Raises:
            ZooFileError: if it cannot be written.
        """
        folder = make_folder(folder)
        both = {JOINT: self.source} if self.joint else {SOURCE: self.source, TARGET: self.target}
        for name, pieces in both.items():
            write_bytes(folder / name, pieces.write().encode("utf-8"))
        write_json(folder / CONFIG, self.config)

    @classmethod
    def load(cls, folder: str | Path) -> "TranslationPreprocessor":
        """Read what `save` wrote.

        Raises:
            ZooFileError: if a file is missing or damaged; names it.
        """
        folder = Path(folder)
        config = read_json(folder / CONFIG, FORMAT)
        if (kind := config.pop("kind", None)) != KIND:
            raise ZooFileError(f"{folder / CONFIG} must be of a preprocessor of the kind {KIND!r}, got {kind!r}")
        if not isinstance(joint := config.pop("joint", None), bool):
            raise ZooFileError(f"{folder / CONFIG} is damaged: joint must be true or false, got {joint!r}")
        names = (JOINT,) if joint else (SOURCE, TARGET)
        found = [_read_pieces(folder / name) for name in names]
        try:
            return cls(found[0], found[-1], **config)
        except (ZooError, TypeError) as error:
            raise ZooFileError(f"{folder} is damaged: {error}") from error

    def _said(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the ids of a row between its beginning, where it has one, and its end."""
        row = np.asarray(ids)
        if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
            raise ZooTypeError(f"ids must be one row of whole numbers, got {row.dtype} of shape {list(row.shape)}")
        if row.size and not 0 <= row.min() <= row.max() < len(self.target):
            raise ZooValueError(f"ids must be from 0 to {len(self.target) - 1}, got {row.min()} to {row.max()}")
        row = row[: np.argmax(row == END_ID)] if np.any(row == END_ID) else row
        return row[1:] if row.size and row[0] == BEGIN_ID else row


def _read_pieces(path: Path) -> Pieces:
    try:
        return Pieces.parse(read_bytes(path).decode("utf-8"))
    except (UnicodeDecodeError, ZooValueError) as error:
        raise ZooFileError(f"{path} is damaged: {error}") from error

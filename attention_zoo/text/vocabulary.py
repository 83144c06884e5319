"""Build a tokenizer out of texts: what a word is, which words or pieces are known.

Training is repeatable: the same texts give the same `tokenizer.json`, byte for byte. The trainers of `tokenizers`
number new pieces in the order of a hash table, which differs from run to run; so words are counted and put in order
here, and every single character is given to the trainer in a fixed order before it looks at a word.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

PAD, UNKNOWN, MASK = "[PAD]", "[UNK]", "[MASK]"
SPECIAL = (PAD, UNKNOWN, MASK)
KINDS = ("word", "wordpiece", "bpe")
CONTINUES = "##"
# Letters and digits, with apostrophes inside them ("don't", "o’clock"); every other visible character by itself.
_WORD = r"\w+(?:['’]\w+)*|[^\w\s]"
_LINE_BREAK = r"(?i)<br\s*/?>"
_LONGEST_WORD = 100
_COVERED_CHARACTERS = 0.9999


def build(texts: Iterable[str], kind: str, size: int, lowercase: bool, min_frequency: int) -> Tokenizer:
    """Train a tokenizer.

    Args:
        texts: what it should know.
        kind: "word", "wordpiece" (longest known pieces first) or "bpe" (pairs joined in the order of training).
        size: largest number of entries, `[PAD]` (0), `[UNK]` (1) and `[MASK]` (2) included.
        lowercase: True reads all letters as small ones.
        min_frequency: how often a word (or a pair of pieces) must occur to be known.
    """
    counts = _count_words(texts, lowercase)
    model = (
        _word_model(counts, size, min_frequency) if kind == "word" else _piece_model(counts, kind, size, min_frequency)
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = _normalizer(lowercase), _splitter()
    return tokenizer


def _normalizer(lowercase: bool) -> normalizers.Normalizer:
    steps = [normalizers.Replace(Regex(_LINE_BREAK), " "), normalizers.NFC()]
    return normalizers.Sequence([*steps, normalizers.Lowercase()] if lowercase else steps)


def _splitter() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True)


def _count_words(texts: Iterable[str], lowercase: bool) -> dict[str, int]:
    """Count the words, most frequent first; those of one count in order of the alphabet."""
    normalizer, splitter = _normalizer(lowercase), _splitter()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _word_model(counts: dict[str, int], size: int, min_frequency: int) -> models.Model:
    known = [word for word, count in counts.items() if count >= min_frequency]
    names = [*SPECIAL, *known[: size - len(SPECIAL)]]
    return models.WordLevel({name: number for number, name in enumerate(names)}, unk_token=UNKNOWN)


def _piece_model(counts: dict[str, int], kind: str, size: int, min_frequency: int) -> models.Model:
    """Join characters to pieces; both kinds learn the same pieces and differ in how they cut a new word."""
    characters = _characters(counts, room=(size - len(SPECIAL)) // 2)
    first = {word[0] for word in counts}
    inside = {character for word in counts for character in word[1:]}
    singles = [character for character in characters if character in first]
    singles += [CONTINUES + character for character in characters if character in inside]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=[*SPECIAL, *singles],
        continuing_subword_prefix=CONTINUES,
        show_progress=False,
    )
    learner = Tokenizer(models.BPE(unk_token=UNKNOWN, continuing_subword_prefix=CONTINUES))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(_repeated(counts, set(characters)), trainer)
    learned = json.loads(learner.to_str())["model"]
    if kind == "wordpiece":
        return models.WordPiece(
            learned["vocab"],
            unk_token=UNKNOWN,
            max_input_chars_per_word=_LONGEST_WORD,
            continuing_subword_prefix=CONTINUES,
        )
    merges = [tuple(pair) for pair in learned["merges"]]
    return models.BPE(
        vocab=learned["vocab"], merges=merges, unk_token=UNKNOWN, continuing_subword_prefix=CONTINUES, fuse_unk=True
    )


def _characters(counts: dict[str, int], room: int) -> list[str]:
    """Return the frequent characters that make up all but one in 10,000, in order of the alphabet."""
    tally: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            tally[character] += count
    ordered = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    kept, covered, wanted = [], 0, _COVERED_CHARACTERS * tally.total()
    for character, count in ordered[: room // 2]:
        if covered >= wanted:
            break
        kept.append(character)
        covered += count
    return sorted(kept)


def _repeated(counts: dict[str, int], known: set[str]) -> Iterator[str]:
    """Yield every word as often as it occurred, for a trainer that counts by itself."""
    for word, count in counts.items():
        if known.issuperset(word):
            yield " ".join([word] * count)

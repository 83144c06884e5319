"""More texts out of the ones at hand: words deleted, beginnings joined to other endings, words exchanged."""

from collections.abc import Sequence

import numpy as np

from attention_zoo.errors import ZooValueError
from attention_zoo.training.seeds import check_seed

DELETING, SPLICING = 0.35, 0.5  # shares of the new texts; the rest has words exchanged
WITHIN_LABEL = 0.5  # share of the splices whose two texts have the same label
DELETED, EXCHANGED = 0.2, 0.15  # shares of a text's words


def spliced_texts(texts: Sequence[str], labels: Sequence, rounds: int = 4, seed: int = 0) -> list[str]:
    """Make `rounds` new texts out of each text.

    A new text has no label of its own: let a teacher say what it is.

    Args:
        texts: strings.
        labels: one a text, anything that can be compared (a tuple where there are several).
        rounds: new texts for each text, at least 0.
        seed: of the draws.

    Returns:
        rounds x len(texts) strings: 35 % are a text with a fifth of its words deleted; 50 % are the beginning of a text
        with the end of another one (half of these of the same label); 15 % have every seventh word or so exchanged for
        a word of another text.

    Raises:
        ZooValueError: if `rounds` is negative, there is no text, or labels are not one a text.
    """
    if rounds < 0:
        raise ZooValueError(f"rounds must be at least 0 (new texts for each text), got {rounds}")
    if not len(texts) or len(texts) != len(labels):
        raise ZooValueError(f"labels must be one a text, got {len(labels)} for {len(texts)} texts")
    random = np.random.default_rng(check_seed(seed))
    words = [text.split() for text in texts]
    rows_of: dict = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label, []).append(row)
    made = []
    for _ in range(rounds):
        for row, own in enumerate(words):
            kind = random.random()
            if kind < DELETING:
                kept = random.random(len(own)) >= DELETED
                new = [word for word, keep in zip(own, kept) if keep] or own
            elif kind < DELETING + SPLICING:
                alike = random.random() < WITHIN_LABEL
                other = words[random.choice(rows_of[labels[row]]) if alike else random.integers(len(words))]
                cut = random.random()
                new = own[: max(1, round(len(own) * cut))] + other[round(len(other) * cut) :]
            else:
                new = [_other_word(words, random) if random.random() < EXCHANGED else word for word in own]
            made.append(" ".join(new))
    return made


def _other_word(words: Sequence[Sequence[str]], random: np.random.Generator) -> str:
    row = words[random.integers(len(words))]
    return row[random.integers(len(row))]


def delete_tokens(share: float):
    """Return a function for `Batches(augment=...)` that deletes a share of the tokens of each row, but never all.

    Args:
        share: how often a token is deleted, at least 0 and under 1.

    Raises:
        ZooValueError: if `share` is out of range.
    """
    if not 0 <= share < 1:
        raise ZooValueError(f"share must be at least 0 and under 1, got {share}")

    def delete(rows: Sequence[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
        changed = []
        for row in rows:
            kept = row[random.random(len(row)) >= share]
            changed.append(kept if len(row) > 2 and len(kept) > 1 else row)
        return changed

    return delete

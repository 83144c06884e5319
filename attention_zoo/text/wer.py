"""How many words and letters of what was heard are wrong."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attention_zoo.errors import ZooTypeError, ZooValueError, need


@dataclass(frozen=True)
class Errors:
    """What is wrong with one hypothesis.

    Args:
        hypothesis: as it was compared.
        reference: as it was compared.
        substitutions: words in place of others.
        deletions: words left out.
        insertions: words too many.
        words: of the reference.
        letter_errors: letters put in place of others, left out, or too many; blanks between words are letters.
        letters: of the reference.
    """

    hypothesis: str
    reference: str
    substitutions: int
    deletions: int
    insertions: int
    words: int
    letter_errors: int
    letters: int

    @property
    def errors(self) -> int:
        """Wrong words."""
        return self.substitutions + self.deletions + self.insertions


def normalised(text: str) -> str:
    """Write a text as it is compared: composed (NFC), in small letters, one blank between words and none around.

    Nothing else is changed: signs, digits and apostrophes stay, and count.
    """
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def measures(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float | int]:
    """Judge transcripts, each against one reference, both as `normalised` writes them.

    wer = (substitutions + deletions + insertions) / words of the references

    over all utterances together, at the fewest errors; `cer` is the same of letters, blanks between words among them.

    Args:
        hypotheses: what was heard; blank ones are allowed.
        references: what was said, one for each; a blank one is silence, in which every word is an insertion.

    Returns:
        `wer`, `cer` (0 is without error; above 1 is possible), `sentence_errors` (share of utterances with an error),
        and numbers of words: `substitutions`, `deletions`, `insertions`, `words`; `letter_errors`, `letters`;
        `utterances`.

    Raises:
        ZooValueError: if there is nothing to judge, the two differ in number, or all references are blank.
        ZooTypeError: if something is no string.
        ZooImportError: if jiwer is missing.

    Source: Levenshtein 1966; counted by jiwer.
    """
    found = errors(hypotheses, references)
    sums = {name: sum(getattr(one, name) for one in found) for name in _COUNTS}
    if not sums["words"]:
        raise ZooValueError("references must hold at least one word, got blank ones only")
    wrong = sums["substitutions"] + sums["deletions"] + sums["insertions"]
    rates = {"wer": wrong / sums["words"], "cer": sums["letter_errors"] / sums["letters"]}
    return {
        **rates,
        "sentence_errors": sum(one.hypothesis != one.reference for one in found) / len(found),
        **sums,
        "utterances": len(found),
    }


def errors(hypotheses: Sequence[str], references: Sequence[str]) -> list[Errors]:
    """Count what is wrong with each utterance; arguments and errors as for `measures`, all references may be blank.

    Returns:
        one `Errors` for each, in order.
    """
    hypotheses, references = list(hypotheses), list(references)
    _check(hypotheses, references)
    jiwer = need("jiwer", "train")
    return [_one(jiwer, normalised(one), normalised(other)) for one, other in zip(hypotheses, references)]


_COUNTS = ("substitutions", "deletions", "insertions", "words", "letter_errors", "letters")


def _one(jiwer: Any, hypothesis: str, reference: str) -> Errors:
    words = jiwer.process_words(reference, hypothesis)
    letters = jiwer.process_characters(reference, hypothesis)
    wrong = letters.substitutions + letters.deletions + letters.insertions
    counts = (words.substitutions, words.deletions, words.insertions, len(reference.split()), wrong, len(reference))
    return Errors(hypothesis, reference, *counts)


def _check(hypotheses: list, references: list) -> None:
    if len(hypotheses) != len(references):
        raise ZooValueError(f"references must be one for each hypothesis ({len(hypotheses)}), got {len(references)}")
    if not hypotheses:
        raise ZooValueError("hypotheses must hold at least one transcript, got none")
    for name, texts in {"hypotheses": hypotheses, "references": references}.items():
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise ZooTypeError(f"{name}[{number}] must be a string, got {type(text).__name__} {text!r:.40}")

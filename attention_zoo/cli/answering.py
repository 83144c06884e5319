"""What a task answered, as the command line prints it."""

import dataclasses
from typing import Any


def record(noun: str, one: Any, answer: Any) -> dict[str, Any]:
    """Return an input with its answer, for a line of JSON.

    Args:
        noun: what an input is called.
        one: the input.
        answer: an `answers.Answer`, what was written (a `runtime.Translation` or `runtime.Transcript`), or a
            `recsys.Recommendation`.
    """
    told = answer.record() if _written(answer) else dataclasses.asdict(answer)
    return {noun: one, **told}


def rows(one: Any, answer: Any) -> list[tuple[str, str, str]]:
    """Return an input with its answer as rows of a table: score, what was answered, input; then other answers.

    Args:
        one: the input.
        answer: as for `record`.
    """
    if _written(answer):
        others = list(answer.others)
        head = answer.text or "-"
    else:
        others = [(label, score) for label, score in sorted((answer.scores or {}).items(), key=lambda each: -each[1])]
        head = ", ".join(answer.labels) or "-"
    shown = one if isinstance(one, str) else " ".join(str(each) for each in one)
    return [(f"{answer.score:.3f}", head, shown), *((f"  {score:.3f}", f"  {text}", "") for text, score in others)]


def headline(explanation: Any) -> str:
    """Return what was explained, in one line.

    Args:
        explanation: of a classifier, with its `answer`; an `Alignment`, with what was written and its score; or a
            `HistoryExplanation`, with the item and its score.
    """
    if hasattr(explanation, "answer"):
        return f"{explanation.answer.score:.3f}  {', '.join(explanation.answer.labels) or '-'}"
    score = "" if explanation.score is None else f"{explanation.score:.3f}  "
    return f"{score}{explanation.item if hasattr(explanation, 'item') else explanation.target}"


def _written(answer: Any) -> bool:
    """Tell whether an answer is a text that a model wrote, or items, each with a text."""
    from attention_zoo.recsys import Recommendation
    from attention_zoo.runtime import Transcript, Translation

    return isinstance(answer, Transcript | Translation | Recommendation)

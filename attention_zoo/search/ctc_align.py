"""When each unit of a known text is said: the likeliest of all paths that say it."""

from collections.abc import Callable, Sequence

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.errors import ZooValueError
from attention_zoo.search.ctc import BLANK, Path, Word, checked, collapsed

# A step at which every unit is less likely than e^-5000 is padding.
CERTAIN = -5e3


def align(log_probabilities: np.ndarray, token_ids: Sequence[int], blank: int = BLANK) -> Path:
    """Lay given units along the steps so that the path is the likeliest.

    best[t, s] = log p[t, label(s)] + max(best[t-1, s], best[t-1, s-1], best[t-1, s-2] where a blank may be left out)

    over the units with a blank before, between and after them; then back along the choices.

    Args:
        log_probabilities: float [steps, vocabulary] of one utterance; steps of padding are left alone.
        token_ids: the units, without blanks.
        blank: id of the blank.

    Returns:
        the `Path` of exactly these units.

    Raises:
        ZooValueError: if an id is outside the vocabulary or the blank, or the units need more steps than there are.

    Cost: steps x units operations, in NumPy by steps.
    Source: Graves et al. 2006, section 4.1; Rabiner 1989, "A Tutorial on Hidden Markov Models", section III.B.
    """
    chances = checked(log_probabilities, 2)
    units = np.array([_unit(one, chances.shape[1], blank) for one in token_ids], "int64")
    needed = len(units) + int((units[1:] == units[:-1]).sum())
    others = np.delete(chances, blank, axis=1)
    there = int((others.max(axis=1, initial=-np.inf) > CERTAIN).sum())
    if needed > there:
        raise ZooValueError(f"token_ids must fit into {there} steps, got {len(units)} units that need {needed}")
    if not len(chances):
        return Path((), (), (), (), 0.0)
    labels = np.full(2 * len(units) + 1, blank)
    labels[1::2] = units
    places = _traced(chances[:, labels], labels, blank)
    path = labels[places]
    # Two equal units in a row are two places: numbered by place they are not joined.
    numbered = np.where(places % 2 == 1, places, -1)
    found = collapsed(numbered, chances[np.arange(len(path)), path], blank=-1)
    return Path(tuple(int(labels[place]) for place in found.token_ids), *_rest(found))


def _rest(path: Path) -> tuple:
    return path.starts, path.ends, path.scores, path.score


def _unit(token_id: int, size: int, blank: int) -> int:
    number = whole_number("token_ids", token_id, least=0)
    if number >= size or number == blank:
        raise ZooValueError(f"token_ids must be under {size} and not the blank {blank}, got {number}")
    return number


def _traced(values: np.ndarray, labels: np.ndarray, blank: int) -> np.ndarray:
    """Return the place of the likeliest path at each step: int [steps].

    Args:
        values: [steps, places], log-probability of the label of each place.
        labels: int [places].
        blank: id of the blank.
    """
    steps, count = values.shape
    skips = np.full(count, -np.inf)
    skips[2:][(labels[2:] != blank) & (labels[2:] != labels[:-2])] = 0.0
    best, choices = np.full(count, -np.inf), np.zeros((steps, count), "int8")
    best[:2] = values[0, :2]
    options = np.full((3, count), -np.inf)
    for step in range(1, steps):
        options[0], options[1, 1:], options[2, 2:] = best, best[:-1], best[:-2]
        options[2] += skips
        choices[step] = options.argmax(axis=0)
        best = options.max(axis=0) + values[step]
    place = count - 1 if count == 1 or best[-1] >= best[-2] else count - 2
    places = np.zeros(steps, "int64")
    for step in range(steps - 1, -1, -1):
        places[step] = place
        place -= choices[step, place]
    return places


def words(
    path: Path,
    write: Callable[[Sequence[int]], str],
    separator: int | None,
    step_seconds: float,
    begins: Callable[[int], bool] | None = None,
) -> list[Word]:
    """Group units to words with their times.

    A word lies from the first step of its first unit to the last step of its last. A network trained by CTC says a unit
    at few steps, often late: times are good to about a tenth of a second.

    Args:
        path: of units.
        write: turns ids of the units of one word into its text.
        separator: id of the unit between words, the blank of writing; not the blank of CTC. None where there is none.
        step_seconds: length of a step.
        begins: says of an id whether a word begins with it, as pieces do that hold the blank before it; None for none.

    Returns:
        the words in order; none for a path without units.
    """
    groups: list[list[int]] = [[]]
    for number, unit in enumerate(path.token_ids):
        if unit == separator or (begins is not None and begins(unit)):
            groups.append([])
        if unit != separator:
            groups[-1].append(number)
    found = [_word(path, group, write, step_seconds) for group in groups if group]
    return [word for word in found if word.text]


def _word(path: Path, group: Sequence[int], write: Callable, step_seconds: float) -> Word:
    held = [path.ends[number] - path.starts[number] for number in group]
    total = sum(path.scores[number] * steps for number, steps in zip(group, held))
    text = write([path.token_ids[number] for number in group]).strip()
    start, end = path.starts[group[0]] * step_seconds, path.ends[group[-1]] * step_seconds
    return Word(text, start, end, total / sum(held))

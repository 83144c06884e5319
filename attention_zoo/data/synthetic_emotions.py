"""Synthetic emotions: drawn faces, tones and sentences made by rules; enough to see a model learn, and of nobody.

Each of the three tells the emotion, and none tells it always: in a part of the rows a face, a tone or a sentence is
that of another emotion, each drawn apart, so that who has all three knows more than who has one.
"""

from typing import NamedTuple

import numpy as np

from attention_zoo.checks import share, whole_number
from attention_zoo.data.dataset import Dataset, Split

NAME = "synthetic_emotions"
LABELS = ("angry", "happy", "neutral", "sad")
INTENSITIES = ("normal", "strong")
RATE, SECONDS = 16_000, (0.4, 0.7)
HELD_SHARE = 0.15  # of the rows, each for validation and test
TURNS = 4  # rows of a conversation
_ASTRAY = {"image": 0.3, "audio": 0.3, "text": 0.3}  # share of rows in which it tells another emotion


class _Look(NamedTuple):
    """How an emotion looks and sounds."""

    mouth: float  # how far its corners are raised, of the face's half width
    brows: float  # how far their inner ends are raised, likewise
    pitch: float  # Hz
    slide: float  # octaves by which the pitch rises from beginning to end
    loudness: float  # largest amplitude
    edge: float  # amplitude of each overtone beside the one below it


_LOOKS = {
    "angry": _Look(-0.12, -0.22, 170.0, -0.1, 0.8, 0.85),
    "happy": _Look(0.24, 0.05, 260.0, 0.5, 0.6, 0.4),
    "neutral": _Look(0.0, 0.0, 140.0, 0.0, 0.35, 0.5),
    "sad": _Look(-0.24, 0.2, 115.0, -0.4, 0.18, 0.25),
}
_STRONGER = 1.35  # what is loud or bent is more so where an emotion is strong
_OPENINGS = ["today", "this morning", "right now", "since yesterday", "at work", "at home", "on the train"]
_SUBJECTS = ["the letter", "the news", "your answer", "this game", "the meeting", "my neighbour", "the film"]
_SAID = {
    "angry": ["makes me furious", "is an outrage", "is so unfair", "drives me mad"],
    "happy": ["makes me so glad", "is wonderful", "is a delight", "made me laugh"],
    "neutral": ["is on the table", "comes at noon", "is as usual", "was about trains"],
    "sad": ["makes me cry", "is a great loss", "breaks my heart", "left me lonely"],
}


def synthetic_emotions(
    count: int = 240, seed: int = 0, *, size: int = 24, frames: int = 1, missing: float = 0.0
) -> Dataset:
    """Make rows of a face, a tone and a sentence: synthetic, and of no living person.

    Args:
        count: how many rows, at least 20.
        seed: of the draw; the same seed gives the same rows.
        size: of a face (pixels on each side), at least 16.
        frames: pictures of a face; where there are several, its mouth opens from the first to the last.
        missing: share of the images, sounds and texts that are None, at least one of a row being there.

    Returns:
        A set named "synthetic_emotions" of the columns "image" (uint8 [size, size], or [frames, size, size]), "audio"
        (pairs of float32 samples and 16,000 Hz), "text", "label" (angry, happy, neutral, sad), "intensity" (normal,
        strong: of how loud the tone and how bent the mouth is) and "conversation" (four rows each, half of which have
        the same label). Splits "train", and "val" and "test" of 15 % of the rows each.

    Raises:
        ZooValueError: if a number is out of range.
    """
    whole_number("count", count, 20, "rows")
    whole_number("size", size, 16, "pixels")
    whole_number("frames", frames, 1, "pictures")
    share("missing", missing)
    generator = np.random.default_rng(seed)
    rows = [_row(generator, number, size, frames) for number in range(count)]
    for row in rows:
        _lose(generator, row, missing)
    held = int(count * HELD_SHARE)
    bounds = {"train": (0, count - 2 * held), "val": (count - 2 * held, count - held), "test": (count - held, count)}
    splits = {
        name: Split({column: [row[column] for row in rows[start:stop]] for column in rows[0]})
        for name, (start, stop) in bounds.items()
    }
    source = "synthetic: drawn by attention_zoo.data.synthetic_emotions"
    return Dataset(NAME, splits, LABELS, licence="Apache-2.0", permissive=True, source=source)


def _row(generator: np.random.Generator, number: int, size: int, frames: int) -> dict:
    conversation = number // TURNS
    # A conversation has a mood that half of its rows have.
    mood = LABELS[conversation * 7 % len(LABELS)]
    label = mood if number % TURNS < TURNS // 2 else LABELS[generator.integers(len(LABELS))]
    is_strong = bool(generator.integers(2))
    shown = {name: _shown(generator, label, astray) for name, astray in _ASTRAY.items()}
    return {
        "image": _faces(generator, _LOOKS[shown["image"]], is_strong, size, frames),
        "audio": (_tone(generator, _LOOKS[shown["audio"]], is_strong), RATE),
        "text": _sentence(generator, shown["text"]),
        "label": label,
        "intensity": INTENSITIES[is_strong],
        "conversation": f"talk {conversation}",
    }


def _shown(generator: np.random.Generator, label: str, astray: float) -> str:
    """Return the emotion that is shown: mostly the one that is felt."""
    return LABELS[generator.integers(len(LABELS))] if generator.random() < astray else label


def _lose(generator: np.random.Generator, row: dict, missing: float) -> None:
    """Take away a share of what is there, but never all."""
    lost = [name for name in _ASTRAY if generator.random() < missing]
    for name in lost[: len(_ASTRAY) - 1]:
        row[name] = None


def _faces(generator: np.random.Generator, look: _Look, is_strong: bool, size: int, frames: int) -> np.ndarray:
    """Draw a face of dark lines on grey, somewhere near the middle: uint8 [size, size] or [frames, size, size]."""
    bent = _STRONGER if is_strong else 1.0
    left, top = generator.uniform(-0.08, 0.08, 2)
    mouth, brows = look.mouth * bent + generator.normal(0, 0.03), look.brows * bent + generator.normal(0, 0.03)
    noise = generator.normal(0, 8, (frames, size, size))
    # Places from -1 to 1; y goes down.
    y, x = np.meshgrid(*2 * [np.linspace(-1, 1, size)], indexing="ij")
    x, y = x - left, y - top
    pictures = []
    for frame in range(frames):
        opened = 0.12 * frame / max(frames - 1, 1)
        strokes = [np.abs(np.hypot(x, y) - 0.85)]  # the outline
        strokes += [np.hypot(x - side * 0.35, y + 0.2) - 0.04 for side in (-1, 1)]  # eyes
        # Inner ends of the brows are nearer to the middle.
        strokes.append(np.where((np.abs(np.abs(x) - 0.35) < 0.2), np.abs(y + 0.48 - brows * (np.abs(x) - 0.35) * 3), 9))
        curve = 0.4 - mouth + 2 * mouth * (1 - (x / 0.45) ** 2)
        lips = np.minimum(np.abs(y - curve - opened), np.abs(y - curve + opened))
        strokes.append(np.where(np.abs(x) < 0.45, lips, 9))
        ink = np.clip(1.5 - np.min(strokes, axis=0) * size / 2.2, 0, 1)
        pictures.append(190 - 150 * ink)
    found = np.clip(np.stack(pictures) + noise, 0, 255).astype(np.uint8)
    return found if frames > 1 else found[0]


def _tone(generator: np.random.Generator, look: _Look, is_strong: bool) -> np.ndarray:
    """Make a tone with three overtones that fades in and out: float32 [samples]."""
    time = np.linspace(0, 1, int(generator.uniform(*SECONDS) * RATE))
    pitch = look.pitch * 2 ** (look.slide * time + generator.normal(0, 0.08))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    wave = sum(look.edge**order * np.sin((order + 1) * phase) for order in range(4))
    loudness = min(look.loudness * (_STRONGER if is_strong else 1.0) * 2 ** generator.normal(0, 0.15), 0.95)
    wave = loudness * wave / np.abs(wave).max() * np.sin(np.pi * time) ** 0.5
    return np.clip(wave + generator.normal(0, 0.004, len(time)), -1, 1).astype(np.float32)


def _sentence(generator: np.random.Generator, emotion: str) -> str:
    words = [table[generator.integers(len(table))] for table in (_OPENINGS, _SUBJECTS, _SAID[emotion])]
    return " ".join(words) if generator.random() < 0.5 else " ".join(words[1:])

"""Judge a speech recognizer on voices that no human has: sentences in the manner of AN4, spoken by espeak-ng.

    sudo apt-get install espeak-ng            # Debian; or --install, which runs this line for root
    python benchmarks/voices.py an4_conformer [an4_streaming ...] [--keep FOLDER]

The sentences are drawn anew by a rule (seed 0): spelled names, numbers, dates, telephone numbers, commands; none is
trained on, and those that AN4 has word for word are left out. Each is spoken by a voice and at a speed in turn. A
synthetic voice is nothing like what the recognizers learned from, and so this says what is left of them far from home.
Writes `benchmarks/results/voices.json`.
"""

import argparse
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import harness
import numpy as np

SENTENCES = 48
VOICES = ("en-us", "en-us+f2", "en-gb", "en-us+m3", "en-gb-x-rp", "en-us+f4", "en-gb-scotland", "en-us+m7")
SPEEDS = (130, 150, 170)  # words a minute
SPELLED = (
    "harriet", "oswald", "quincy", "tabitha", "yvonne", "brighton", "waxford", "kingsley", "pembroke", "zurich",
    "valdez", "jupiter", "foxglove", "hemlock", "dunmore", "aldgate",
)  # fmt: skip
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = ("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "twelfth")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
COMMANDS = ("enter", "erase", "rubout")


def sentences(known: set[str]) -> list[str]:
    """Draw the sentences.

    Args:
        known: what must not be among them.

    Returns:
        in small letters; a letter that is spelled is a word.
    """
    generator, kinds, found = np.random.default_rng(0), (_spelled, _number, _date, _telephone, _command, _code), []
    while len(found) < SENTENCES:
        text = kinds[len(found) % len(kinds)](generator)
        if text not in known and text not in found:
            found.append(text)
    return found


def _two(generator: np.random.Generator) -> str:
    """Return a number under a hundred, as words."""
    if generator.random() < 0.3:
        return str(generator.choice(TEENS))
    return f"{generator.choice(TENS)} {generator.choice(DIGITS[1:])}"


def _spelled(generator: np.random.Generator) -> str:
    return " ".join(str(generator.choice(SPELLED)))


def _number(generator: np.random.Generator) -> str:
    return f"{generator.choice(DIGITS[1:])} hundred and {_two(generator)}"


def _date(generator: np.random.Generator) -> str:
    return f"{generator.choice(MONTHS)} {generator.choice(ORDINALS)} nineteen {_two(generator)}"


def _telephone(generator: np.random.Generator) -> str:
    return " ".join(generator.choice(DIGITS, 7))


def _letters(generator: np.random.Generator, count: int) -> str:
    return " ".join(generator.choice(list("abcdefghijklmnopqrstuvwxyz"), count))


def _command(generator: np.random.Generator) -> str:
    return f"{generator.choice(COMMANDS)} {_letters(generator, 3)} {_two(generator)}"


def _code(generator: np.random.Generator) -> str:
    return f"{_letters(generator, 4)} {generator.choice(DIGITS)} {generator.choice(DIGITS)}"


def speak(text: str, number: int, path: Path) -> None:
    """Write a text as sound; letters are named, not read as words."""
    words = [f'<say-as interpret-as="characters">{word}</say-as>' if len(word) == 1 else word for word in text.split()]
    voice, speed = VOICES[number % len(VOICES)], SPEEDS[number % len(SPEEDS)]
    command = ["espeak-ng", "-m", "-v", voice, "-s", str(speed), "-w", str(path), " ".join(words)]
    subprocess.run(command, check=True, capture_output=True)


def judge(names: list[str], folder: Path) -> list[dict]:
    """Let all recognizers hear all sentences; return a row for each."""
    from attention_zoo import data, load
    from attention_zoo.audio import spoken
    from attention_zoo.text.wer import measures

    known = {spoken(text) for split in data.load("an4").splits.values() for text in split["text"]}
    texts = sentences(known)
    paths = [folder / f"{number:02d}.wav" for number in range(len(texts))]
    for number, (text, path) in enumerate(zip(texts, paths)):
        speak(text, number, path)
    rows = []
    for name in names:
        task = load(name)
        for search, options in {"greedy": {"beam": 1, "ctc_weight": 1.0, "lm_weight": 0.0}, "as loaded": {}}.items():
            heard = [found.text for found in task.transcribe(paths, **options)]
            told = measures(heard, texts)
            rows.append({"preset": name, "search": search, **told})
        for text, found in zip(texts, heard):
            print(f"{text}\n    {found}")
    return [{key: value for key, value in row.items() if np.isscalar(value)} for row in rows]


def main() -> None:
    """Speak, judge, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--install", action="store_true", help="install espeak-ng by apt-get first")
    parser.add_argument("--keep", type=Path, help="folder for the sounds; without it they are thrown away")
    options = parser.parse_args()
    if options.install:
        subprocess.run(["apt-get", "install", "-y", "espeak-ng"], check=True)
    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng is not installed; on Debian: sudo apt-get install espeak-ng")
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = judge(options.presets, folder)
    print(harness.table(rows))
    harness.keep("voices", rows, ("preset",))


if __name__ == "__main__":
    main()

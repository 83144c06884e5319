"""Synthetic translations, made by a grammar: enough to see a translator learn, and nothing that anybody ever said.

English and German differ here in what makes translation more than looking words up: articles and adjectives agree in
gender, case and number, verbs stand second, or last after a modal verb or "dass".
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from attention_zoo.checks import whole_number
from attention_zoo.data.dataset import Dataset, Split
from attention_zoo.errors import ZooValueError

NAME = "synthetic_en_de"
MOST = 20_000  # of some hundred thousand different sentences
HELD_SHARE = 0.1  # of the pairs, each for validation and test

# English singular and plural, German singular and plural, gender.
_BEINGS = """man men Mann Männer m, woman women Frau Frauen f, child children Kind Kinder n,
girl girls Mädchen Mädchen n, teacher teachers Lehrer Lehrer m, dog dogs Hund Hunde m,
cat cats Katze Katzen f, horse horses Pferd Pferde n,
bird birds Vogel Vögel m, nurse nurses Krankenschwester Krankenschwestern f"""
_THINGS = """ball balls Ball Bälle m, car cars Auto Autos n, book books Buch Bücher n, flower flowers Blume Blumen f,
lamp lamps Lampe Lampen f, hat hats Hut Hüte m, bottle bottles Flasche Flaschen f, bicycle bicycles Fahrrad Fahrräder n,
table tables Tisch Tische m, umbrella umbrellas Regenschirm Regenschirme m, picture pictures Bild Bilder n"""
_AGES = "old alt, young jung, small klein, tired müde, happy fröhlich, big groß"
_COLOURS = "red rot, blue blau, green grün, yellow gelb, black schwarz, white weiß, brown braun, grey grau"
_NUMBERS = """two zwei, three drei, four vier, five fünf, six sechs, seven sieben, eight acht, nine neun, ten zehn,
eleven elf, twelve zwölf"""
# English of one and of many, German of one and of many (which is the infinitive).
_ALONE = """sleeps sleep schläft schlafen, runs run läuft laufen, waits wait wartet warten, plays play spielt spielen,
sits sit sitzt sitzen, stands stand steht stehen"""
_WITH_OBJECT = """sees see sieht sehen, carries carry trägt tragen, buys buy kauft kaufen, finds find findet finden,
needs need braucht brauchen, brings bring bringt bringen"""
_MODAL = "can can kann können, must must muss müssen, should should soll sollen"
_PLACES = """in the garden|im Garten, on the street|auf der Straße, in front of the house|vor dem Haus,
at the beach|am Strand, in the kitchen|in der Küche, under the tree|unter dem Baum,
behind the station|hinter dem Bahnhof, on the bridge|auf der Brücke, beside the river|neben dem Fluss"""
_TIMES = """today|heute, now|jetzt, every day|jeden Tag, in the morning|am Morgen, on Sunday|am Sonntag,
in winter|im Winter"""

_DEFINITE = {"nominative": "der die das die", "accusative": "den die das die", "dative": "dem der dem den"}
_INDEFINITE = {"nominative": "ein eine ein", "accusative": "einen eine ein", "dative": "einem einer einem"}
_AFTER_DEFINITE = {"nominative": "e e e en", "accusative": "en e e en", "dative": "en en en en"}
_AFTER_INDEFINITE = {"nominative": "er e es e", "accusative": "en e es e", "dative": "en en en en"}
_GENDERS = ("m", "f", "n")
_KINDS, _SHARES = ("the", "a", "the many", "number"), (0.35, 0.35, 0.15, 0.15)
_VOWELS = ("a", "e", "i", "o", "um")  # what "an" stands before, among the words above


class _Phrase(NamedTuple):
    """Someone or something in both languages, the German as subject, as object and after a preposition."""

    english: str
    german: dict[str, str]
    is_many: bool


class _Words(NamedTuple):
    """What a German phrase is made of; `place` is that of its forms in the tables: m, f, n or plural."""

    number: str
    adjective: str
    noun: str
    place: int


class _Clause(NamedTuple):
    """Who does what: the words of each language apart, for different orders."""

    subject: _Phrase
    verb: tuple[str, str, str, str]
    english_rest: str
    german_rest: str


def synthetic_pairs(count: int = 5000, seed: int = 0) -> Dataset:
    """Make different English sentences and their German translations: synthetic, correct and without sense.

    Args:
        count: how many pairs, 20 to 20,000.
        seed: of the draw; the same seed gives the same pairs.

    Returns:
        A set named "synthetic_en_de" of the columns "source" (English) and "target" (German), without labels: a tenth
        of the pairs each for "val" and "test", the rest for "train". No sentence is in two splits.

    Raises:
        ZooValueError: if `count` is out of range.
    """
    if whole_number("count", count, 20, "pairs") > MOST:
        raise ZooValueError(f"count must be at most {MOST:,} (pairs), got {count:,}")
    generator = np.random.default_rng(seed)
    pairs: dict[str, str] = {}
    while len(pairs) < count:
        english, german = _sentence(generator)
        pairs.setdefault(english, german)
    rows, held = list(pairs.items()), int(count * HELD_SHARE)
    bounds = {"train": (0, count - 2 * held), "val": (count - 2 * held, count - held), "test": (count - held, count)}
    splits = {}
    for name, (start, stop) in bounds.items():
        source, target = zip(*rows[start:stop])
        splits[name] = Split({"source": source, "target": target})
    return Dataset(
        NAME,
        splits,
        licence="Apache-2.0",
        permissive=True,
        source="synthetic: a grammar of attention_zoo.data.synthetic",
    )


def _sentence(generator: np.random.Generator) -> tuple[str, str]:
    english, german = _FORMS[generator.integers(len(_FORMS))](generator)
    return english[0].upper() + english[1:], german[0].upper() + german[1:]


def _plain(generator: np.random.Generator) -> tuple[str, str]:
    clause = _clause(generator)
    subject, verb = clause.subject, _agreeing(clause)
    return (
        f"{subject.english} {verb[0]}{clause.english_rest}.",
        f"{subject.german['nominative']} {verb[1]}{clause.german_rest}.",
    )


def _time_first(generator: np.random.Generator) -> tuple[str, str]:
    english, german = _one(generator, _TIMES, "|")
    clause = _clause(generator)
    subject, verb = clause.subject, _agreeing(clause)
    return (
        f"{english} {subject.english} {verb[0]}{clause.english_rest}.",
        f"{german} {verb[1]} {subject.german['nominative']}{clause.german_rest}.",
    )


def _with_modal(generator: np.random.Generator) -> tuple[str, str]:
    clause, modal = _clause(generator), _one(generator, _MODAL)
    subject = clause.subject
    return (
        f"{subject.english} {modal[subject.is_many]} {clause.verb[1]}{clause.english_rest}.",
        f"{subject.german['nominative']} {modal[2 + subject.is_many]}{clause.german_rest} {clause.verb[3]}.",
    )


def _reported(generator: np.random.Generator) -> tuple[str, str]:
    clause, teller = _clause(generator), _phrase(generator, _BEINGS, _AGES)
    subject, verb = clause.subject, _agreeing(clause)
    says, sagt = ("say", "sagen") if teller.is_many else ("says", "sagt")
    return (
        f"{teller.english} {says} that {subject.english} {verb[0]}{clause.english_rest}.",
        f"{teller.german['nominative']} {sagt}, dass {subject.german['nominative']}{clause.german_rest} {verb[1]}.",
    )


def _question(generator: np.random.Generator) -> tuple[str, str]:
    clause = _clause(generator)
    subject, verb = clause.subject, _agreeing(clause)
    does = "do" if subject.is_many else "does"
    return (
        f"{does} {subject.english} {clause.verb[1]}{clause.english_rest}?",
        f"{verb[1]} {subject.german['nominative']}{clause.german_rest}?",
    )


_FORMS: tuple[Callable, ...] = (_plain, _time_first, _with_modal, _reported, _question)


def _agreeing(clause: _Clause) -> tuple[str, str]:
    """Return the English and the German verb in the number of the subject."""
    return clause.verb[clause.subject.is_many], clause.verb[2 + clause.subject.is_many]


def _clause(generator: np.random.Generator) -> _Clause:
    subject = _phrase(generator, _BEINGS, _AGES)
    verb, english, german = _one(generator, _ALONE), "", ""
    if generator.random() < 0.6:
        verb, thing = _one(generator, _WITH_OBJECT), _phrase(generator, _THINGS, _COLOURS)
        english, german = f" {thing.english}", f" {thing.german['accusative']}"
        if generator.random() < 0.2:
            other = _phrase(generator, _THINGS, _COLOURS)
            english, german = f"{english} with {other.english}", f"{german} mit {other.german['dative']}"
    if not english or generator.random() < 0.5:
        place = _one(generator, _PLACES, "|")
        english, german = f"{english} {place[0]}", f"{german} {place[1]}"
    return _Clause(subject, verb, english, german)


def _phrase(generator: np.random.Generator, nouns: str, adjectives: str) -> _Phrase:
    """Draw an article or a number, perhaps an adjective, and a noun."""
    one, many, ein, viele, gender = _one(generator, nouns)
    adjective = _one(generator, adjectives) if generator.random() < 0.6 else ("", "")
    kind = _KINDS[generator.choice(len(_KINDS), p=_SHARES)]
    is_many = kind in ("the many", "number")
    number = _one(generator, _NUMBERS) if kind == "number" else ("", "")
    described = " ".join(word for word in (adjective[0], many if is_many else one) if word)
    article = "an" if described.startswith(_VOWELS) else "a"
    first = {"number": number[0], "a": article}.get(kind, "the")
    words = _Words(number[1], adjective[1], viele if is_many else ein, 3 if is_many else _GENDERS.index(gender))
    german = {case: _declined(words, case, kind.startswith("the")) for case in _DEFINITE}
    return _Phrase(f"{first} {described}", german, is_many)


def _declined(words: _Words, case: str, is_definite: bool) -> str:
    """Write a German phrase in one case."""
    articles, endings = (_DEFINITE, _AFTER_DEFINITE) if is_definite else (_INDEFINITE, _AFTER_INDEFINITE)
    article = words.number or articles[case].split()[words.place]
    # An adjective that ends in e has it once.
    adjective = words.adjective and words.adjective.removesuffix("e") + endings[case].split()[words.place]
    is_plural_dative = case == "dative" and words.place == 3
    noun = words.noun + ("n" if is_plural_dative and words.noun[-1] not in "ns" else "")
    return " ".join(word for word in (article, adjective, noun) if word)


def _one(generator: np.random.Generator, table: str, separator: str | None = None) -> Sequence[str]:
    """Draw a line of a table of words."""
    rows = table.split(",")
    return tuple(word.strip() for word in rows[generator.integers(len(rows))].strip().split(separator))

import hashlib
import json
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from attention_zoo import data
from attention_zoo.errors import ZooValueError
from attention_zoo.text.dropping import CUTS, PieceDropout
from attention_zoo.text.pieces import SPECIAL, Pieces

pytestmark = pytest.mark.once

PAIRS = data.synthetic_pairs(400)["train"]
TEXTS = [*PAIRS["source"], *PAIRS["target"]]
ODD = {
    "accents apart": "Cafe\u0301 in I\u0307stanbul",
    "emoji": "😂👍🏽 👩‍🚀!",
    "chinese": "我们在家里。",
    "arabic": "مرحبا بالعالم، 123",
    "devanagari": "नमस्ते दुनिया",
    "controls": "a\x00b\x07\x1b[31mc\x9f",
    "byte order mark": "\ufeffEin Mann",
    "blanks": " \t Ein\u00a0\u3000 Mann\r\n läuft .\x0b\x0c\x85\u2028",
    "line ends": "one\r\ntwo\rthree\nfour",
    "special names": "[PAD] [BOS][EOS] <br> ▁Ġ ##",
    "nothing": "",
    "only blanks": " \n\t ",
    "only controls": "\x00\x01",
    "one long word": "Donaudampfschifffahrt" * 500,
    "far away": "\U0010ffff\ue000\ufffd",
}


@pytest.fixture(scope="module")
def pieces():
    return Pieces.train(TEXTS, 600)


def cleaned(text):
    """Clean a text by the letter of the promise."""
    kept = (letter for letter in text if unicodedata.category(letter) != "Cc" or letter.isspace())
    text = "".join(letter for letter in kept if letter not in "\ufeff\x1c\x1d\x1e\x1f")
    return " ".join(unicodedata.normalize("NFC", text).split())


@pytest.mark.parametrize("case", ODD)
def test_any_text_comes_back_to_the_byte(case, pieces):
    (ids,) = pieces.encode([ODD[case]])
    assert pieces.clean(ODD[case]) == cleaned(ODD[case])
    assert pieces.decode(ids) == cleaned(ODD[case])
    assert min(ids, default=4) >= 4
    assert pieces.clean(pieces.clean(ODD[case])) == pieces.clean(ODD[case])


def test_random_text_of_all_of_unicode_comes_back(pieces):
    random = np.random.default_rng(0)
    for _ in range(200):
        points = [*random.integers(32, 0x800, 20), *random.integers(0x800, 0x110000, 20), *random.integers(0, 64, 10)]
        text = "".join(chr(point) for point in random.permutation(points) if not 0xD800 <= point < 0xE000)
        assert pieces.decode(pieces.encode([text])[0]) == pieces.clean(text) == cleaned(text)


def test_true_case_is_kept_and_a_word_is_the_same_wherever_it_stands(pieces):
    assert pieces.decode(pieces.encode(["Der Mann sieht DEN mann."])[0]) == "Der Mann sieht DEN mann."
    alone, inside = pieces.encode(["Mann", "ein Mann"])
    assert inside[-len(alone) :] == alone


def test_known_words_are_few_pieces_and_digits_stand_alone(pieces):
    count = sum(map(len, pieces.encode(TEXTS)))
    assert count < 2 * sum(len(text.split()) for text in TEXTS)
    years = Pieces.train(["in 1984 und 1984"] * 50, 300)
    assert [years.spelling[number].strip() for number in years.encode(["1984"])[0]] == [b"1", b"9", b"8", b"4"]


def test_spans_are_of_the_users_own_text(pieces):
    text = "\ufeffDer  alte\u00a0Mann\x00, cafe\u0301 家!"
    ids, spans = pieces.encode([text])[0], pieces.spans(text)
    assert len(ids) == len(spans)
    words = "".join(text[start:end] for start, end in dict.fromkeys(spans))
    assert words == "DeralteMann,cafe家!"  # an accent apart is given to its letter by `as_tokens`
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    assert {text[start:end] for start, end in spans[-4:-1]} == {"家"}
    assert [span[0] for span in spans] == sorted(span[0] for span in spans)


def test_spelled_pieces_stand_in_what_they_spell(pieces):
    for text in (*TEXTS[:50], "Der 家 😂!", "[PAD] x"):
        found, spans = pieces.spelled([2, *pieces.encode([text])[0], 3, 0])
        assert found == text
        assert spans[0] == (0, 0) and spans[-2:] == [(len(text), len(text))] * 2
        covered = {place for start, end in spans for place in range(start, end)}
        assert "".join(text[place] for place in sorted(covered)) == text.replace(" ", "")


def test_pieces_that_spell_no_text_do_no_harm(pieces):
    loose = {letters: number for number, letters in enumerate(pieces.spelling) if len(letters) == 1}
    text, spans = pieces.spelled(
        [loose[b"\xf0"], loose[b"a"], loose[b"\x1b"], loose[b"\n"], loose[b"\x9f"], loose[b"b"]]
    )
    assert text == "\ufffda\ufffdb"
    assert all(0 <= start <= end <= 4 for start, end in spans)
    assert pieces.decode([loose[b"\xe5"]]) == "\ufffd"


def test_the_same_texts_give_the_same_file_in_every_process():
    code = (
        "import sys; from attention_zoo import data; from attention_zoo.text.pieces import Pieces;"
        "pairs = data.synthetic_pairs(400)['train'];"
        "sys.stdout.buffer.write(Pieces.train([*pairs['source'], *pairs['target']], 600).write().encode())"
    )
    files = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in range(2)]
    files += [Pieces.train(texts, 600).write().encode() for texts in (TEXTS, TEXTS[::-1])]
    assert len({hashlib.sha256(content).digest() for content in files}) == 1


def test_the_vocabulary_keeps_to_its_size_and_begins_with_the_special_ones(pieces):
    assert len(pieces) == 600
    vocabulary = json.loads(pieces.write())["model"]["vocab"]
    assert sorted(vocabulary, key=vocabulary.get)[:4] == list(SPECIAL)
    assert json.loads(pieces.write())["added_tokens"] == []
    assert len(Pieces.train(["a"], 260)) == 260


def test_what_is_written_is_read_back(pieces):
    again = Pieces.parse(pieces.write())
    assert again.encode([*TEXTS, *ODD.values()]) == pieces.encode([*TEXTS, *ODD.values()])
    assert again.write() == pieces.write()


def without(name):
    return lambda content: content["model"]["vocab"].pop(name) and content["model"].update(merges=[])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["model"]["vocab"].update({"[BOS]": 3, "[EOS]": 2}), "as 0, 1, 2, 3"),
        (without("a"), "each of 256 bytes"),
        (lambda content: content["model"]["vocab"].update({"家": len(content["model"]["vocab"])}), "each of 256 bytes"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(change, message, pieces):
    content = json.loads(pieces.write())
    change(content)
    with pytest.raises(ZooValueError, match=message):
        Pieces.parse(json.dumps(content))


def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(ZooValueError, match=r"must be a tokenizer\.json"):
        Pieces.parse("{")
    words = Tokenizer(models.WordLevel({name: number for number, name in enumerate(SPECIAL)}, unk_token="[UNK]"))
    with pytest.raises(ZooValueError, match="byte pairs"):
        Pieces(words)
    for arguments in ({"vocabulary_size": 259}, {"vocabulary_size": 300.0}, {"min_frequency": 0}):
        with pytest.raises(ZooValueError, match="must be a whole number"):
            Pieces.train(["a"], **arguments)


def test_dropout_of_nothing_is_the_usual_cut(pieces):
    random = np.random.default_rng(0)
    dropout = PieceDropout(pieces, 0.0)
    for ids in pieces.encode([*TEXTS, *(ODD[case] for case in ("emoji", "chinese", "arabic", "one long word"))]):
        assert dropout(ids, random) == ids


def test_dropout_cuts_otherwise_and_spells_the_same(pieces):
    random, dropout = np.random.default_rng(0), PieceDropout(pieces, 0.2)
    rows = pieces.encode(TEXTS)
    cut = [dropout(row, random) for row in rows]
    assert [pieces.decode(row) for row in cut] == TEXTS
    assert 1.1 < sum(map(len, cut)) / sum(map(len, rows)) < 2
    assert len({tuple(dropout(rows[0], random)) for _ in range(50)}) > 20
    (word,) = pieces.encode(["Krankenschwester"])
    assert 1 < len({tuple(dropout(word, random)) for _ in range(1000)}) <= CUTS


def test_dropout_depends_on_the_generator_and_on_nothing_that_came_before(pieces):
    rows = pieces.encode(TEXTS[:60])
    one, other = PieceDropout(pieces, 0.1), PieceDropout(pieces, 0.1)
    for row in rows[::-1]:
        other(row, np.random.default_rng(5))
    for number, row in enumerate(rows):
        assert one(row, np.random.default_rng(number)) == other(row, np.random.default_rng(number))


def test_joinings_are_left_out_as_often_as_the_rate_says(pieces):
    pairs = {pair for pair in pieces.joins if all(len(pieces.spelling[number]) == 1 for number in pair)}
    dropout, found = PieceDropout(pieces, 0.3), []
    for pair in pairs:
        joined = [pieces.joins[pair][1]]
        found += [dropout._cut(tuple(joined), number) == joined for number in range(CUTS)]
    assert len(found) > 1000
    assert 0.66 < np.mean(found) < 0.74


@pytest.mark.parametrize("rate", [1, -0.1, "a", True])
def test_a_rate_out_of_range_is_refused(rate, pieces):
    with pytest.raises(ZooValueError, match="rate must be"):
        PieceDropout(pieces, rate)

import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.text import TextPreprocessor
from attention_zoo.text.sentences import sentence_spans

pytestmark = pytest.mark.once

KINDS = ("word", "wordpiece", "bpe")
TEXTS = ["Book me a flight to Rome!", "don't wake me up", "what's the weather in Rome", "book book book a table"] * 5
ODD = "  Cafe\u0301 in İstanbul:<br />don’t 😂👍🏽 book\tbooking!\n\nflights… "


@pytest.fixture(scope="module", params=KINDS)
def preprocessor(request):
    return TextPreprocessor.train(TEXTS, kind=request.param, vocabulary_size=200)


@pytest.fixture
def words():
    return TextPreprocessor.train(TEXTS, max_length=16)


@pytest.fixture
def sentences():
    return TextPreprocessor.train(TEXTS, layout="sentences", max_length=8, max_sentences=6)


def test_ids_are_padded_to_a_multiple_of_eight(words):
    ids = words(["book a flight", "what's the weather in rome, book me a table"])["token_ids"]
    assert ids.dtype == np.int32
    assert ids.shape == (2, 16)
    assert (ids[0, 3:] == 0).all()
    assert (ids[0, :3] > 2).all()


def test_the_longest_row_is_at_most_max_length(words):
    words.max_length = 12
    with pytest.warns(UserWarning):
        assert words("book " * 50)["token_ids"].shape == (1, 12)


def test_words_keep_their_apostrophes_and_unknown_ones_are_one(words):
    assert [token.text for token in words.tokens("Don't book, Zanzibar")] == ["Don't", "book", ",", "Zanzibar"]
    ids = words(["Don't book, Zanzibar", "don't book ,"])["token_ids"]
    assert ids[0, 0] == ids[1, 0] > 2
    assert ids[0, 3] == 1


def test_letters_keep_their_size_on_request():
    kept = TextPreprocessor.train(["Rome rome"], lowercase=False)
    assert len(set(kept("Rome rome")["token_ids"][0, :2])) == 2


def test_composed_and_decomposed_letters_are_the_same(preprocessor):
    texts = TextPreprocessor.train(["café"], kind=preprocessor.kind)
    ids = texts(["caf\u00e9", "cafe\u0301"])["token_ids"]
    assert (ids[0] == ids[1]).all()
    assert (ids != 1).all()


def test_tokens_are_pieces_of_the_users_own_text(preprocessor):
    tokens = preprocessor.tokens(ODD)
    assert all(token.text == ODD[token.start : token.end] for token in tokens)
    assert all(token.text.strip() for token in tokens)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)
    joined = "".join(ODD[start:end] for start, end in dict.fromkeys((token.start, token.end) for token in tokens))
    assert joined == "".join(ODD.replace("<br />", " ").split())


def test_tokens_stand_beside_their_ids(preprocessor):
    for text in [*TEXTS[:4], ODD]:
        ids = preprocessor(text)["token_ids"][0]
        tokens = preprocessor.tokens(text)
        assert [token.index for token in tokens] == list(range(len(tokens)))
        assert (ids[: len(tokens)] > 0).all()
        assert (ids[len(tokens) :] == 0).all()


def test_pieces_of_known_words_make_up_a_new_one():
    texts = ["walk talk", "walking", "talked", "booking booked"] * 10
    for kind in ("wordpiece", "bpe"):
        trained = TextPreprocessor.train(texts, kind=kind, vocabulary_size=60)
        ids = trained("walked")["token_ids"]
        assert (ids != 1).all()
        assert trained.tokens("walked")[0].text.startswith("walk")


def test_the_vocabulary_keeps_to_its_size():
    for kind in KINDS:
        trained = TextPreprocessor.train(data.load("clinc150", sample=True)["train"]["text"], kind, vocabulary_size=300)
        assert trained.vocabulary_size == 300
        assert trained("book me a flight to rome")["token_ids"].max() < 300


def test_rare_words_may_be_left_out():
    trained = TextPreprocessor.train(["often often rare"], min_frequency=2)
    assert trained.vocabulary_size == 4


def test_special_names_in_a_text_are_only_words(preprocessor):
    ids = preprocessor("[PAD] [MASK] book")["token_ids"][0]
    tokens = preprocessor.tokens("[PAD] [MASK] book")
    assert (ids[: len(tokens)] > 0).all()
    assert 2 not in ids


def test_saving_and_loading_changes_nothing(preprocessor, tmp_path):
    preprocessor.save(tmp_path / "deep" / "folder")
    loaded = TextPreprocessor.load(tmp_path / "deep" / "folder")
    assert loaded.config == preprocessor.config
    assert (loaded([*TEXTS, ODD])["token_ids"] == preprocessor([*TEXTS, ODD])["token_ids"]).all()
    assert sorted(os.listdir(tmp_path / "deep" / "folder")) == ["preprocessor.json", "tokenizer.json"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_give_the_same_file_in_every_process(kind, tmp_path):
    texts = data.load("clinc150", sample=True)["train"]["text"]
    code = (
        "import sys; from attention_zoo import data; from attention_zoo.text import TextPreprocessor;"
        "texts = data.load('clinc150', sample=True)['train']['text'];"
        f"TextPreprocessor.train(texts, {kind!r}, 500).save(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "0")], check=True)
    for number in range(1, 4):  # nor does the order of the texts matter
        TextPreprocessor.train(texts[number:] + texts[:number], kind, 500).save(tmp_path / str(number))
    files = [(tmp_path / str(number) / "tokenizer.json").read_bytes() for number in range(4)]
    assert len({hashlib.sha256(content).digest() for content in files}) == 1


def test_sentences_have_their_own_axis(sentences):
    text = "Book me a flight. What's the weather in Rome? Don't wake me up!"
    ids = sentences([text, "book a table"])["token_ids"]
    assert ids.shape == (2, 4, 8)
    assert (ids[0, :3].max(axis=1) > 2).all()
    assert (ids[0, 3] == 0).all()
    assert (ids[1, 1:] == 0).all()


def test_tokens_of_sentences_stand_beside_their_ids(sentences):
    text = "Mr. Rome books a flight to Rome, then a table in Rome.  What's up?<br />Book! " + ODD
    with pytest.warns(UserWarning, match="sentences was cut"):
        ids = sentences(text)["token_ids"][0].reshape(-1)
    tokens = sentences.tokens(text)
    assert [token.index for token in tokens] == np.flatnonzero(ids).tolist()
    assert all(token.text == text[token.start : token.end] for token in tokens)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)


def test_a_long_sentence_goes_on_in_the_next_row(sentences):
    ids = sentences("book " * 20)["token_ids"]
    assert ids.shape == (1, 4, 8)
    assert np.count_nonzero(ids) == 20
    assert len(sentences.tokens("book " * 20)) == 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "no." Then he left...  And?', ['He said "no."', "Then he left...", "And?"]),
        ("Mr. Smith, e.g. J. R. Smith, paid 3.50. Fine", ["Mr. Smith, e.g. J. R. Smith, paid 3.50.", "Fine"]),
        ("one<br /><br />two\n\nthree", ["one", "two", "three"]),
        ("一つ。二つ！", ["一つ。", "二つ！"]),
        ("  no end ", ["no end"]),
        ("...", ["..."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text, expected):
    assert [text[start:end] for start, end in sentence_spans(text)] == expected


@pytest.mark.parametrize("run", [" ", ".", "\n", "<br ", "'", '."', "。", "a.", "x" * 9])
def test_long_runs_are_split_in_no_time(run):
    began = time.perf_counter()
    sentence_spans("One. " + run * 100_000)
    assert time.perf_counter() - began < 2


def test_no_character_is_lost_between_sentences():
    for text in [ODD, "a.b. c? d!e. \n. <br>x", *data.load("goemotions", sample=True)["train"]["text"]]:
        spans = sentence_spans(text)
        covered = {place for start, end in spans for place in range(start, end)}
        left = "".join(letter for place, letter in enumerate(text) if place not in covered)
        assert not left.replace("<br />", "").replace("<br>", "").strip()
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_a_text_of_100000_words_is_cut_and_this_is_said_once(words, sentences):
    began = time.perf_counter()
    for preprocessor in (words, sentences):
        with pytest.warns(UserWarning, match=r"was cut to the first .* this is said once") as caught:
            preprocessor(["book " * 100_000])
            preprocessor(["book " * 100_000])
        assert len(caught) == 1
        assert caught[0].filename == __file__
    assert time.perf_counter() - began < 10


def test_a_text_that_fits_is_not_warned_about(words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        words("book " * 16)


def test_bytes_that_are_utf8_are_texts(words):
    assert (words([b"book", b"rome"])["token_ids"] == words(["book", "rome"])["token_ids"]).all()
    assert (words(b"book")["token_ids"] == words("book")["token_ids"]).all()


def test_any_sequence_of_strings_is_taken(words):
    expected = words(["book", "rome"])["token_ids"]
    for texts in (("book", "rome"), np.array(["book", "rome"]), (text for text in ["book", "rome"])):
        assert (words(texts)["token_ids"] == expected).all()


BAD_TEXTS = {
    "empty list": ([], ZooValueError, "texts must hold at least one string"),
    "empty string": ("", ZooValueError, "text must hold at least one word, got ''"),
    "one is blank": (["book", " \n"], ZooValueError, r"texts\[1\] must hold at least one word"),
    "number": (["book", 5], ZooTypeError, r"texts\[1\] must be a string, got int 5"),
    "none": (None, ZooTypeError, "texts must be strings in a list, got NoneType"),
    "dictionary": ({"text": "book"}, ZooTypeError, "got dict"),
    "not utf-8": (["book", "café".encode("latin-1")], ZooValueError, r"texts\[1\] must be UTF-8; byte 3 is 0xe9"),
    "surrogate": ("book \ud83d", ZooValueError, "character 5 is half a surrogate pair"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
@pytest.mark.parametrize("layout", ["flat", "sentences"])
def test_bad_texts_are_one_clear_sentence(case, layout):
    texts, kind, message = BAD_TEXTS[case]
    preprocessor = TextPreprocessor.train(TEXTS, layout=layout)
    with pytest.raises(kind, match=message):
        preprocessor(texts)
    with pytest.raises(kind, match=message):
        TextPreprocessor.train(texts)


BAD_ARGUMENTS = {
    "kind": ({"kind": "words"}, "kind 'words' is unknown; the nearest names are 'word'"),
    "layout": ({"layout": "tree"}, "layout 'tree' is unknown"),
    "size": ({"vocabulary_size": 3}, "vocabulary_size must be a whole number of at least 16"),
    "length": ({"max_length": 0}, "max_length must be a whole number of at least 1"),
    "float": ({"max_length": 8.0}, "max_length must be a whole number"),
    "sentences": ({"max_sentences": -1}, "max_sentences must be a whole number of at least 1"),
    "frequency": ({"min_frequency": 0}, "min_frequency must be a whole number of at least 1"),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments_are_one_clear_sentence(case):
    arguments, message = BAD_ARGUMENTS[case]
    with pytest.raises((ZooValueError, ZooTypeError), match=message):
        TextPreprocessor.train(TEXTS, **arguments)


def edited(name, change):
    def damage(folder):
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return damage


DAMAGE = {
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "no config": (lambda folder: (folder / "preprocessor.json").unlink(), "preprocessor.json is missing"),
    "cut tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{"), "tokenizer.json is damaged"),
    "cut config": (lambda folder: (folder / "preprocessor.json").write_text("{"), "preprocessor.json is damaged"),
    "list": (lambda folder: (folder / "preprocessor.json").write_text("[]"), "preprocessor.json is damaged"),
    "bytes": (lambda folder: (folder / "tokenizer.json").write_bytes(b"\xff"), "tokenizer.json is damaged"),
    "format": (edited("preprocessor.json", lambda config: config.update(format=9)), "must have format 1, got 9"),
    "key": (edited("preprocessor.json", lambda config: config.update(more=1)), "is damaged: .*more"),
    "value": (edited("preprocessor.json", lambda config: config.update(max_length="8")), "is damaged: max_length"),
    "ids": (edited("tokenizer.json", lambda content: content["model"]["vocab"].update({"[PAD]": 99})), "as 0, 1, 2"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_folder_names_the_file(case, words, tmp_path):
    damage, message = DAMAGE[case]
    words.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ZooFileError, match=message):
        TextPreprocessor.load(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_sentence(words, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooFileError, match="cannot be written"):
        words.save(tmp_path / "file")


def test_texts_data_and_answers_load_no_keras():
    code = (
        "import sys; import attention_zoo.text, attention_zoo.data, attention_zoo.answers;"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'sklearn') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"

import json
import os
import warnings

import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.text import TranslationPreprocessor

pytestmark = pytest.mark.once

PAIRS = data.synthetic_pairs(400)["train"]
SOURCES, TARGETS = PAIRS["source"], PAIRS["target"]


def made(joint=True, max_length=64):
    return TranslationPreprocessor.train(SOURCES, TARGETS, 500, joint, max_length)


@pytest.fixture(scope="module", params=[True, False], ids=["joint", "separate"])
def preprocessor(request):
    return made(request.param)


@pytest.fixture
def short():
    return made(max_length=12)


def test_source_rows_end_and_are_padded_to_a_multiple_of_eight(preprocessor):
    ids = preprocessor(["The man sleeps in the garden.", "the dog"])["source_ids"]
    assert ids.dtype == np.int32 and ids.shape[0] == 2 and ids.shape[1] % 8 == 0
    for row in ids:
        length = np.count_nonzero(row)
        assert row[length - 1] == 3
        assert (row[: length - 1] > 3).all() and (row[length:] == 0).all()


def test_a_blank_sentence_is_an_end_alone(preprocessor):
    assert preprocessor(["", "  \n", "\x00"])["source_ids"].tolist() == [[3] + [0] * 7] * 3
    assert preprocessor.decode([2, 3, 0, 0]) == preprocessor.decode([]) == preprocessor.decode(np.zeros(0)) == ""


def test_what_is_encoded_is_decoded_with_its_blanks_and_capitals(preprocessor):
    _, rows = preprocessor.pairs(SOURCES, TARGETS)
    assert [preprocessor.decode(row) for row in rows] == TARGETS
    assert [preprocessor.decode([*row[1:], 0, 0]) for row in rows[:9]] == TARGETS[:9]
    assert preprocessor.decode([*rows[0], *rows[1]]) == TARGETS[0]  # nothing after the first end


def test_pairs_are_begun_and_ended(preprocessor):
    sources, targets = preprocessor.pairs(SOURCES[:5], TARGETS[:5])
    for source, target, ids in zip(sources, targets, preprocessor(SOURCES[:5])["source_ids"]):
        assert source.dtype == target.dtype == np.int32
        assert source.tolist() == ids[ids > 0].tolist()
        assert (target[0], target[-1]) == (2, 3) and (target[1:-1] > 3).all()


def test_one_vocabulary_is_one_and_two_are_two():
    one, two = made(), made(joint=False)
    assert one.source is one.target and not two.joint
    assert one.source.encode(["dass"]) == one.target.encode(["dass"])
    assert len(two.target.encode(["Regenschirm"])[0]) < len(two.source.encode(["Regenschirm"])[0])
    assert (two.source_vocabulary_size, two.target_vocabulary_size) == (len(two.source), len(two.target))


def test_pairs_that_are_blank_or_too_long_are_left_out_and_counted(short):
    sources, targets = ["the dog", "", "the dog " * 20, "the dog"], ["der Hund", "x", "y", " \t"]
    with pytest.warns(UserWarning, match=r"3 of 4 pairs .* left out") as caught:
        rows = short.pairs(sources, targets)
    assert caught[0].filename == __file__
    assert [len(side) for side in rows] == [1, 1]
    with pytest.raises(ZooValueError, match="all 3 pairs are blank or longer"):
        short.pairs(sources[1:], targets[1:])
    with pytest.raises(ZooValueError, match=r"one for each source \(4\), got 2"):
        short.pairs(sources, targets[:2])


def test_no_row_is_longer_than_max_length(short):
    text = "the dog " * 5 + "the"  # 11 pieces and the end
    row = short(text)["source_ids"][0]
    assert np.count_nonzero(row) == 12 and len(row) == 12
    with pytest.warns(UserWarning, match=r"cut to the first 11 .* said once") as caught:
        cut = short(text + " dog the")["source_ids"]
        short(text + " dog the")
    assert len(caught) == 1 and caught[0].filename == __file__
    assert (cut == row).all()
    sources, targets = short.pairs([text], [text])
    assert (len(sources[0]), len(targets[0]) - 1) == (12, 12)


def test_tokens_stand_beside_their_ids(preprocessor):
    text = "The  man runs\u00a0a cafe\u0301."
    tokens, ids = preprocessor.tokens(text), preprocessor(text)["source_ids"][0]
    assert ids[len(tokens)] == 3
    assert [token.index for token in tokens] == list(range(len(tokens)))
    assert all(token.text == text[token.start : token.end] for token in tokens)
    assert [token.text for token in tokens[:2]] == ["The", "man"]
    assert "".join(token.text for token in dict.fromkeys(tokens)).startswith("Themanruns")
    assert preprocessor.source_tokens(text) == tokens
    assert {"e\u0301"} <= {token.text for token in tokens}


def test_target_tokens_stand_in_the_translation(preprocessor):
    _, (row,) = preprocessor.pairs(["x"], [TARGETS[0]])
    assert preprocessor.said_tokens(row) == preprocessor.said_tokens(row[1:]) == preprocessor.target_tokens(TARGETS[0])
    tokens = preprocessor.said_tokens([*row[:2], 0, *row[2:]])
    assert [token.index for token in tokens] == [0, *range(2, len(row) - 1)]
    text = preprocessor.decode(row)
    assert all(token.text == text[token.start : token.end] for token in tokens)


@pytest.mark.parametrize(
    ("ids", "kind", "message"),
    [
        ([[1, 2]], ZooTypeError, "one row of whole numbers"),
        ([1.5], ZooTypeError, "one row of whole numbers"),
        ([5, 10_000], ZooValueError, "from 0 to"),
        ([-1], ZooValueError, "from 0 to"),
    ],
)
def test_ids_that_cannot_be_are_refused(ids, kind, message, preprocessor):
    with pytest.raises(kind, match=message):
        preprocessor.decode(ids)


def lengths(preprocessor, parts):
    return [len(row) + 1 for row in preprocessor.source.encode(parts)]


def test_a_text_that_fits_is_not_split(short):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ("The dog. The cat.", "", " ", "\x00"):
            assert short.split(text) == [text]


def test_a_long_text_is_split_at_its_sentences_and_this_is_said_once(short):
    with pytest.warns(UserWarning, match=r"tokens was split into 3 parts .* said once") as caught:
        parts = short.split("The dog sleeps.  The cat sees the ball!\nThe horse waits? ")
        short.split("the dog " * 20)
    assert parts == ["The dog sleeps.", "The cat sees the ball!", "The horse waits?"]
    assert len(caught) == 1 and caught[0].filename == __file__


@pytest.mark.filterwarnings("ignore:a text of")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the dog, the cat, the man, the ball, the hat", ["the dog, the cat, the man,", "the ball, the hat"]),
        ("the dog " * 8, ["the dog the dog the dog the dog the dog the", "dog the dog the dog"]),
        ("the dog, " + "cat " * 15, ["the dog,", "cat cat cat cat cat cat cat cat cat cat cat", "cat cat cat cat"]),
    ],
)
def test_a_long_sentence_is_split_at_commas_then_at_words(text, expected, short):
    assert short.split(text) == expected


@pytest.mark.filterwarnings("ignore:a text of")
@pytest.mark.parametrize("text", ["x" * 10_000, "家" * 300, "😂" * 100, "a" * 5 + "\u0301" * 200, "5,000.25 " * 100])
def test_only_a_single_word_that_is_too_long_is_cut_within(text, short):
    parts = short.split("the dog " + text)
    assert "".join("".join(parts).split()) == "".join(("the dog " + text).split())
    assert max(lengths(short, parts)) <= 12
    assert all(part.strip() == part != "" for part in parts)


@pytest.mark.filterwarnings("ignore:a text of")
def test_parts_are_short_where_pieces_end_within_letters():
    random = np.random.default_rng(0)
    # Bytes C3..C7 B0 and D0 B1..B8 in turn: most often the end of one letter stands beside the start of the next.
    texts = ["".join(random.choice(list(letters)) for letters in ("ðİŰưǰ", "бвгдежзи") * 8) for _ in range(60)]
    odd = TranslationPreprocessor.train(texts, ["x"], 400, max_length=8, min_frequency=1)
    assert any(not _is_text(letters) and len(letters) > 2 for letters in odd.source.spelling)
    for text in texts:
        parts = odd.split(text * 5)
        assert "".join(parts) == text * 5
        assert max(lengths(odd, parts)) <= 8


def _is_text(letters):
    return letters.decode("utf-8", "ignore").encode() == letters


@pytest.mark.filterwarnings("ignore:a text of")
def test_5000_tokens_lose_no_word(short):
    text = " ".join([*SOURCES[:300], "no end, " * 500])
    parts = short.split(text)
    assert sum(lengths(short, [text])) > 5000
    assert max(lengths(short, parts)) <= 12
    assert " ".join(parts).split() == text.split()


def test_dropout_cuts_pairs_anew_and_they_say_the_same(preprocessor):
    rows = preprocessor.pairs(SOURCES, TARGETS)
    augment = preprocessor.dropout(0.2)
    one, other = (augment(*rows, np.random.default_rng(seed)) for seed in (1, 2))
    for sources, targets in (one, other):
        assert [preprocessor.source.decode(row) for row in sources] == SOURCES
        assert [preprocessor.decode(row) for row in targets] == TARGETS
        assert all(row[-1] == 3 and row[0] > 3 for row in sources)
        assert all(row[-1] == 3 and row[0] == 2 and row.dtype == np.int32 for row in targets)
    assert sum(map(len, one[1])) > 1.1 * sum(map(len, rows[1]))
    assert any(len(first) != len(second) for first, second in zip(one[0], other[0]))
    again = preprocessor.dropout(0.2)(*rows, np.random.default_rng(1))
    assert all((first == second).all() for first, second in zip(again[1], one[1]))


def test_dropout_makes_no_row_longer_than_max_length():
    short = made(max_length=20)
    with pytest.warns(UserWarning, match="left out"):
        rows = short.pairs(SOURCES, TARGETS)
    sources, targets = short.dropout(0.1)(*rows, np.random.default_rng(0))
    assert max(map(len, sources)) == 20 and max(map(len, targets)) == 21
    assert any(len(new) > len(old) for new, old in zip(sources, rows[0]))


def test_probes_are_two_sizes_of_every_input(preprocessor, short):
    for made_ in (preprocessor, short):
        probes = made_.probes()
        assert len(probes) == 2
        for name in ("source_ids", "target_ids"):
            one, other = (probe[name] for probe in probes)
            assert one.shape[0] != other.shape[0] and one.shape[1] != other.shape[1]
            assert one.dtype == np.int32 and (one[-1] == 0).any()
        assert all((probe["target_ids"][:, 0] == 2).all() for probe in probes)
    with pytest.raises(ZooValueError, match="at least 4 tokens"):
        made(max_length=3).probes()


def test_saving_and_loading_changes_nothing(preprocessor, tmp_path):
    preprocessor.save(tmp_path / "deep" / "folder")
    loaded = TranslationPreprocessor.load(tmp_path / "deep" / "folder")
    assert loaded.config == preprocessor.config and loaded.joint == preprocessor.joint
    for one, other in zip(loaded.pairs(SOURCES, TARGETS), preprocessor.pairs(SOURCES, TARGETS)):
        assert all((first == second).all() for first, second in zip(one, other))
    names = ["tokenizer.json"] if preprocessor.joint else ["source_tokenizer.json", "target_tokenizer.json"]
    assert sorted(os.listdir(tmp_path / "deep" / "folder")) == ["preprocessor.json", *names]
    assert all(name in preprocessor.usage for name in names)


def edited(change):
    def damage(folder):
        content = json.loads((folder / "preprocessor.json").read_text())
        change(content)
        (folder / "preprocessor.json").write_text(json.dumps(content))

    return damage


DAMAGE = {
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "no config": (lambda folder: (folder / "preprocessor.json").unlink(), "preprocessor.json is missing"),
    "cut tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{"), "tokenizer.json is damaged"),
    "bytes": (lambda folder: (folder / "tokenizer.json").write_bytes(b"\xff"), "tokenizer.json is damaged"),
    "format": (edited(lambda config: config.update(format=9)), "must have format 1, got 9"),
    "kind": (edited(lambda config: config.update(kind="bpe")), "of the kind 'translation', got 'bpe'"),
    "joint": (edited(lambda config: config.pop("joint")), "joint must be true or false"),
    "two": (edited(lambda config: config.update(joint=False)), "source_tokenizer.json is missing"),
    "key": (edited(lambda config: config.update(more=1)), "is damaged: .*more"),
    "value": (edited(lambda config: config.update(max_length="8")), "is damaged: max_length"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_folder_names_the_file(case, tmp_path):
    damage, message = DAMAGE[case]
    made().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ZooFileError, match=message):
        TranslationPreprocessor.load(tmp_path)


BAD_TEXTS = {
    "empty list": ([], ZooValueError, "texts must hold at least one string"),
    "number": (["book", 5], ZooTypeError, r"texts\[1\] must be a string, got int 5"),
    "none": (None, ZooTypeError, "texts must be strings in a list, got NoneType"),
    "not utf-8": (["book", "café".encode("latin-1")], ZooValueError, r"texts\[1\] must be UTF-8; byte 3 is 0xe9"),
    "surrogate": ("book \ud83d", ZooValueError, "character 5 is half a surrogate pair"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_bad_texts_are_one_clear_sentence(case, preprocessor):
    texts, kind, message = BAD_TEXTS[case]
    for use in (preprocessor, preprocessor.items, lambda texts: TranslationPreprocessor.train(texts, ["x"])):
        with pytest.raises(kind, match=message):
            use(texts)


@pytest.mark.parametrize("arguments", [{"max_length": 1}, {"max_length": 8.0}, {"vocabulary_size": 259}])
def test_bad_arguments_are_one_clear_sentence(arguments):
    with pytest.raises(ZooValueError, match="must be a whole number of at least"):
        TranslationPreprocessor.train(SOURCES, TARGETS, **arguments)


def test_bytes_that_are_utf8_are_texts(preprocessor):
    assert (preprocessor([b"the dog"])["source_ids"] == preprocessor("the dog")["source_ids"]).all()
    assert preprocessor.split(b"the dog") == ["the dog"]

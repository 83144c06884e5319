import json

import numpy as np
import pytest
from PIL import Image

from attention_zoo.audio import Sound
from attention_zoo.data import Split
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.multimodal import MODALITIES, as_rows, as_words

pytestmark = pytest.mark.once

TONE = (np.ones(400, np.float32) / 2, 16_000)
FACE = np.full((8, 8), 99, np.uint8)


def test_lists_become_rows_with_what_is_there():
    rows = as_rows({"audio": ["a.wav", None, ""], "text": ["hello", "bye", "so"], "conversation": ["x", None, "x"]})
    assert rows == [
        {"audio": "a.wav", "text": "hello", "conversation": "x"},
        {"text": "bye"},
        {"text": "so", "conversation": "x"},
    ]
    assert [row.name for row in rows] == ["row 0", "row 1", "row 2"]
    assert as_rows({"audio": ["a.wav"], "text": None}) == [{"audio": "a.wav"}]


def test_the_ways_to_give_rows_agree(tmp_path):
    (tmp_path / "rows.csv").write_text("text,image\nhello,\nbye,\n")
    wanted = [{"text": "hello"}, {"text": "bye"}]
    columns = {"text": ["hello", "bye"]}
    split = Split({**columns, "label": ["a", "b"], "speaker": ["x", "y"]})
    given = [columns, wanted, tuple(wanted), iter(wanted), split, tmp_path / "rows.csv", str(tmp_path / "rows.csv")]
    given += [
        ["hello", "bye"],
        {"text": np.array(["hello", "bye"])},
        {"text": ["hello", "bye"], "image": [None, np.nan]},
    ]
    for each in given:
        assert as_rows(each) == wanted
    assert as_rows(as_rows(columns)[1:])[0].name == "row 1"  # what errors call a row stays as it was given


class Column(list):
    """A list that answers as a column of pandas does."""

    to_list = list.copy


class Frame(dict):
    """A dict that answers as a data frame does: going through it gives the names of its columns."""

    columns = property(dict.keys)


def test_a_data_frame_is_read_by_its_columns_and_its_nan_is_missing():
    frame = Frame(text=Column(["a", float("nan")]), image=Column([None, "b.png"]), label=Column(["x", "y"]))
    assert as_rows(frame) == [{"text": "a"}, {"image": "b.png"}]
    nothing = np.array([np.nan, np.nan])
    assert as_rows({"text": ["a", "b"], "image": nothing, "audio": list(nothing)}) == [{"text": "a"}, {"text": "b"}]


def test_a_column_of_a_data_frame_is_a_list():
    assert as_rows({"text": Column(["a", float("nan")]), "image": Column([None, "b.png"])}) == [
        {"text": "a"},
        {"image": "b.png"},
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"audio": "a.wav", "text": "hello"},
        {"audio": TONE},
        {"audio": Sound(*TONE), "image": Image.fromarray(FACE)},
        {"image": np.zeros(35)},
        {"image": [0.1, 2, 0.0], "text": "x"},
        {"text": "hello", "image": None},
        {"audio": b"RIFF"},
    ],
)
def test_a_dict_without_lists_is_one_row(row):
    (found,) = as_rows(row)
    assert set(found) == {name for name, value in row.items() if value is not None}


def test_arrays_of_several_are_columns():
    assert len(as_rows({"image": np.zeros((3, 35))})) == 3
    rows = as_rows({"image": np.zeros((2, 8, 8), np.uint8), "text": ("a", "b")})
    assert rows[1]["image"].shape == (8, 8) and rows[1]["text"] == "b"
    assert len(as_rows({"audio": (TONE, TONE, None), "text": ["a"] * 3})) == 3


def test_what_a_string_is_is_told_by_its_end(tmp_path):
    told = as_rows(["a.wav", "FACE.PNG", "such a day", "who wrote a.png", '{"audio": "b.ogg", "text": "so"}'])
    assert told == [
        {"audio": "a.wav"}, {"image": "FACE.PNG"}, {"text": "such a day"}, {"text": "who wrote a.png"},
        {"audio": "b.ogg", "text": "so"},
    ]  # fmt: skip
    (tmp_path / "my voice.wav").write_bytes(b"")
    assert as_rows([str(tmp_path / "my voice.wav")]) == [{"audio": str(tmp_path / "my voice.wav")}]
    (tmp_path / "t.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    assert as_rows(["zero", str(tmp_path / "t.jsonl")]) == [{"text": "zero"}, {"text": "one"}, {"text": "two"}]


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"audio": ["a.wav"], "text": ["a", "b"]}, ZooValueError, "one entry for each row .*got 1 of audio, 2 of text"),
        ({"text": ["a", ""]}, ZooValueError, "row 1 must have an image, audio or text; all of them are missing"),
        ([{"text": "a"}, {"conversation": "x"}], ZooValueError, "row 1 must have an image"),
        ({"text": ["a"], "sound": ["b"]}, ZooValueError, "column 'sound' is unknown"),
        ([{"txt": "a"}], ZooValueError, "key of row 0 'txt' is unknown; the nearest names are 'text'"),
        ({"label": ["a"]}, ZooValueError, "at least one of image, audio, text, got label"),
        ({"audio": "a.wav", "text": ["a"]}, ZooTypeError, "audio must be a list with one entry for each row, got str"),
        ({"audio": 5, "text": ["a"]}, ZooTypeError, "audio must be a list .*got int"),
        ([], ZooValueError, "rows must be at least one"),
        ({"text": []}, ZooValueError, "rows must be at least one"),
        (Split({"sentence": ["a"]}), ZooValueError, "at least one of image, audio, text, got sentence"),
        ([5], ZooTypeError, "got a list with int 5"),
        (5, ZooTypeError, "rows must be a dict of lists.*got int"),
        (np.zeros((2, 3)), ZooTypeError, "rows must be .*got ndarray"),
        (b"a.wav", ZooTypeError, "rows must be .*got bytes"),
        (['{"text": '], ZooValueError, "must be JSON"),
        ("none.csv", ZooFileError, r"none\.csv does not exist"),
    ],
)
def test_what_cannot_be_rows_is_one_sentence(given, kind, sentence):
    with pytest.raises(kind, match=sentence):
        as_rows(given)


def test_rows_in_json_are_those_of_a_program():
    row = {"image": [0.5, 1.0], "text": "so", "conversation": 3}
    assert as_rows([json.dumps(row)]) == as_rows(row) == [row]
    with pytest.raises(ZooTypeError, match="got a list with int 5"):
        as_rows(["a", 5])


def test_words_of_a_command_line_are_one_for_each_row(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"image": [1, 2.5], "text": "ä"}\n{"text": "a.wav is a file", "image": null}\n')
    words = ["so glad", str(tmp_path / "t.jsonl"), "a.wav", '{"text": "x"}']
    told = as_words(words)
    assert told[0] == "so glad" and told[3:] == words[2:] and len(told) == 5
    rows = as_rows(words)
    assert [set(row) for row in rows] == [{"text"}, {"image", "text"}, {"text"}, {"audio"}, {"text"}]
    assert as_rows(told)[1] == {"image": [1.0, 2.5], "text": "ä"} and as_rows(told)[2:] == rows[2:]


def test_modalities_have_their_order():
    assert MODALITIES == ("image", "audio", "text")

import gzip
import json

import numpy as np
import pytest

from attention_zoo import data
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

pytestmark = pytest.mark.once


def table(folder, content, name="rows.csv"):
    (folder / "a.wav").write_bytes(b"x")
    (folder / "faces").mkdir(exist_ok=True)
    (folder / "faces" / "1.png").write_bytes(b"x")
    (folder / name).write_text(content)
    return folder / name


FULL = """image,audio,text,label,conversation,mood
faces/1.png,a.wav,so glad,happy,x,high
,a.wav,,sad,x,low
 , ,"well, no",sad,,low
"""


def test_cells_may_be_empty_and_paths_begin_at_the_table(tmp_path):
    found = data.read_multimodal(table(tmp_path, FULL))
    train = found["train"]
    assert found.labels == ("happy", "sad") and train.columns == ("image", "audio", "text", "conversation", "label")
    assert train["image"] == [str(tmp_path / "faces" / "1.png"), None, None]
    assert train["audio"] == [str(tmp_path / "a.wav")] * 2 + [None]
    assert train["text"] == ["so glad", None, "well, no"]
    assert train["conversation"] == ["x", "x", None] and train["label"] == ["happy", "sad", "sad"]


def test_columns_are_found_by_usual_names_or_named_and_tasks_come_along(tmp_path):
    usual = FULL.replace("image,audio,text,label", "Face,WAV,Utterance,Emotion", 1)
    found = data.read_multimodal(table(tmp_path, usual), tasks=["mood"])["train"]
    assert found.columns == ("image", "audio", "text", "conversation", "label", "mood")
    assert found["mood"] == ["high", "low", "low"]
    strange = FULL.replace("image,audio,text,label,conversation", "p,q,r,s,t", 1)
    named = data.read_multimodal(table(tmp_path, strange), image="p", audio="q", text="r", label="s")
    assert named["train"].columns == ("image", "audio", "text", "label")


def test_a_row_that_only_has_what_is_not_read_is_an_error(tmp_path):
    with pytest.raises(ZooValueError, match=r"rows\.csv line 3 must have an image, audio or text; its cells are all"):
        data.read_multimodal(table(tmp_path, FULL.replace("audio", "q", 1)))


def test_labels_may_be_left_out_of_rows_that_are_to_be_answered(tmp_path):
    path = table(tmp_path, "audio,text\na.wav,\n,hello\n")
    found = data.read_multimodal(path, labelled=False)
    assert found["train"].columns == ("audio", "text") and found.labels == ()
    with pytest.raises(ZooValueError, match="no column with a usual name for the label"):
        data.read_multimodal(path)


def test_vectors_stand_in_json_and_in_cells(tmp_path):
    rows = [{"image": [1, 2.5], "text": [[1, 2], [3, 4]], "label": "a"}, {"audio": "a.wav", "label": "b"}]
    path = table(tmp_path, "", "rows.jsonl.gz")
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    train = data.read_multimodal(path)["train"]
    np.testing.assert_array_equal(train["image"][0], np.array([1, 2.5], np.float32))
    assert train["text"][0].shape == (2, 2) and train["image"][1] is train["text"][1] is train["audio"][0] is None
    csv = table(tmp_path, 'image,text,label\n"[1, 2.5]",[sic] no,a\n,"[1, 2]",b\n')
    train = data.read_multimodal(csv)["train"]
    np.testing.assert_array_equal(train["image"][0], np.array([1, 2.5], np.float32))
    assert train["text"] == ["[sic] no", "[1, 2]"]


@pytest.mark.parametrize(
    ("content", "kind", "sentence"),
    [
        ("text,label\n,a\nx,b\n", ZooValueError, "line 2 must have an image, audio or text"),
        ("text,label\nx,\ny,b\n", ZooValueError, "line 2 has no label in column 'label'"),
        ("text,label\nx,a\ny,a\n", ZooValueError, "must hold at least two labels, got only 'a'"),
        ("audio,label\na.wav,a\nb.wav,b\n", ZooFileError, r"line 3: audio .*b\.wav does not exist"),
        ("image,label\nfaces,a\n", ZooFileError, "line 2: image .*faces does not exist"),
        ("body text,label\nx,a\n", ZooValueError, "must have a column image, audio or text; name one by"),
        ('image,label\n"[1, ]",a\n', ZooValueError, "line 2 column 'image' begins as a vector and is none"),
        ('image,label\n"[[1], [1, 2]]",a\n', ZooTypeError, "line 2 column 'image' must be one vector of numbers"),
        ('image,label\n[],a\n', ZooTypeError, "line 2 column 'image' must be one vector of numbers"),
        ("audio,text,label\na.wav,x\n", ZooValueError, "line 2 must have 3 fields as the header, got 2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path, content, kind, sentence):
    with pytest.raises(kind, match=sentence):
        data.read_multimodal(table(tmp_path, content))


def test_wrong_arguments_and_kinds_of_cells_are_named(tmp_path):
    path = table(tmp_path, FULL)
    with pytest.raises(ZooValueError, match="image column 'fotos' is not in"):
        data.read_multimodal(path, image="fotos")
    with pytest.raises(ZooValueError, match=r"audio and text must be two columns of .*, got 'text' for both"):
        data.read_multimodal(path, audio="text")
    with pytest.raises(ZooValueError, match="task column 'moods' is not in"):
        data.read_multimodal(path, tasks=["moods"])
    for row, sentence in (({"audio": 5}, "the path of a file with audio, or a vector"), ({"text": 5}, "a text or a")):
        path = table(tmp_path, json.dumps([{**row, "label": "a"}]), "rows.json")
        with pytest.raises(ZooTypeError, match=f"item 1 column .* must be {sentence}"):
            data.read_multimodal(path)

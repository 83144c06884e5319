import os
import re

import pytest

from attention_zoo import data
from attention_zoo.errors import ZooError, ZooFileError, ZooTypeError, ZooValueError

pytestmark = pytest.mark.once


@pytest.fixture
def put(tmp_path):
    def written(**files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return written


def sounds(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"RIFF")


TABLES = {
    "m.tsv": "id\tpath\ttext\n1\ta.wav\tthe dog\n2\tdeep/b.flac\t the   cat \n",
    "m.csv": 'audio,transcript\na.wav,"the dog"\ndeep/b.flac,the cat\n',
    "m.jsonl": '{"audio_filepath": "a.wav", "duration": 1.5, "text": "the dog"}\n'
    '{"audio_filepath": "deep/b.flac", "duration": 2, "text": "the cat"}\n',
    "m.json": '[{"file": "a.wav", "sentence": "the dog"}, {"file": "deep/b.flac", "sentence": "the cat"}]',
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_paths_and_texts_count_from_their_own_folder(name, tmp_path, monkeypatch):
    sounds(tmp_path, "a.wav", "deep/b.flac")
    (tmp_path / name).write_text(TABLES[name])
    monkeypatch.chdir("/")
    found = data.read_speech(tmp_path / name)
    assert found.fields == ("sound", "text") and found.raw == "sound" and found.labels == () and found.name == name
    assert found["train"]["sound"] == [str(tmp_path / "a.wav"), str(tmp_path / "deep/b.flac")]
    assert found["train"]["text"] == ["the dog", "the cat"]


def test_columns_may_be_named_and_paths_absolute(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    table = tmp_path / "sub" / "m.tsv"
    table.parent.mkdir()
    table.write_text(f"left\tright\tde\n{tmp_path}/a.wav\t../b.wav\tHund\n")
    assert data.read_speech(table, sound="left", text="de")["train"]["sound"] == [f"{tmp_path}/a.wav"]
    (found,) = data.read_speech(table, sound="right", text="de")["train"]["sound"]
    assert os.path.samefile(found, tmp_path / "b.wav")
    with pytest.raises(ZooValueError, match="no column with a usual name for the sound"):
        data.read_speech(table)
    with pytest.raises(ZooValueError, match="text column 'dee' is not in"):
        data.read_speech(table, sound="left", text="dee")


def test_rows_that_point_to_nothing_are_counted_and_named_and_the_others_go_on(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    rows = [f"{name}\tsaid\n" for name in ("1.wav", "a.wav", "2.wav", "3.wav", "4.wav", "", ".")]
    (tmp_path / "m.tsv").write_text("path\ttext\n" + "".join(rows) + "b.wav\t \n")
    with pytest.warns(UserWarning) as caught:
        found = data.read_speech(tmp_path / "m.tsv")
    lost, silent = (str(each.message) for each in caught)
    assert "left out of" in lost and "6 of 8 rows whose sound does not exist" in lost
    assert "1.wav, " in lost and "3.wav and 3 more" in lost and "4.wav" not in lost
    assert "1 of 8 rows without a transcript" in silent and silent.endswith("b.wav")
    assert {each.filename for each in caught} == {__file__}
    assert found["train"]["sound"] == [str(tmp_path / "a.wav")]


def test_a_folder_of_sounds_beside_their_texts(put):
    folder = put(
        a__txt="", **{"one.txt": "the dog\n", "in__two.txt": "the\ncat", "in__three.txt": "left alone", ".x.txt": ""}
    )
    sounds(folder, "one.wav", "in/two.FLAC", "in/four.ogg", ".hidden.wav", "in/.five/six.wav")
    with pytest.warns(UserWarning, match=r"1 of 3 rows without a transcript: .*in/four\.ogg$"):
        found = data.read_speech(folder)
    assert found["train"]["sound"] == [str(folder / "one.wav"), str(folder / "in" / "two.FLAC")]
    assert found["train"]["text"] == ["the dog", "the cat"]


def test_a_folder_like_librispeech(put):
    folder = put(**{"84__12__84-12.trans.txt": "84-12-0 GO ON\n84-12-1 STAY\n84-12-2 LOST\n../../up EVIL\n"})
    sounds(folder, "84/12/84-12-0.flac", "84/12/84-12-1.flac", "up.flac")
    with pytest.warns(UserWarning) as caught:
        found = data.read_speech(folder)
    assert sorted(found["train"]["text"]) == ["GO ON", "STAY"]
    told = " ".join(str(each.message) for each in caught)
    assert "84-12-2.flac" in told and "1 of 4 rows whose sound does not exist" in told and "up.flac" in told


def test_a_level_of_splits(put):
    folder = put(**{"train__a.txt": "one", "dev__b.txt": "two", "test__c.txt": "three"})
    sounds(folder, "train/a.wav", "dev/b.wav", "test/c.wav")
    found = data.read_speech(folder)
    assert {name: split["text"] for name, split in found.splits.items()} == {
        "train": ["one"], "val": ["two"], "test": ["three"],
    }  # fmt: skip
    rest, held = data.hold_out(data.Split({"sound": list("abcd"), "text": list("efgh")}), 0.25, seed=0)
    assert len(rest) == 3 and len(held) == 1
    sounds(folder, "valid/b.wav")
    with pytest.raises(ZooValueError, match="must hold one folder for each split, got dev, test, train, valid"):
        data.read_speech(folder)


BAD = {
    "empty": ("m.tsv", "", ZooValueError, "is empty; it must hold rows of the path of a sound and its text"),
    "all lost": (
        "m.tsv",
        "path\ttext\na.wav\tx\n",
        ZooValueError,
        r"1 rows whose sound does not exist \(the first: .*a",
    ),
    "other kind": ("m.xml", "<a/>", ZooValueError, r"must end in \.csv"),
    "number": ("m.jsonl", '{"path": 5, "text": "x"}', ZooTypeError, "line 1 column 'path' must be text, got 5"),
    "ragged": ("m.tsv", "path\ttext\na.wav\n", ZooValueError, "line 2 must have 2 fields"),
    "missing": (None, None, ZooFileError, "does not exist"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_manifests_are_one_clear_sentence(case, tmp_path):
    name, content, kind, message = BAD[case]
    if name:
        (tmp_path / name).write_text(content)
    with pytest.raises(kind, match=message):
        data.read_speech(tmp_path / (name or "m.tsv"))


def test_an_empty_folder_and_columns_of_a_folder(tmp_path):
    with pytest.raises(ZooValueError, match=re.escape(f"{tmp_path} must hold at least one sound with its transcript")):
        data.read_speech(tmp_path)
    with pytest.raises(ZooError, match="sound and text name columns of a table, got 'a' and None for a folder"):
        data.read_speech(tmp_path, sound="a")

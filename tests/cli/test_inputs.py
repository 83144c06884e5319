"""What a command line gives becomes inputs: arguments, lines of a file, columns of a table, whole rows."""

import json

import pytest

from attention_zoo.cli.inputs import one_input, read_inputs
from attention_zoo.errors import ZooValueError

pytestmark = pytest.mark.once


def table(folder, text="audio,text\na.wav,so glad\nb.wav,\n"):
    for name in ("a.wav", "b.wav"):
        (folder / name).write_bytes(b"RIFF")
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_gives_the_column_that_a_model_reads(tmp_path):
    assert read_inputs([], table(tmp_path, "text\nso glad\nso sad\n")) == ["so glad", "so sad"]


def test_a_table_of_rows_is_given_row_by_row_with_paths_beside_it(tmp_path):
    first, second = map(json.loads, read_inputs([], table(tmp_path), noun="row"))
    assert first == {"audio": str(tmp_path / "a.wav"), "text": "so glad"}
    assert second == {"audio": str(tmp_path / "b.wav")}


def test_a_file_of_rows_is_read_line_by_line(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text('{"text": "so glad"}\n\nso sad\n', encoding="utf-8")
    assert read_inputs([], path, noun="row") == ['{"text": "so glad"}', "so sad"]


def test_a_table_among_rows_stands_for_its_rows(tmp_path):
    given = read_inputs(["so sad", str(table(tmp_path))], None, noun="row")
    assert given[0] == "so sad" and len(given) == 3


def test_one_column_cannot_be_chosen_where_a_model_reads_several(tmp_path):
    with pytest.raises(ZooValueError, match="--column is for models that read one column"):
        read_inputs([], table(tmp_path), "text", noun="row")


def test_histories_are_read_from_words_lines_and_tables(tmp_path):
    assert read_inputs(["a b", '["a b", 3]', "a, b c"], None, noun="history") == [["a", "b"], ["a b", 3], ["a", "b c"]]
    path = tmp_path / "histories.txt"
    path.write_text("a b\n\nc\n", encoding="utf-8")
    assert read_inputs([], path, noun="history") == [["a", "b"], ["c"]]
    choices = table(tmp_path, "user,item,time\nann,x,1\nbob,y,2\nann,z,3\n")
    assert read_inputs([], choices, noun="history") == [["x", "z"], ["y"]]
    with pytest.raises(ZooValueError, match="name the columns user, item and time"):
        read_inputs([], choices, "item", noun="history")
    assert one_input("a b", "history") == ["a", "b"] and one_input("a b", "text") == "a b"

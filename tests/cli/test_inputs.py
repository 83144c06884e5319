"""What a command line gives becomes inputs: arguments, lines of a file, columns of a table, whole rows."""

import json

import pytest

from attention_zoo.cli.inputs import read_inputs
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

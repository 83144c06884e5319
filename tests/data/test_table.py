import gzip
import json

import pytest

from attention_zoo.data import read_table
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

pytestmark = pytest.mark.once


@pytest.fixture
def table(tmp_path):
    """Write a file and return its path."""

    def write(name, content):
        path = tmp_path / name
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


GOOD = {
    "a.csv": 'label,text\npos,"good, really"\nneg,bad\n',
    "semicolon.csv": "Text;Label\ngood, really;pos\nbad;neg\n",
    "windows.csv": '\ufeffText,Label\r\n"good, really",pos\r\n\r\nbad,neg\r\n',
    "a.tsv": "sentence\tsentiment\ngood, really\tpos\nbad\tneg\n",
    "spreadsheet.tsv": 'sentence\tsentiment\n"good, really"\tpos\nbad\tneg\n',
    "a.jsonl": '{"review": "good, really", "category": "pos"}\n\n{"review": "bad", "category": "neg"}\n',
    "a.json": '[{"utterance": "good, really", "intent": "pos"},\n {"utterance": "bad", "intent": "neg"}]',
    "lines.json": '{"comment": "good, really", "class": "pos"}\n{"comment": "bad", "class": "neg"}',
    "a.csv.gz": "label,text\npos,'good, really'\nneg,bad\n".replace("'", '"'),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_is_read_and_its_columns_are_found(table, name):
    dataset = read_table(table(name, GOOD[name]))
    assert dataset["train"]["text"] == ["good, really", "bad"]
    assert dataset["train"]["label"] == ["pos", "neg"]
    assert dataset.labels == ("neg", "pos")
    assert not dataset.multi_label


def test_columns_may_be_named(table):
    path = table("a.csv", "text,body,label,stars\nx,good,1,five\ny,bad,2,one\n")
    dataset = read_table(path, text="body", label="stars")
    assert dataset["train"]["text"] == ["good", "bad"]
    assert dataset.labels == ("five", "one")


def test_a_text_may_span_lines_and_be_long(table):
    long = "word " * 100_000
    dataset = read_table(table("a.csv", f'text,label\n"two\nlines",a\n"{long}",b\n'))
    assert dataset["train"]["text"] == ["two\nlines", long]


def test_quotes_in_tsv_are_letters(table):
    dataset = read_table(table("a.tsv", 'text\tlabel\n"so" he said\ta\n"open\tb\n"say ""hi"""\tb\n'))
    assert dataset["train"]["text"] == ['"so" he said', '"open', 'say "hi"']


def test_numbers_are_labels_in_their_order(table):
    dataset = read_table(table("a.jsonl", "\n".join(json.dumps({"text": "x", "stars": n}) for n in (10, 9, -1))))
    assert dataset.labels == ("-1", "9", "10")


def test_lists_in_json_are_several_labels(table):
    dataset = read_table(table("a.jsonl", '{"text": "x", "labels": ["a", "b"]}\n{"text": "y", "labels": []}\n'))
    assert dataset.multi_label
    assert dataset["train"]["label"] == [["a", "b"], []]


@pytest.mark.parametrize("separator", ["|", ";", ","])
def test_several_labels_are_seen_where_each_also_stands_alone(table, separator):
    dataset = read_table(table("a.tsv", f"text\tlabels\nx\ta{separator} b\ny\ta\nz\tb\n"))
    assert dataset.multi_label
    assert dataset["train"]["label"] == [["a", "b"], ["a"], ["b"]]


def test_a_comma_in_a_label_is_no_separator_unless_asked_for(table):
    path = table("a.tsv", "text\tlabel\nx\tParis, France\ny\tRome, Italy\n")
    assert read_table(path).labels == ("Paris, France", "Rome, Italy")
    assert read_table(path, multi_label=True)["train"]["label"][0] == ["Paris", "France"]
    assert read_table(path, separator=" ")["train"]["label"][0] == ["Paris,", "France"]


def test_one_label_a_cell_may_be_asked_for(table):
    dataset = read_table(table("a.tsv", "text\tlabel\nx\ta|b\ny\ta\nz\tb\n"), multi_label=False)
    assert dataset.labels == ("a", "a|b", "b")


BAD = {
    "empty": ("a.csv", "", "is empty"),
    "blank": ("a.csv", "\n \n", "is empty"),
    "header only": ("a.csv", "text,label\n", "has no rows"),
    "one class": (
        "a.csv",
        "text,label\nx,a\ny,a\n",
        "column 'label' of .* must hold at least two labels, got only 'a'",
    ),
    "no text column": ("a.csv", "foo,label\nx,a\n", "no column with a usual name for the text.*'foo', 'label'"),
    "no label column": ("a.csv", "text,foo\nx,a\n", "no column with a usual name for the label.*'text', 'foo'"),
    "missing text": ("a.csv", "text,label\nx,a\n ,b\n", "line 3 has no text in column 'text'"),
    "missing label": ("a.csv", "text,label\nx,a\ny,\n", "line 3 has no label in column 'label'"),
    "missing key": ("a.jsonl", '{"text": "x", "label": "a"}\n{"text": "x"}', "line 2 has no label"),
    "null": ("a.json", '[{"text": null, "label": "a"}]', "item 1 has no text"),
    "fields": ("a.csv", "text,label\nx,a\ny,b,c\n", "line 3 must have 2 fields as the header, got 3"),
    "twice": ("a.csv", "text,text\nx,a\n", "different name for each column"),
    "open quote": ("a.csv", 'text,label\nx,a\n"y,b\n', "is not CSV"),
    "not json": ("a.jsonl", '{"text": "x", "label": "a"}\n{"text": ', "line 2 is not JSON"),
    "no object": ("a.jsonl", '"x"\n', "line 1 must be an object"),
    "deep": ("a.json", "[" * 100_000, "is not JSON"),
    "latin-1": ("a.csv", "text,label\nx,a\ncafé,b\n".encode("latin-1"), "must be UTF-8; line 3 has byte 0xe9"),
    "ending": ("a.xlsx", "text,label\n", r"must end in \.csv, \.tsv, \.jsonl, \.json"),
    "no labels at all": ("a.jsonl", '{"text": "x", "labels": []}', "at least two labels, got none"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_one_clear_sentence(table, case):
    name, content, message = BAD[case]
    with pytest.raises(ZooValueError, match=message) as caught:
        read_table(table(name, content))
    assert "\n" not in str(caught.value)


def test_an_unknown_column_names_the_nearest_three(table):
    path = table("a.csv", "text,label,labels,date\nx,a,b,c\n")
    with pytest.raises(
        ZooValueError, match=r"label column 'lable' is not in .*nearest of its columns are 'label', 'labels'"
    ):
        read_table(path, label="lable")


@pytest.mark.parametrize("record", [{"text": 5, "label": "a"}, {"text": "x", "label": {"a": 1}}])
def test_values_of_another_kind_are_named(table, record):
    with pytest.raises(ZooTypeError, match="line 1 column"):
        read_table(table("a.jsonl", json.dumps(record)))


def test_lists_of_labels_contradict_one_label_a_cell(table):
    path = table("a.jsonl", '{"text": "x", "labels": "a"}\n{"text": "y", "labels": ["a", "b"]}\n')
    with pytest.raises(ZooValueError, match="line 2 has several labels"):
        read_table(path, multi_label=False)


def test_a_missing_file_a_folder_and_a_damaged_archive_are_errors(tmp_path):
    with pytest.raises(ZooFileError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ZooFileError, match="is no file"):
        read_table(tmp_path / "folder.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,label\n" * 99)[:-9])
    with pytest.raises(ZooFileError, match="is damaged"):
        read_table(tmp_path / "a.csv.gz")


@pytest.fixture
def pictures(tmp_path):
    """Put files that are called images beside the table; a table does not open them."""
    (tmp_path / "in").mkdir()
    for name in ("1.png", "2.png", "in/3.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_table_of_images_gives_paths_from_its_own_folder(table, pictures):
    dataset = read_table(table("a.csv", f"filename,label\n 1.png,cat\nin/3.png,dog\n{pictures / '2.png'},cat\n"))
    assert dataset["train"]["image"] == [str(pictures / name) for name in ("1.png", "in/3.png", "2.png")]
    assert dataset["train"]["label"] == ["cat", "dog", "cat"]
    assert dataset.raw == "image" and dataset.fields == ("image", "label")


def test_a_table_with_both_is_of_texts_unless_images_are_asked_for(table, pictures):
    path = table(
        "a.jsonl", '{"file": "1.png", "title": "x", "y": ["a", "b"]}\n{"file": "2.png", "title": "z", "y": []}'
    )
    assert read_table(path)["train"]["text"] == ["x", "z"]
    for asked in ({"kind": "image"}, {"image": "file"}):
        dataset = read_table(path, **asked)
        assert dataset["train"]["image"][1] == str(pictures / "2.png")
        assert dataset.multi_label and dataset["train"]["label"] == [["a", "b"], []]


BAD_IMAGES = {
    "missing": ("file,label\n1.png,a\nnone.png,b\n", {}, ZooFileError, r"line 3: image .*none\.png does not exist"),
    "blank": ("file,label\n1.png,a\n ,b\n", {}, ZooValueError, "line 3 has no image in column 'file'"),
    "no column": (
        "foo,label\n1.png,a\n",
        {"kind": "image"},
        ZooValueError,
        "no column with a usual name for the image",
    ),
    "unknown": ("file,label\n1.png,a\n", {"image": "fle"}, ZooValueError, "image column 'fle' is not in"),
    "both": ("file,text,label\n1.png,a,b\n", {"image": "file", "text": "text"}, ZooValueError, "of texts or of images"),
    "kind": ("file,label\n1.png,a\n", {"kind": "images"}, ZooValueError, "kind must be 'text', 'image' or None"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_table_of_images_says_what_is_wrong(table, pictures, case):
    content, arguments, error, message = BAD_IMAGES[case]
    with pytest.raises(error, match=message):
        read_table(table("a.csv", content), **arguments)


def test_an_image_must_be_a_path(table, pictures):
    with pytest.raises(ZooTypeError, match="line 1 column 'file' must be the path of an image, got 3"):
        read_table(table("a.jsonl", '{"file": 3, "label": "a"}'))

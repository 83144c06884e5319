"""A table of who chose what and when becomes histories; what is wrong in it is told or refused by its line."""

import json
import warnings

import pytest

from attention_zoo import data
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

pytestmark = pytest.mark.once

ROWS = """user,item,time
ann,B1,1
ann,007,2
ann,B3,3
ann,B1,4
bob,B3,1
bob,B2,9
"""


def write(folder, text=ROWS, name="choices.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return data.read_interactions(path, **options)


def test_histories_are_in_order_and_ids_as_written(tmp_path):
    dataset = read(write(tmp_path))
    assert list(dataset.splits) == ["train", "val", "test", "items"]
    assert dataset["train"]["user"] == ["ann", "bob"]
    assert list(dataset["train"]["history"]) == [["B1", "007"], ["B3", "B2"]]
    assert dataset["test"]["user"] == ["ann"] and dataset["test"]["target"] == ["B1"]
    assert dataset["test"]["history"][0] == ["B1", "007", "B3"] and dataset["test"]["time"][0] == [1, 2, 3]
    assert dataset["items"]["item"] == ["B1", "007", "B3", "B2"] and dataset.name == "choices.csv"


def test_rows_out_of_order_are_sorted_and_told(tmp_path):
    path = write(tmp_path, "user,item,time\nann,a,3\nbob,x,1\nann,b,1\nann,c,3\n")
    with pytest.warns(UserWarning, match=r"rows of 1 of 2 users of .*choices\.csv are not in order of time; they were"):
        dataset = data.read_interactions(path, split="none")
    assert list(dataset["train"]["history"]) == [["b", "a", "c"], ["x"]]


def test_rows_that_are_there_twice_are_left_out_and_told(tmp_path):
    path = write(tmp_path, ROWS + "ann,B1,1\nann,B1,1.0\nbob,B2,10\n")
    with pytest.warns(UserWarning) as told:
        dataset = data.read_interactions(path, split="none")
    assert "2 of 9 rows" in str(told[0].message) and "there twice" in str(told[0].message) and len(told) == 1
    assert list(dataset["train"]["history"]) == [["B1", "007", "B3", "B1"], ["B3", "B2", "B2"]]


def test_without_times_rows_are_in_order_and_it_is_told(tmp_path):
    path = write(tmp_path, "user,item\nann,b\nann,a\nann,b\n")
    with pytest.warns(UserWarning, match="has no column of times"):
        dataset = data.read_interactions(path, split="none")
    assert list(dataset["train"]["history"]) == [["b", "a", "b"]] and dataset["train"].columns == ("user", "history")


def test_times_are_numbers_or_dates(tmp_path):
    text = "user,item,date\na,x,2024-03-01\na,y,2024-03-01T00:00:01+00:00\na,z,2024-03-01 01:00:02+01:00\n"
    times = read(write(tmp_path, text), split="none")["train"]["time"][0]
    assert times == [1709251200, 1709251201, 1709251202]


def test_ratings_may_choose_rows(tmp_path):
    path = write(tmp_path, "user,item,time,rating\na,x,1,5\na,y,2,2\na,z,3,4\n")
    dataset = read(path, split="none")
    assert dataset["train"]["rating"][0] == [5, 2, 4]
    assert read(path, split="none", least_rating=4)["train"]["history"][0] == ["x", "z"]
    with pytest.raises(ZooValueError, match="least_rating wants a column of ratings"):
        read(write(tmp_path, name="plain.csv"), least_rating=4)
    with pytest.raises(ZooValueError, match="at least one row that counts, got none"):
        read(path, least_rating=6)


def test_features_of_items_come_from_columns_and_from_a_table(tmp_path):
    path = write(tmp_path, "user,item,time,brand\na,x,1,Acme\na,y,2,\nb,x,3,Bolt\n")
    other = write(tmp_path, "item,price\nx,5\nnew,7\n", "items.csv")
    items = read(path, features=["brand"], items=other, split="none")["items"]
    assert items["item"] == ["x", "y", "new"] and items["brand"] == ["Bolt", None, None]
    assert items["price"] == ["5", None, "7"]
    with pytest.raises(ZooValueError, match="feature column 'brnad' is not in"):
        read(path, features=["brnad"])


def test_ids_of_json_keep_their_kind(tmp_path):
    rows = [{"user": 1, "item": one, "time": n} for n, one in enumerate([3, "3", 10**12])]
    dataset = read(write(tmp_path, "\n".join(map(json.dumps, rows)), "choices.jsonl"), split="none")
    assert dataset["train"]["history"][0] == [3, "3", 10**12] and dataset["train"]["user"] == [1]


@pytest.mark.parametrize(
    ("text", "name", "error", "words"),
    [
        ("user,item,time\na,1.0,1\na,2,2\n", "a.csv", ZooTypeError, r"a\.csv line 2: item must be .*decimal '1\.0'"),
        ("user,item,time\n3.0,x,1\n", "a.csv", ZooTypeError, "line 2: user must be .*without decimals"),
        ('{"user": "a", "item": 1.5, "time": 1}', "a.jsonl", ZooTypeError, "line 1: item must be .*float"),
        ("user,item,time\na,,1\n", "a.csv", ZooValueError, "line 2 has no item in column 'item'"),
        ("user,item,time\na,x,soon\n", "a.csv", ZooValueError, "line 2 column 'time' must be a time"),
        ("user,item,time\na,x,\n", "a.csv", ZooValueError, "line 2 column 'time' must be"),
        ("user,item,time,rating\na,x,1,good\n", "a.csv", ZooValueError, "line 2 column 'rating' must be a number"),
        ("user,thing,time\na,x,1\n", "a.csv", ZooValueError, "no column with a usual name for the item"),
        ("user,item,time\n", "a.csv", ZooValueError, "no rows below its header"),
        ("user,item,time\na,x,1\na,y,2\n", "a.csv", ZooValueError, "wants a user with at least 3 items"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, text, name, error, words):
    with pytest.raises(error, match=words):
        read(write(tmp_path, text, name))


def test_an_id_that_only_looks_like_a_decimal_is_an_id(tmp_path):
    text = "user,item,time\na,v1.0,1\na,2.5,2\na,x,3\n"
    assert read(write(tmp_path, text), split="none")["train"]["history"][0] == ["v1.0", "2.5", "x"]


def test_options_that_cannot_work_are_refused(tmp_path):
    path = write(tmp_path)
    with pytest.raises(ZooValueError, match="split 'tme' is unknown; the nearest names are 'time'"):
        read(path, split="tme")
    with pytest.raises(ZooValueError, match="must be different columns"):
        read(path, user="item")
    with pytest.raises(ZooFileError, match="does not exist"):
        read(tmp_path / "none.csv")
    with pytest.raises(ZooValueError, match="split 'time' wants a column of times"):
        read(write(tmp_path, "user,item\na,x\n", "b.csv"), split="time")


def test_a_table_is_split_by_time(tmp_path):
    rows = "".join(f"u{n % 4},i{n % 7},{n}\n" for n in range(40))
    splits = read(write(tmp_path, "user,item,time\n" + rows), split="time")
    assert max(splits["train"]["time"].flat()) < 32 and len(splits["val"]) == len(splits["test"]) == 4
    assert splits["test"]["target"] == [f"i{n % 7}" for n in (36, 37, 38, 39)]

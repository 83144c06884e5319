import gzip
import re

import pytest

from attention_zoo import data
from attention_zoo.data import multi30k, store
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError

pytestmark = pytest.mark.once


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return tmp_path / name

    return written


def test_line_i_of_one_file_is_line_i_of_the_other(write):
    found = data.read_parallel(write("a.en", "the dog\nthe cat \n"), str(write("a.de", " der Hund\ndie Katze")))
    assert found.fields == ("source", "target") and found.labels == () and found.name == "a.en and a.de"
    assert found["train"]["source"] == ["the dog", "the cat "]
    assert found["train"]["target"] == [" der Hund", "die Katze"]


ENDS = {
    "windows": b"one\r\ntwo\r\n",
    "mixed": b"one\ntwo\r\n",
    "old": b"one\rtwo\r",
    "none at the end": b"one\ntwo",
    "byte order mark": b"\xef\xbb\xbfone\ntwo\n",
}


@pytest.mark.parametrize("case", ENDS)
def test_whatever_ends_a_line(case, write):
    found = data.read_parallel(write("a.en.gz", ENDS[case]), write("a.de", "eins\nzwei\n"))
    assert found["train"]["source"] == ["one", "two"]


def test_what_is_no_line_end_does_not_end_a_line(write):
    text = "one\u2028still\x0bone\x85\x00\nan\remoji 😂\n家 مرحبا\n" + "x" * 10_000 + "\n"
    found = data.read_parallel(write("a", text), write("b", "1\n2\n3\n4\n"))
    assert found["train"]["source"] == text.split("\n")[:-1]


def test_files_of_unequal_length_name_both_numbers(write):
    one, other = write("a.en", "a\nb\nc\n"), write("a.de", "a\nb\n")
    with pytest.raises(ZooValueError, match=re.escape(f"got 3 in {one} and 2 in {other}")):
        data.read_parallel(one, other)


def test_pairs_with_a_blank_side_are_left_out_and_counted(write):
    with pytest.warns(UserWarning, match=r"left out of a.en and a.de: 3 of 4 pairs have a blank side") as caught:
        found = data.read_parallel(write("a.en", "a\n\n \nd\n"), write("a.de", "1\n2\n\n \n"))
    assert caught[0].filename == __file__
    assert found["train"]["target"] == ["1"]
    with pytest.raises(ZooValueError, match="at least one pair of sentences, got 2 with a blank side"):
        data.read_parallel(write("b.en", "a\n\n"), write("b.de", "\nb\n"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", 'source\tid\ttarget\nthe "dog"\t1\tder "Hund"\n'),
        ("a.csv.gz", 'id,Target,SOURCE\n1,"der ""Hund""","the ""dog"""\n'),
        ("a.jsonl", '{"source": "the \\"dog\\"", "target": "der \\"Hund\\"", "more": null}\n'),
        ("a.json", '[{"src": "the \\"dog\\"", "translation": "der \\"Hund\\""}]'),
    ],
)
def test_tables_of_two_usual_columns(name, content, write):
    found = data.read_parallel(write(name, content))
    assert (found["train"]["source"], found["train"]["target"]) == (['the "dog"'], ['der "Hund"'])


def test_columns_may_be_named(write):
    table = write("a.tsv", "en\tde\nthe dog\tder Hund\n")
    assert data.read_parallel(table, source="de", target="en")["train"]["source"] == ["der Hund"]
    with pytest.raises(ZooValueError, match=r"no column with a usual name for the source; .* of: 'en', 'de'"):
        data.read_parallel(table)
    with pytest.raises(ZooValueError, match="target column 'fr' is not in"):
        data.read_parallel(table, source="en", target="fr")
    with pytest.raises(ZooValueError, match="must be two columns"):
        data.read_parallel(table, source="en", target="en")


BAD = {
    "empty file": (("a.en", ""), ("a.de", "x\n"), ZooValueError, "a.en is empty; it must hold a sentence on each line"),
    "only blanks": (("a.en", "x\n"), ("a.de", " \n\n"), ZooValueError, "a.de is empty"),
    "utf-16": (("a.en", "x\ny\n".encode("utf-16")), ("a.de", "x\n"), ZooValueError, "must be UTF-8; line 1 has byte"),
    "damaged": (("a.en", "x\n"), ("a.gz", None), ZooFileError, "is damaged or cannot be read"),
    "table": (("a.tsv", "source\ttarget\n"), ("a.de", "x\n"), ZooValueError, "is a table by its name: give it alone"),
    "one alone": (("a.en", "x\n"), None, ZooValueError, "must come with target_path"),
    "empty table": (("a.csv", ""), None, ZooValueError, "must hold rows of a sentence and its translation"),
    "number": (("a.jsonl", '{"source": "x", "target": 5}'), None, ZooTypeError, "line 1 column 'target' must be a sen"),
    "missing": (("a.en", "x\n"), "none.de", ZooFileError, "none.de does not exist"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_one_clear_sentence(case, write, tmp_path):
    source, target, kind, message = BAD[case]
    source = write(*source)
    if isinstance(target, str):
        target = tmp_path / target
    elif target is not None:
        target = write(*target) if target[1] is not None else tmp_path / target[0]
        target.write_bytes(target.read_bytes() if target.exists() else b"\x1f\x8bno")
    with pytest.raises(kind, match=message):
        data.read_parallel(source, target)


def test_names_of_columns_are_of_tables_alone(write):
    with pytest.raises(ZooValueError, match="source and target name columns of a table"):
        data.read_parallel(write("a", "x\n"), write("b", "y\n"), source="en")


def test_rows_without_labels_are_held_out_and_fingerprinted(write):
    lines = "".join(f"{number}\n" for number in range(100))
    found = data.read_parallel(write("a", lines), write("b", lines))
    rest, held = data.hold_out(found["train"], 0.1, seed=1)
    assert len(held) == 10 and held["source"] == held["target"]
    assert sorted(rest["source"] + held["source"]) == sorted(found["train"]["source"])
    assert data.hold_out(found["train"], 0.1, seed=2)[1]["source"] != held["source"]
    assert [len(held) for _, held in data.k_folds(found["train"], 3)] == [34, 33, 33]


def test_the_fingerprint_of_parallel_texts_is_over_all_columns():
    def of(**columns):
        return data.Dataset("d", {"train": data.Split(columns)}).sha256

    prints = [of(en=["a"], de=["b"]), of(en=["a"], de=["c"]), of(en=["a"], fr=["b"]), of(de=["b"], en=["a"])]
    prints += [of(en=["a", "b"], de=["", ""]), of(en=["a"]), of(en=["a"], de=["b"], fr=["c"])]
    assert len(set(prints)) == 7
    assert of(en=["a"], de=["b"]) == prints[0]


def published(folder, lines=3):
    for stem in multi30k.FILES.values():
        for language in multi30k.LANGUAGES:
            text = "".join(f"{stem} {language} {line}  x \n" for line in range(lines))
            (folder / f"{stem}.{language}.gz").write_bytes(gzip.compress(text.encode()))


def test_multi30k_is_kept_as_published_and_read_side_by_side(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    published(tmp_path / "in")
    form, out = multi30k.SET.form, tmp_path / "out"
    assert form.missing(out) == "train.en.txt.gz"
    form.write(out, {path.name: path for path in (tmp_path / "in").iterdir()})
    assert form.missing(out) is None
    assert {remote.name for remote in multi30k.SET.remote} == {path.name for path in (tmp_path / "in").iterdir()}
    splits = form.read(out)
    assert list(splits) == ["train", "val", "test"]
    assert splits["test"]["fr"] == [f"test_2016_flickr fr {line}  x " for line in range(3)]
    (out / "val.de.txt.gz").write_bytes(gzip.compress(b"one\n"))
    with pytest.raises(ZooFileError, match=r"val\.\* .* as many lines as each other, got {'en': 3, 'de': 1, 'fr': 3}"):
        form.read(out)
    (out / "val.de.txt.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(ZooFileError, match=r"val\.de\.txt\.gz is damaged"):
        form.read(out)
    (out / "val.de.txt.gz").write_bytes(gzip.compress(b"\xff\n"))
    with pytest.raises(ZooFileError, match="must be UTF-8"):
        form.read(out)


def test_a_changed_multi30k_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "own" / "multi30k"
    folder.mkdir(parents=True)
    published(tmp_path)
    multi30k.SET.form.write(folder, {path.name: path for path in tmp_path.glob("*.gz")})
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path / "own"))
    assert store.find(multi30k.SET) == folder
    with pytest.raises(ZooFileError, match="sha256 of its texts must be"):
        data.load("multi30k")
    with pytest.raises(ZooValueError, match="no sample of multi30k is bundled"):
        data.load("multi30k", sample=True)
    assert not multi30k.SET.permissive and "research" in multi30k.SET.licence


def test_synthetic_pairs_are_different_repeatable_and_called_synthetic():
    one, other = data.synthetic_pairs(3000), data.synthetic_pairs(3000)
    assert one.sha256 == other.sha256 != data.synthetic_pairs(3000, seed=1).sha256
    assert {name: len(split) for name, split in one.splits.items()} == {"train": 2400, "val": 300, "test": 300}
    sources = [text for split in one.splits.values() for text in split["source"]]
    assert len(set(sources)) == 3000
    assert "synthetic" in one.name and "synthetic" in one.source and one.permissive
    assert one.fields == ("source", "target")
    for count in (19, 20_001, 30.0):
        with pytest.raises(ZooValueError, match="count must be"):
            data.synthetic_pairs(count)


def test_synthetic_german_agrees_and_orders_its_words():
    pairs = data.synthetic_pairs(6000)["train"]
    found = dict(zip(pairs["source"], pairs["target"]))
    german = " ".join(found.values())
    for wrong in ("Das Mann ", "die Auto ", "einen Lampe ", "ein Lampe ", "eine Hut ", "müdee"):
        assert wrong not in german
    after_mit_den = re.findall(r"mit den (?:\w+en )?([A-ZÄÖÜ]\w+)", german)
    assert len(after_mit_den) > 10 and all(noun[-1] in "ns" for noun in after_mit_den)
    assert re.search(r"\bEin \w+er Mann\b", german) and re.search(r"\beinen \w+en Hut\b", german)
    assert re.search(r"\bein \w+es Auto\b", german) and re.search(r"mit einer \w+en Lampe", german)
    assert re.search(r"mit \w+ \w+en Hüten\b", german)
    assert re.search(r"mit dem (\w+en )?Hut\b", german) and not re.search(r"mit der (\w+ )?(Hut|Ball|Auto)\b", german)
    assert re.search(r"mit der (\w+en )?Lampe\b", german) and not re.search(r"mit de[mn] (\w+ )?Lampe\b", german)
    for english, translated in found.items():
        assert english.endswith("?") == translated.endswith("?")
        if english.startswith("Today "):  # the verb stands second
            assert re.match(r"Heute [a-zäöüß]+ ", translated)
        if modal := re.search(r" (kann|können|muss|müssen|soll|sollen) ", translated):
            assert re.search(r" \w+(en|n)\.$", translated), modal
    assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", " ".join(found))

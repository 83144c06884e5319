import dataclasses
import gzip
import hashlib
import io
import os
import tarfile

import pytest

from attention_zoo import data
from attention_zoo.data import clinc150, goemotions, imdb, packed, registry, reuters_r8, sst2, store
from attention_zoo.data.real_set import RealSet, RemoteFile
from attention_zoo.errors import ZooFileError, ZooValueError

pytestmark = pytest.mark.once

PUBLISHED = b"good\tfine  film\nbad\tdull film\n"


def rows_of(files):
    lines = files["published.txt"].read_text().splitlines()
    return {"train": [tuple(line.split("\t")) for line in lines]}


@pytest.fixture
def toy(site, monkeypatch):
    """A set that is published on this machine, registered under the name "toy"."""
    site.files["/published.txt"] = PUBLISHED
    remote = RemoteFile("published.txt", f"{site.address}/published.txt", hashlib.sha256(PUBLISHED).hexdigest())
    known = data.Dataset(
        "toy", {"train": data.Split({"text": ["fine  film", "dull film"], "label": ["good", "bad"]})}, ()
    )
    real_set = RealSet(
        name="toy", form=packed.Tables({"train": "train"}, ("label", "text"), rows_of), remote=(remote,),
        sha256=known.sha256, licence="CC0", permissive=True, source=site.address, citation="nobody",
    )  # fmt: skip
    monkeypatch.setitem(registry.REAL_SETS, "toy", real_set)
    return real_set


def test_a_set_is_downloaded_once_and_read_from_the_cache_after(toy, site):
    first, second = data.load("toy"), data.load("toy")
    assert first["train"]["text"] == second["train"]["text"] == ["fine  film", "dull film"]
    assert first.labels == ("bad", "good")
    assert (first.licence, first.permissive, first.sample) == ("CC0", True, False)
    assert len(site.requests) == 1


def test_the_published_files_are_not_kept(toy):
    data.load("toy")
    found = [name for _, _, names in os.walk(store.cache_folder()) for name in names]
    assert found == ["train.tsv.gz"]


def test_the_users_folder_comes_first(toy, site, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path))
    (tmp_path / "toy").mkdir()
    packed.write(tmp_path / "toy" / "train.tsv.gz", toy.form.columns, [("good", "fine  film"), ("bad", "dull film")])
    assert len(data.load("toy")["train"]) == 2
    assert site.requests == []


def test_a_users_folder_without_the_set_is_passed_over(toy, site, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path))
    data.load("toy")
    assert len(site.requests) == 1


def test_a_users_folder_that_is_none_is_an_error(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path / "none"))
    with pytest.raises(ZooFileError, match="ATTENTION_ZOO_DATA must be an existing folder"):
        data.load("toy")


def test_a_users_folder_with_a_part_of_the_set_names_what_is_missing(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path))
    (tmp_path / "toy").mkdir()
    with pytest.raises(ZooFileError, match=r"train\.tsv\.gz .* is missing"):
        data.load("toy")


def test_changed_texts_are_noticed(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_DATA", str(tmp_path))
    (tmp_path / "toy").mkdir()
    packed.write(tmp_path / "toy" / "train.tsv.gz", toy.form.columns, [("good", "fine film"), ("bad", "dull film")])
    with pytest.raises(ZooFileError, match=f"must be {toy.sha256}, got"):
        data.load("toy")


def test_a_cut_file_is_noticed(toy):
    folder = store.find(toy)
    content = (folder / "train.tsv.gz").read_bytes()
    (folder / "train.tsv.gz").write_bytes(content[:-12])
    with pytest.raises(ZooFileError, match=r"train\.tsv\.gz is damaged"):
        data.load("toy")


def test_a_row_with_a_field_too_many_is_noticed(toy):
    folder = store.find(toy)
    (folder / "train.tsv.gz").write_bytes(gzip.compress(b"label\ttext\ngood\tfine\tfilm\n"))
    with pytest.raises(ZooFileError, match="line 2 must have 2 fields, got 3"):
        data.load("toy")


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_offline_never_asks_the_network(toy, site, monkeypatch, value):
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", value)
    with pytest.raises(ZooFileError, match="toy is not on this machine and ATTENTION_ZOO_OFFLINE forbids"):
        data.load("toy")
    assert site.requests == []


def test_offline_reads_what_is_cached(toy, site, monkeypatch):
    data.load("toy")
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    assert len(data.load("toy")["train"]) == 2


def test_offline_must_be_on_or_off(toy, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "maybe")
    with pytest.raises(ZooValueError, match="ATTENTION_ZOO_OFFLINE must be 1 or 0, got 'maybe'"):
        data.load("toy")


def test_a_wrong_checksum_leaves_no_set_behind(toy, site):
    site.files["/published.txt"] = b"something else"
    with pytest.raises(ZooFileError, match="must have sha256"):
        data.load("toy")
    assert not (store.cache_folder() / "toy").exists()


def test_a_conversion_that_fails_leaves_no_set_behind(toy, monkeypatch):
    def broken(files):
        return {"train": [("good", "fine film"), None]}

    monkeypatch.setitem(
        registry.REAL_SETS, "toy", dataclasses.replace(toy, form=dataclasses.replace(toy.form, convert=broken))
    )
    with pytest.raises(TypeError):
        data.load("toy")
    assert sorted(os.listdir(store.cache_folder())) == ["downloads"]


def test_a_cache_that_cannot_be_written_is_one_sentence(toy, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr("attention_zoo.data.store.cache_folder", lambda: tmp_path / "file" / "inside")
    with pytest.raises(ZooFileError, match="cannot be written"):
        data.load("toy")


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(ZooValueError, match="data set 'clinc' is unknown; the nearest names are 'clinc150'"):
        data.load("clinc")


def test_a_set_without_a_sample_names_those_that_have_one():
    with pytest.raises(
        ZooValueError, match="sample=True works for clinc150, goemotions, fashion_mnist, an4, fsdd; no sample of imdb"
    ):
        data.load("imdb", sample=True)


def test_every_published_file_is_https_with_a_sum():
    assert data.names("text") == ["clinc150", "goemotions", "imdb", "sst2", "reuters_r8"]
    assert data.names("image") == ["fashion_mnist", "cifar10", "cifar10_webp"]
    assert data.names("pair") == ["multi30k"]
    assert data.names("sound") == ["an4", "fsdd"]
    assert data.names("row") == ["ravdess", "cmu_mosi_features"]
    assert data.names("history") == ["amazon_beauty"]
    kinds = ("text", "image", "pair", "sound", "row", "history")
    assert data.names() == [name for raw in kinds for name in data.names(raw)]
    for name, real_set in registry.REAL_SETS.items():
        assert real_set.remote or name in ("cifar10_webp", "ravdess", "cmu_mosi_features")
        for remote in real_set.remote:
            assert remote.url.startswith("https://")
        sums = [*(remote.sha256 for remote in real_set.remote), *getattr(real_set.form, "sums", {}).values()]
        assert all(len(bytes.fromhex(each)) == 32 for each in sums)
        assert real_set.sha256 is not None or real_set.form.sums
        known = (real_set.sha256,) if isinstance(real_set.sha256, str) else real_set.sha256 or ()
        assert all(len(bytes.fromhex(each)) == 32 for each in known)


def test_the_known_sums_of_the_published_sets_stay_as_they_are():
    sums = {name: real_set.sha256 or "none" for name, real_set in registry.REAL_SETS.items()}
    known = {name: found[:8] if isinstance(found, str) else [one[:8] for one in found] for name, found in sums.items()}
    assert known == {
        "clinc150": "8c80b69d",
        "goemotions": "8651fc63",
        "imdb": "3314ec26",
        "sst2": "80ee7121",
        "reuters_r8": "868f82d4",
        "fashion_mnist": "88d94b05",
        "cifar10": "none",
        "cifar10_webp": "70cedc83",
        "multi30k": "685d7730",
        "an4": ["4179a202", "a0b56d9b"],
        "fsdd": "b0723b6a",
        "ravdess": "none",
        "cmu_mosi_features": "none",
        "amazon_beauty": "none",
    }


def test_the_sum_of_texts_is_what_it_was():
    split = data.Split({"text": ["a b", "ä"], "label": ["x", "y"]})
    tagged = data.Split({"text": ["c"], "label": [["x", "y"]]})
    written = "train\na b\x1fä\nx\x1fy\ntest\nc\nx\x1ey\n"
    dataset = data.Dataset("d", {"train": split, "test": tagged}, ())
    assert dataset.sha256 == hashlib.sha256(written.encode()).hexdigest()


def test_a_set_that_nobody_publishes_says_where_to_put_it(toy, monkeypatch):
    monkeypatch.setitem(registry.REAL_SETS, "toy", dataclasses.replace(toy, remote=()))
    with pytest.raises(ZooFileError, match=r"toy cannot be downloaded: put it into .* ATTENTION_ZOO_DATA"):
        data.load("toy")


def test_clinc150_is_read_as_published(tmp_path):
    splits = ", ".join(f'"{name}": [["some {name}", "oos"]]' for name in clinc150.FILES)
    (tmp_path / "data_full.json").write_text("{" + splits + "}")
    rows = clinc150.convert({"data_full.json": tmp_path / "data_full.json"})
    assert rows["oos_val"] == [("oos", "some oos_val")]


def test_goemotions_is_read_as_published(tmp_path):
    files = {}
    for stem in ("train", "dev", "test"):
        files[f"{stem}.tsv"] = tmp_path / stem
        files[f"{stem}.tsv"].write_text('He said "so" \t1,4\tabc\n', encoding="utf-8")
    rows = goemotions.convert(files)["dev"]
    assert rows == [("1,4", "abc", 'He said "so"')]
    columns = goemotions.arrange({"labels": ["1,4"], "id": ["abc"], "text": ["x"]})
    assert columns["label"] == [["amusement", "approval"]]


def test_sst2_is_read_as_published_and_lost_accents_come_back(tmp_path):
    files = {}
    for stem in ("train", "dev", "test"):
        files[f"stsa.binary.{stem}"] = tmp_path / stem
        files[f"stsa.binary.{stem}"].write_text("1 a crème brûlée .\n", encoding="utf-8")
    assert sst2.convert(files)["train"] == [("1", "a crème brûlée .")]
    columns = sst2.arrange({"label": ["0", "1"], "text": ["a crÃ¨me brÃ»lÃ©e .", "a crème brûlée — yes"]})
    assert columns == {"text": ["a crème brûlée .", "a crème brûlée — yes"], "label": ["negative", "positive"]}


def test_reuters_r8_is_read_as_published(tmp_path):
    files = {name: tmp_path / name for name in ("train.txt", "test.txt")}
    for path in files.values():
        path.write_text("earn\tprofit rose reuter \n")
    assert reuters_r8.convert(files)["test"] == [("earn", "profit rose reuter")]


def test_imdb_is_read_in_order_and_nothing_leaves_the_archive(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with tarfile.open(folder / imdb.ARCHIVE, "w:gz") as archive:
        for name, content in {
            "aclImdb/train/pos/2_9.txt": "Fine<br />film\n",
            "aclImdb/train/neg/10_2.txt": "dull  ",
            "aclImdb/train/neg/9_1.txt": "bad",
            "aclImdb/train/unsup/0_0.txt": "unlabelled",
            "../../evil.txt": "evil",
            "/tmp/aclImdb/train/neg/1_1.txt": "evil",
            "aclImdb/test/neg/../../../../evil_1.txt": "evil",
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
        link = tarfile.TarInfo("aclImdb/train/neg/5_5.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    rows = imdb.convert({imdb.ARCHIVE: folder / imdb.ARCHIVE})
    assert rows["train"] == [("neg", "9", "1", "bad"), ("neg", "10", "2", "dull"), ("pos", "2", "9", "Fine<br />film")]
    assert rows["test"] == []
    assert sorted(os.listdir(tmp_path)) == ["in"]
    assert os.listdir(folder) == [imdb.ARCHIVE]


def test_packed_files_are_the_same_bytes_each_time(tmp_path):
    rows = [("a", "ä text"), ("b", "more")]
    for name in ("first", "second"):
        packed.write(tmp_path / f"{name}.tsv.gz", ("label", "text"), rows)
    content = (tmp_path / "first.tsv.gz").read_bytes()
    assert content == (tmp_path / "second.tsv.gz").read_bytes()
    assert content[4:8] == bytes(4)  # gzip's time of writing
    assert packed.read(tmp_path / "first.tsv.gz") == {"label": ["a", "b"], "text": ["ä text", "more"]}


@pytest.mark.parametrize(("name", "intents"), [("clinc150", 15), ("goemotions", 28)])
def test_the_bundled_samples_are_small_and_have_every_label(name, intents, monkeypatch):
    monkeypatch.setenv("ATTENTION_ZOO_OFFLINE", "1")
    sample = data.load(name, sample=True)
    assert sample.sample and sample.permissive
    assert len(sample.labels) == intents
    for split in ("train", "val", "test"):
        given = sample[split]["label"]
        assert {each for cell in given for each in (cell if sample.multi_label else [cell])} == set(sample.labels)
    folder = registry.SAMPLES / name
    assert sum(path.stat().st_size for path in folder.glob("*.gz")) < 80_000
    readme = (folder / "README.md").read_text()
    assert all(word in readme for word in ("Source", "Authors", "Licence", "Changes", "make.py"))

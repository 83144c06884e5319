import os

import pytest

from attention_zoo.data import hold_out, read_image_folder
from attention_zoo.errors import ZooFileError, ZooValueError

pytestmark = pytest.mark.once


@pytest.fixture
def folder(tmp_path):
    """Make files below a folder "animals"; what ends in "/" is a folder."""

    def make(*names):
        root = tmp_path / "animals"
        root.mkdir(exist_ok=True)
        for name in names:
            path = root / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_bytes(b"")
        return root

    return make


def test_each_folder_is_a_label_and_paths_come_sorted(folder):
    root = folder("dog/2.PNG", "dog/10.jpg", "dog/more/1.webp", "cat/b.jpeg", "cat/a.gif")
    dataset = read_image_folder(root)
    names = ("cat/a.gif", "cat/b.jpeg", "dog/10.jpg", "dog/2.PNG", "dog/more/1.webp")
    assert dataset["train"]["image"] == [str(root / name) for name in names]
    assert dataset["train"]["label"] == ["cat", "cat", "dog", "dog", "dog"]
    assert (dataset.name, dataset.labels, dataset.raw, list(dataset.splits)) == (
        "animals", ("cat", "dog"), "image", ["train"],
    )  # fmt: skip
    assert len(dataset.sha256) == 64
    assert len(hold_out(dataset["train"], 0.4)[1]) == 2


def test_a_level_of_splits_is_found_train_first(folder):
    root = folder("test/cat/1.png", "validation/dog/1.png", "Train/cat/2.png", "Train/dog/3.png")
    dataset = read_image_folder(str(root))
    assert list(dataset.splits) == ["train", "val", "test"]
    assert dataset["train"]["label"] == ["cat", "dog"] and dataset["val"]["label"] == ["dog"]
    assert dataset["test"]["image"] == [str(root / "test/cat/1.png")]


def test_a_label_may_be_called_train(folder):
    dataset = read_image_folder(folder("train/1.png", "bus/1.png"))
    assert dataset.labels == ("bus", "train") and list(dataset.splits) == ["train"]


def test_what_is_hidden_is_passed_over_in_silence(folder, recwarn):
    root = folder(".git/config", "cat/1.png", "cat/.DS_Store", "cat/.2.png", "dog/1.png", "dog/Thumbs.db", ".x.png")
    assert len(read_image_folder(root)["train"]) == 2
    assert not recwarn.list


def test_other_files_are_left_out_with_a_warning(folder):
    root = folder("cat/1.png", "cat/notes.txt", "dog/1.png", "readme.md")
    with pytest.warns(UserWarning, match=r"left out, being no image .*readme\.md and 1 more"):
        assert len(read_image_folder(root)["train"]) == 2


def test_a_link_that_leads_back_up_is_not_followed(folder):
    root = folder("cat/1.png", "dog/1.png")
    os.symlink(root, root / "cat" / "up", target_is_directory=True)
    assert len(read_image_folder(root)["train"]) == 2


BAD = {
    "empty": ((), "must hold a folder of images for each label, got 0 files and no folder"),
    "images only": (("1.png", "2.png"), "must hold a folder of images for each label, got 2 files and no folder"),
    "one label": (("cat/1.png",), "must hold folders of at least two labels, got cat"),
    "empty label": (("cat/1.png", "dog/"), r"dog holds no image; images end in \.avif"),
    "no images": (("cat/1.png", "dog/notes.txt"), "dog holds no image"),
    "a split empty": (("train/cat/1.png", "train/dog/1.png", "test/cat/"), "cat holds no image"),
    "splits and labels": (("train/cat/1.png", "train/dog/1.png", "bird/1.png"), "got train beside bird"),
    "two of one split": (("val/a/1.png", "val/b/1.png", "dev/a/1.png"), "one folder for val, got dev and val"),
    "new label": (("train/a/1.png", "train/b/1.png", "test/c/1.png"), r"label 'c' of .*test is not one of .*train"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_folder_says_what_is_wrong(folder, case):
    names, message = BAD[case]
    with pytest.raises(ZooValueError, match=message):
        read_image_folder(folder(*names))


def test_a_folder_that_is_none_is_an_error(folder):
    with pytest.raises(ZooFileError, match="none does not exist"):
        read_image_folder(folder() / "none")
    with pytest.raises(ZooFileError, match=r"1\.png is a file; read a table with read_table"):
        read_image_folder(folder("1.png") / "1.png")

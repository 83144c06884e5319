"""The card: what is written comes back, and every damage is named."""

import json

import pytest

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.files import read_json, write_json
from attention_zoo.presets.card import Card, inside

pytestmark = pytest.mark.once


@pytest.fixture
def preset(tmp_path):
    folder = tmp_path / "toy"
    (folder / "preprocessor").mkdir(parents=True)
    (folder / "config.json").write_text('{"family": "toy"}')
    (folder / "weights.npz").write_bytes(b"weights")
    (folder / "preprocessor" / "tokenizer.json").write_text("{}")
    Card(name="toy", family="toy", licence="CC BY 3.0", permissive=True, seed=3, metrics={"accuracy": 0.9}).write(
        folder
    )
    return folder


def change(folder, **fields):
    values = {**json.loads((folder / "card.json").read_text()), **fields}
    (folder / "card.json").write_text(json.dumps(values))


def test_a_written_card_reads_back_with_size_and_sums(preset):
    card = Card.from_folder(preset)
    card.verify(preset)
    assert str(card) == "toy"
    assert card.metrics == {"accuracy": 0.9}
    assert card.bytes == len('{"family": "toy"}') + len("weights") + len("{}")
    assert sorted(card.files) == ["config.json", "preprocessor/tokenizer.json", "weights.npz"]


def test_writing_again_gives_the_same_bytes(preset):
    before = (preset / "card.json").read_bytes()
    Card.from_folder(preset).write(preset)
    assert (preset / "card.json").read_bytes() == before


@pytest.mark.parametrize("name", ["config.json", "weights.npz", "preprocessor/tokenizer.json"])
@pytest.mark.parametrize("damage", ["removed", "changed", "emptied"])
def test_each_damaged_file_is_named_in_one_sentence(preset, name, damage):
    path = preset / name
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "emptied" else path.read_bytes()[:-1] + b"?")
    with pytest.raises(ZooFileError, match="damaged") as caught:
        Card.from_folder(preset).verify(preset)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"nonsense"])
def test_a_damaged_card_is_named(preset, content):
    (preset / "card.json").write_bytes(content)
    with pytest.raises(ZooFileError, match=r"card\.json is damaged"):
        Card.from_folder(preset)


def test_a_missing_card_is_named(preset):
    (preset / "card.json").unlink()
    with pytest.raises(ZooFileError, match=r"card\.json is missing"):
        Card.from_folder(preset)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "C:\\x", "c:x", "a\\..\\b", ""])
def test_a_card_that_points_outside_is_refused(preset, name):
    change(preset, files={**Card.from_folder(preset).files, name: "0" * 64})
    with pytest.raises(ZooFileError, match="leaves the preset's folder"):
        Card.from_folder(preset).verify(preset)


@pytest.mark.parametrize("name", ["config.json", "weights.npz"])
def test_a_card_that_does_not_list_what_every_preset_has_is_refused(preset, name):
    files = dict(Card.from_folder(preset).files)
    del files[name]
    change(preset, files=files)
    with pytest.raises(ZooFileError, match=f"does not list {name}"):
        Card.from_folder(preset).verify(preset)


def test_an_unknown_field_is_refused_with_the_nearest_name(preset):
    change(preset, license="MIT")
    with pytest.raises(ZooValueError, match="'licence'"):
        Card.from_folder(preset)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", 3), ("trained", "yes"), ("seed", "3"), ("metrics", []), ("files", {"config.json": 1}), ("bytes", None)],
)
def test_a_field_of_the_wrong_kind_is_refused(preset, field, value):
    change(preset, **{field: value})
    with pytest.raises(ZooFileError, match=f"field '{field}' must be"):
        Card.from_folder(preset)


@pytest.mark.parametrize("field", ["name", "family"])
def test_a_missing_field_is_named(preset, field):
    values = json.loads((preset / "card.json").read_text())
    del values[field]
    (preset / "card.json").write_text(json.dumps(values))
    with pytest.raises(ZooFileError, match=f"field '{field}' is missing"):
        Card.from_folder(preset)


def test_a_card_is_not_written_for_half_a_preset(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ZooFileError, match=r"weights\.npz is missing"):
        Card(name="half", family="toy").write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_paths_inside_keep_their_place(tmp_path):
    assert inside(tmp_path, "preprocessor/tokenizer.json") == tmp_path / "preprocessor" / "tokenizer.json"


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, {"text": "größer"})
    with pytest.raises(TypeError):
        write_json(path, {"text": object()})
    assert read_json(path) == {"text": "größer"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["values.json"]
    with pytest.raises(ZooFileError, match="cannot be written"):
        write_json(tmp_path / "missing" / "values.json", {})

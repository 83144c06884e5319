"""Weights on disk: the same names, order and numbers, or a clear error."""

import numpy as np
import pytest

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.presets.weights import load_weights, save_weights

pytestmark = pytest.mark.once


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return [
        ("block/query/kernel", random.normal(size=(3, 4)).astype("float32")),
        ("names", np.float32(2.5)),
        ("block/query/kernel", random.normal(size=5)),
        ("counts", np.arange(3)),
    ]


def test_names_order_and_numbers_come_back(tmp_path, arrays):
    save_weights(tmp_path / "weights.npz", arrays)
    back = load_weights(tmp_path / "weights.npz")
    assert [name for name, _ in back] == [name for name, _ in arrays]
    for (_, got), (_, wanted) in zip(back, arrays):
        np.testing.assert_array_equal(got, np.asarray(wanted, dtype=got.dtype))
    assert [array.dtype.name for _, array in back] == ["float32", "float32", "float32", "int64"]
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_half_precision_comes_back_as_float32_and_takes_half_the_room(tmp_path):
    arrays = [("kernel", np.random.default_rng(0).normal(size=20_000).astype("float32"))]
    save_weights(tmp_path / "whole.npz", arrays)
    save_weights(tmp_path / "half.npz", arrays, half=True)
    ((_, back),) = load_weights(tmp_path / "half.npz")
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, arrays[0][1], rtol=1e-3, atol=1e-6)
    assert (tmp_path / "half.npz").stat().st_size < 0.6 * (tmp_path / "whole.npz").stat().st_size


def test_the_same_weights_give_the_same_bytes(tmp_path, arrays):
    save_weights(tmp_path / "one.npz", arrays)
    save_weights(tmp_path / "two.npz", arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_every_cut_and_every_changed_byte_is_refused(tmp_path, arrays):
    save_weights(tmp_path / "weights.npz", arrays)
    whole = (tmp_path / "weights.npz").read_bytes()
    wanted = load_weights(tmp_path / "weights.npz")
    path = tmp_path / "damaged.npz"
    for end in range(0, len(whole), 37):
        path.write_bytes(whole[:end])
        with pytest.raises(ZooFileError, match="damaged"):
            load_weights(path)
    for place in range(0, len(whole), 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            got = load_weights(path)
        except ZooFileError:
            continue
        # Some bytes of a zip file mean nothing (times, attributes): then nothing may have changed.
        for (name, array), (wanted_name, wanted_array) in zip(got, wanted, strict=True):
            assert name == wanted_name
            np.testing.assert_array_equal(array, wanted_array)


def test_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "weights.npz"
    np.savez(path, **{"names": np.array(["a"]), "0": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ZooFileError, match="damaged"):
        load_weights(path)


def test_other_files_are_refused(tmp_path):
    np.save(tmp_path / "bare.npy", np.zeros(3))
    np.savez(tmp_path / "foreign.npz", kernel=np.zeros(3))
    for name in ("bare.npy", "foreign.npz"):
        with pytest.raises(ZooFileError, match="damaged"):
            load_weights(tmp_path / name)
    with pytest.raises(ZooFileError, match="missing"):
        load_weights(tmp_path / "nowhere.npz")


@pytest.mark.parametrize(
    ("array", "half", "wanted"),
    [
        (np.array([np.nan]), False, "finite"),
        (np.array([7e4]), True, "65504"),
        (np.array(["text"]), False, "real numbers"),
        (np.array([1j]), False, "real numbers"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_old_file_stays(tmp_path, arrays, array, half, wanted):
    path = tmp_path / "weights.npz"
    save_weights(path, arrays)
    before = path.read_bytes()
    with pytest.raises(ZooValueError, match=f"'bad' must be .*{wanted}"):
        save_weights(path, [*arrays, ("bad", array)], half=half)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.npz"]


def test_a_folder_that_is_not_there_is_named(tmp_path, arrays):
    with pytest.raises(ZooFileError, match="cannot be written"):
        save_weights(tmp_path / "missing" / "weights.npz", arrays)

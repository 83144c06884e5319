"""A baseline holds what was measured, comes back from each kind of file, and tells how far profiles drifted."""

import json
import math

import faulty_heads
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from attention_zoo.errors import ZooFileError, ZooValueError
from attention_zoo.watch import BINS, MIX, Baseline

pytestmark = pytest.mark.once

FIRST = MIX.index("profile_0")


@pytest.fixture(scope="module")
def statistics():
    found = faulty_heads.normal(50, seed=1)
    found["encoder_0"][:, 1, 0] = np.nan
    found["encoder_0"][:20, 2, 0] = np.nan
    return found


@pytest.fixture(scope="module")
def baseline(statistics):
    return Baseline.of(statistics, data="synthetic", seed=1)


def test_each_number_is_that_of_numpy(statistics, baseline):
    rows = {(row["site"], row["head"], row["statistic"]): row for row in baseline.rows()}
    assert len(rows) == 2 * 4 * len(MIX) + 4
    values = statistics["encoder_1"][:, 3, 2].astype(np.float64)
    row = rows["encoder_1", 3, "top5"]
    wanted = {"count": 50, "mean": values.mean(), "std": values.std(), "variance": values.var()}
    wanted |= {"median": np.median(values), "q05": np.quantile(values, 0.05), "q99": np.quantile(values, 0.99)}
    wanted["spread"] = 1.4826 * np.median(np.abs(values - np.median(values)))
    for name, value in wanted.items():
        assert row[name] == pytest.approx(value, rel=1e-9), name


def test_where_a_statistic_is_not_defined_the_count_says_so(statistics, baseline):
    rows = {(row["site"], row["head"], row["statistic"]): row for row in baseline.rows()}
    never, sometimes = rows["encoder_0", 1, "entropy"], rows["encoder_0", 2, "entropy"]
    assert never["count"] == 0 and math.isnan(never["mean"]) and math.isnan(never["q01"])
    assert sometimes["count"] == 30
    assert sometimes["mean"] == pytest.approx(statistics["encoder_0"][20:, 2, 0].astype(np.float64).mean())


@pytest.mark.parametrize("name", ["baseline.json", "baseline.parquet"])
def test_a_file_gives_it_back(baseline, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    again = Baseline.load(baseline.save(tmp_path / name))
    assert again.columns == baseline.columns and again.about == {"data": "synthetic", "seed": 1}
    for measure, values in baseline.measures.items():
        np.testing.assert_array_equal(again.measures[measure], values)


def test_json_holds_no_nan_that_other_readers_refuse(baseline, tmp_path):
    text = baseline.save(tmp_path / "baseline.json").read_text()

    def refuse(name):
        raise AssertionError(name)

    assert json.loads(text, parse_constant=refuse)["format"] == 1


def test_parquet_is_a_table_that_other_programs_read(baseline, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(baseline.save(tmp_path / "baseline.parquet"))
    assert table.num_rows == len(baseline.columns)
    assert table.column_names[:4] == ["site", "head", "statistic", "count"]


@pytest.mark.parametrize("name", ["baseline.json", "baseline.parquet"])
def test_damage_is_told(baseline, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    with pytest.raises(ZooFileError, match="missing"):
        Baseline.load(path)
    content = baseline.save(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ZooFileError, match="damaged"):
        Baseline.load(path)
    if name.endswith("json"):
        told = json.loads(content)
        for change in ({"measures": {}}, {"sites": 3}, {"sites": told["sites"][:1]}, {"format": 2}):
            path.write_text(json.dumps({**told, **change}))
            with pytest.raises(ZooFileError):
                Baseline.load(path)


def test_other_endings_are_refused(baseline, tmp_path):
    with pytest.raises(ZooValueError, match=r"must end in \.json or \.parquet"):
        baseline.save(tmp_path / "baseline.csv")
    with pytest.raises(ZooValueError, match="at least one example"):
        Baseline.of({"gate": np.zeros((0, 1, 4))})


def test_drift_is_the_distance_of_mean_profiles(statistics, baseline):
    other = faulty_heads.normal(30, seed=2)
    found = baseline.drift(other)
    assert set(found) == {"encoder_0", "encoder_1"}
    for site, heads in found.items():
        for head, value in enumerate(heads):
            profiles = [one[site][:, head, FIRST : FIRST + BINS].astype(np.float64) for one in (other, statistics)]
            assert value == pytest.approx(jensenshannon(*(one.mean(axis=0) for one in profiles), base=2), abs=1e-9)


def test_drift_is_0_for_the_same_1_for_nothing_in_common_and_nan_for_no_weight(statistics, baseline):
    assert max(max(heads) for heads in baseline.drift(statistics).values()) < 1e-6
    left, right = np.zeros((2, 5, 1, len(MIX)), np.float32)
    left[..., FIRST], right[..., FIRST + 7] = 1.0, 1.0
    assert Baseline.of({"one": left}).drift({"one": right}) == {"one": [1.0]}
    assert math.isnan(Baseline.of({"one": left}).drift({"one": np.zeros_like(left)})["one"][0])

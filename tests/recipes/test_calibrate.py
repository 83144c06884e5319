"""The recipe that calibrates, as a user runs it."""

import importlib.util
import json
from pathlib import Path

import attention_zoo as az
from attention_zoo import watch

RECIPE = Path(__file__).parents[2] / "recipes" / "calibrate.py"


def test_a_run_leaves_what_is_normal_what_was_found_and_a_model(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("calibrate_recipe", RECIPE)
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    recipe.main(small=True, output=tmp_path / "run", method="robust_z")
    told = json.loads((tmp_path / "run" / "findings.json").read_text())["judged"]
    assert told[1]["findings"][0]["kind"] == "uniform" and told[1]["findings"][0]["head"] == 3
    assert json.loads((tmp_path / "run" / "calibration.json").read_text())["rules"] == ["temperature", "head_gate"]
    assert watch.AttentionDetector.load(tmp_path / "run" / "detector.npz").sites == ("pooling",)
    assert watch.Baseline.load(tmp_path / "run" / "baseline.json").rows()
    assert az.load(tmp_path / "run" / "model").predict(["book me a flight"])[0].label
    assert "parameters" in capsys.readouterr().out

"""CLINC150: 150 intents of an assistant's users, and queries that are none of them."""

import json
from collections.abc import Mapping
from pathlib import Path

from attention_zoo.data.packed import Tables
from attention_zoo.data.real_set import RealSet, github

FILES = ("train", "val", "test", "oos_train", "oos_val", "oos_test")


def convert(files: Mapping[str, Path]) -> dict[str, list[tuple[str, str]]]:
    """Return (label, text) rows of each split of `data_full.json`."""
    content = json.loads(files["data_full.json"].read_text(encoding="utf-8"))
    return {name: [(label, text) for text, label in content[name]] for name in FILES}


SET = RealSet(
    name="clinc150",
    form=Tables(files={name: name for name in FILES}, columns=("label", "text"), convert=convert),
    remote=(
        github(
            "clinc/oos-eval",
            "828f8093932c8fe6ca7936c3d2e52903b1c523de",
            "data/data_full.json",
            "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
        ),
    ),
    sha256="8c80b69df367e8b9b4d03e29adbfdd2cc177154aaee7c49c6f1fd52594668f40",
    licence="CC BY 3.0",
    permissive=True,
    source="https://github.com/clinc/oos-eval",
    citation="Larson et al. 2019, An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction, "
    "EMNLP-IJCNLP",
)

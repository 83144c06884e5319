"""A bundle of a recommender answers histories of the user's own ids without Keras."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from attention_zoo import runtime
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.recsys import HistoryPreprocessor
from attention_zoo.runtime.__main__ import main

pytestmark = pytest.mark.once

IDS = [f"item-{number}" for number in range(1, 8)]
ROWS = [IDS[:3], IDS[2:5], ["item-3"]]
WIDTH = 4
TABLE = np.random.default_rng(0).normal(size=(len(IDS) + 1, WIDTH)).astype(np.float32)
BIASES = np.random.default_rng(1).normal(size=len(IDS) + 1).astype(np.float32)


def model(nodes, inputs, outputs, path):
    """Write a graph: inputs are int32, outputs float32, each with its shape by name."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    constants = [
        numpy_helper.from_array(TABLE, "table"),
        numpy_helper.from_array(TABLE.T.copy(), "turned"),
        numpy_helper.from_array(BIASES, "biases"),
        numpy_helper.from_array(np.array([1]), "one"),
        numpy_helper.from_array(np.array([2]), "two"),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, *names, **options) for kind, names, options in nodes],
        "test",
        [helper.make_tensor_value_info(name, TensorProto.INT32, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, str(path))


# The vector of a user is the sum of those of his items, padding's too.
VECTOR = [("Gather", (["table", "items"], ["rows"]), {}), ("ReduceSum", (["rows", "one"], ["vector"]), {"keepdims": 0})]
STEPS = {"items": ["batch", "steps"]}


def write_user(folder, *, vectors):
    more = (
        []
        if vectors
        else [("MatMul", (["vector", "turned"], ["met"]), {}), ("Add", (["met", "biases"], ["logits"]), {})]
    )
    outputs = {"vector": ["batch", WIDTH]} if vectors else {"logits": ["batch", len(IDS) + 1]}
    model([*VECTOR, *more], STEPS, outputs, folder / "user.onnx")


def write_item(folder):
    nodes = [("Gather", (["table", "item"], ["vector"]), {}), ("Gather", (["biases", "item"], ["bias"]), {})]
    model(nodes, {"item": ["batch"]}, {"vector": ["batch", WIDTH], "bias": ["batch"]}, folder / "item.onnx")


def write_scorer(folder):
    """Write what scores as the user's graph does, the other way round."""
    nodes = [
        *VECTOR,
        ("Gather", (["table", "candidates"], ["met"]), {}),
        ("Unsqueeze", (["vector", "one"], ["user"]), {}),
        ("Mul", (["met", "user"], ["products"]), {}),
        ("ReduceSum", (["products", "two"], ["sums"]), {"keepdims": 0}),
        ("Gather", (["biases", "candidates"], ["bias"]), {}),
        ("Add", (["sums", "bias"], ["found"]), {}),
        ("Neg", (["found"], ["scores"]), {}),
    ]
    candidates = {"candidates": ["batch", "candidates"]}
    model(nodes, {**STEPS, **candidates}, {"scores": ["batch", "candidates"]}, folder / "scorer.onnx")


def write_bundle(folder, form):
    folder.mkdir()
    if form in ("logits", "vectors", "alone", "both"):
        write_user(folder, vectors=form in ("vectors", "alone"))
    if form in ("vectors", "item"):
        write_item(folder)
    if form == "both":
        write_scorer(folder)
    HistoryPreprocessor.learn(ROWS, length=3, catalogue=IDS).save(folder / "preprocessor")
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = [path.stem for path in sorted(folder.glob("*.onnx"))]
    description = {
        "format": 1,
        "family": "recommender",
        "candidates": 3 if form == "both" else 0,
        "graphs": {name: {"onnx": f"{name}.onnx"} for name in names},
        "files": {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths},
    }
    (folder / "bundle.json").write_text(json.dumps(description))
    return folder


@pytest.fixture(scope="module", params=["logits", "vectors"])
def bundle(request, tmp_path_factory):
    pytest.importorskip("onnxruntime")
    return write_bundle(tmp_path_factory.mktemp("bundle") / request.param, request.param)


@pytest.fixture(scope="module")
def runner(bundle):
    return runtime.load(bundle)


def wanted(history, k, excluded):
    """Rank all items in NumPy."""
    numbers = [IDS.index(one) + 1 for one in history if one in IDS][-3:]
    numbers = [0] * (3 - len(numbers)) + numbers
    scores = TABLE @ TABLE[numbers].sum(axis=0) + BIASES
    left = [number for number in range(1, len(IDS) + 1) if IDS[number - 1] not in excluded]
    best = sorted(left, key=lambda number: -scores[number])[:k]
    return [IDS[number - 1] for number in best], scores[best]


def test_ids_go_in_and_ids_come_out(runner):
    histories = [["item-1", "item-6"], ["item-5", "new", "item-2", "item-7", "item-1"], ["item-4"]]
    found = runner.recommend(histories, k=3)
    for one, history in zip(found, histories):
        ids, scores = wanted(history, 3, history)
        assert list(one.items) == ids and not one.cold
        np.testing.assert_allclose([each.score for each in one.suggestions], scores, rtol=1e-5)
    assert [one.unknown for one in found] == [0, 1, 0]
    single = runner.recommend(histories, k=3, batch_size=1)
    assert [one.items for one in found] == [one.items for one in single]


def test_what_is_seen_or_not_allowed_is_left_out_or_not(runner):
    history = ["item-1", "item-6"]
    ids, _ = wanted(history, 7, [])
    assert list(runner.recommend(history, k=7, exclude_seen=False)[0].items) == ids
    allowed = ["item-6", "item-2", "item-5"]
    kept = [one for one in ids if one in ("item-2", "item-5")]
    assert list(runner.recommend(history, k=5, allowed=allowed)[0].items) == kept


def test_cold_users_get_what_is_popular(runner):
    found = runner.recommend([[], ["new", "newer"]], k=2)
    assert [one.cold for one in found] == [True, True] and [one.unknown for one in found] == [0, 2]
    assert [one.items for one in found] == [("item-3", "item-1")] * 2


def test_what_cannot_work_is_refused(runner):
    with pytest.raises(ZooValueError, match="k must be at most the 7 items of the catalogue, got 8"):
        runner.recommend([["item-1"]], k=8)
    with pytest.raises(ZooTypeError, match=r"history\[0\]\[0\] must be the id of an item.*float"):
        runner.recommend([[1.0]], k=2)
    with pytest.raises(ZooValueError, match="at least one, got none"):
        runner.recommend([], k=2)


def test_a_history_of_100_000_items_is_answered(runner):
    history = ["item-7", "item-1"] * 50_000
    assert list(runner.recommend(history, k=2)[0].items) == wanted(history, 2, ["item-7", "item-1"])[0]


def test_similar_items_want_their_vectors(bundle, runner):
    if bundle.name != "vectors":
        with pytest.raises(ZooValueError, match="no vectors of items"):
            runner.similar_items("item-1")
        return
    directions = TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True)
    likeness = directions @ directions[1]
    best = sorted(range(2, 8), key=lambda number: -likeness[number])[:2]
    assert [each.item for each in runner.similar_items("item-1", 2)] == [IDS[number - 1] for number in best]


def test_the_command_line_prints_a_line_for_each_history(bundle, runner, capsys):
    assert main([str(bundle), "item-1 item-6", '["item-5"]', "--k", "2"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["history"] == ["item-1", "item-6"] and second["history"] == ["item-5"]
    assert [one["item"] for one in first["recommended"]] == wanted(first["history"], 2, first["history"])[0]
    assert [one["rank"] for one in second["recommended"]] == [1, 2] and second["cold"] is False
    assert main([str(bundle), "item-1", "--beam", "2"]) == 2
    assert "--beam is no option of the family 'recommender'" in capsys.readouterr().err


def test_a_bundle_that_lacks_a_graph_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(ZooFileError, match="lacks the ONNX graph 'user'"):
        runtime.load(write_bundle(tmp_path / "item", "item"))
    with pytest.raises(ZooFileError, match="lacks the ONNX graph 'item', which vectors of users want"):
        runtime.load(write_bundle(tmp_path / "alone", "alone"))


def test_a_scorer_orders_the_best_of_the_user_s_graph(tmp_path):
    pytest.importorskip("onnxruntime")
    runner = runtime.load(write_bundle(tmp_path / "both", "both"))
    history = ["item-1", "item-6"]
    ids, scores = wanted(history, 5, history)
    (found,) = runner.recommend(history, k=2)
    assert list(found.items) == ids[2:0:-1]  # the last of three candidates is the first now
    np.testing.assert_allclose([each.score for each in found.suggestions], -scores[2:0:-1], rtol=1e-5)
    assert list(runner.recommend(history, k=7)[0].items) == ids[::-1]
    assert list(runner.recommend(history, k=2, allowed=[ids[3], *history])[0].items) == [ids[3]]


def test_it_brings_no_keras(bundle):
    program = (
        "import sys; from attention_zoo import runtime; "
        "runtime.load(sys.argv[1]).recommend([['item-1']], k=2); "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, str(bundle)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

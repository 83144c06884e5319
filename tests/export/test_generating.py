"""What generates is exported as several graphs, and the runtime's loop finds with them what Keras finds."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from attention_zoo import runtime, search
from attention_zoo.blocks.decode import Generator
from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError
from attention_zoo.export import Graph, GraphsRequest, Report, bundle, export_graphs, export_many
from attention_zoo.export.generating import EncoderGraph, StepGraph, generating_graphs
from attention_zoo.export.signature import describe
from attention_zoo.export.together import Together
from attention_zoo.runtime import runner as runners
from attention_zoo.runtime.__main__ import main
from attention_zoo.search import Decoding

MODULE = importlib.import_module("attention_zoo.export.bundle")  # the package's `bundle` is the function
HERE = Path(__file__).parent
DECODING = {"beam": 3, "length_penalty": 0.6, "max_length": 20}
TEXTS = ["5 6 7 8 9 10 11", "29", "", "12 13 14", "21 22 23 24 25 26 27 28 29 4 5 6 7 8", "7 7 7 7"]


@pytest.fixture(scope="module")
def parts():
    """Import the little network as a user's module lies: somewhere on the import path."""
    sys.path.insert(0, str(HERE))
    yield importlib.import_module("translating")
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def network(parts):
    return parts.network()


def joint(parts, network, second):
    """Return two graphs of one network, as a task whose SavedModel has several signatures has them."""
    generator = np.random.default_rng(1)
    probes = parts.sources((2, 5), (3, 9))
    for probe, length in zip(probes, (4, 6)):
        probe["target_ids"] = generator.integers(1, 30, (len(probe["source_ids"]), length)).astype("int32")
    return {"plain": Graph(parts.Constant(network), probes), "double": Graph(second(network, 2.0), probes)}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, parts, network):
    """Export everything through one child."""
    folder, probes = tmp_path_factory.mktemp("several"), parts.sources((2, 5), (3, 9))
    big, half = parts.network(width=256), parts.network(dtype="mixed_bfloat16")
    two = joint(parts, big, parts.Constant)
    requests = {
        "step": GraphsRequest(generating_graphs(network, probes), folder / "step"),
        "joint": GraphsRequest(two, folder / "joint"),
        "alone": GraphsRequest({"plain": two["plain"]}, folder / "alone"),
        "forgetful": GraphsRequest(joint(parts, network, parts.Forgetful), folder / "forgetful"),
        "half": GraphsRequest(generating_graphs(half, probes), folder / "half"),
        "blind": GraphsRequest(generating_graphs(parts.network(watched=False), probes), folder / "blind"),
    }
    found = dict(zip(requests, export_many(requests.values(), timeout=1200)))
    return SimpleNamespace(folder=folder, **found)


def test_encoder_and_step_answer_as_the_network_does(outcomes):
    assert isinstance(outcomes.step, Report), outcomes.step
    assert list(outcomes.step.graphs) == ["encoder", "step"]
    assert outcomes.step.differences["onnx"] <= 1e-5
    step = outcomes.step.graphs["step"]
    inputs = {entry["name"]: entry["shape"] for entry in step.inputs}
    assert inputs["state.past"] == [None, None, 8] and inputs["prepared.keys"] == [None, None, 8]
    outputs = {entry["name"] for entry in step.outputs}
    assert outputs == {"values", "ids", "logits", "weights", "new.past", "new.total", "new.count"}
    assert sorted(path.name for path in (outcomes.folder / "step").iterdir()) == ["encoder.onnx", "step.onnx"]


def test_half_precision_is_exported_by_its_float32_twin(outcomes):
    assert isinstance(outcomes.half, Report), outcomes.half
    assert outcomes.half.differences["onnx"] <= 1e-4


def test_signatures_of_one_savedmodel_share_their_weights(outcomes, parts):
    assert isinstance(outcomes.joint, Report), outcomes.joint
    assert outcomes.joint.graphs["double"].differences.keys() == {"savedmodel", "onnx"}
    content = (outcomes.folder / "joint" / "savedmodel" / "saved_model.pb").read_bytes()
    assert all(name in content for name in (b"serving_default", b"plain", b"double"))

    def stored(name):
        return sum(path.stat().st_size for path in (outcomes.folder / name / "savedmodel" / "variables").iterdir())

    size = 4 * parts.network(width=256).count_params()
    assert size < stored("alone") < 1.1 * size
    assert stored("joint") < 1.1 * size
    assert sorted(path.name for path in (outcomes.folder / "joint").glob("*.onnx")) == ["double.onnx", "plain.onnx"]


def test_a_mismatch_names_graph_and_tensor_and_keeps_none(outcomes):
    assert isinstance(outcomes.forgetful, ZooValueError)
    assert str(outcomes.forgetful).startswith("graph 'double': 'scaled' of the SavedModel graph differs from the model")
    assert not (outcomes.folder / "forgetful").exists()


def test_wrong_graphs_are_named(parts, network, tmp_path):
    probes = parts.sources((2, 5), (3, 9))
    graphs = joint(parts, network, parts.Constant)
    with pytest.raises(ZooValueError, match=r"attention=True wants one graph, or one .*, got plain, double"):
        export_graphs(graphs, tmp_path / "out", attention=True)
    with pytest.raises(ZooValueError, match=r"word of small letters, got '\.\./up'"):
        export_graphs({"../up": graphs["plain"]}, tmp_path / "out")
    with pytest.raises(ZooTypeError, match=r"graph 'double': model must be a keras\.Model, got str"):
        export_graphs({**graphs, "double": Graph("no", probes)}, tmp_path / "out")
    with pytest.raises(ZooValueError, match="graph 'plain': probes must be at least two"):
        export_graphs({**graphs, "plain": Graph(graphs["plain"].model, probes[:1])}, tmp_path / "out")
    with pytest.raises(ZooValueError, match="at least one graph"):
        export_graphs({}, tmp_path / "out")
    with pytest.raises(ZooValueError, match="layer 'decodr' is unknown; the nearest names are 'decoder'"):
        StepGraph(network, "decodr")
    with pytest.raises(ZooTypeError, match="layer 'memory' must be a decoder, got Dense"):
        EncoderGraph(network, "memory")
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_its_own_class_may_take_one_input_by_name(parts, network):
    graph = generating_graphs(network, parts.sources((2, 5), (3, 9)))["encoder"]
    assert describe(graph.model, graph.probes)["structure"] == "single"
    graph.model.named_inputs = True
    assert describe(graph.model, graph.probes)["structure"] == "dict"


def test_what_models_share_is_one_again_when_they_are_read(parts, network, tmp_path):
    made = generating_graphs(network, parts.sources((2, 5), (3, 9)))
    Together({name: graph.model for name, graph in made.items()}).save(tmp_path / "all.keras")
    read = keras.saving.load_model(tmp_path / "all.keras", compile=False)
    assert read.parts["encoder"].decoder is read.parts["step"].decoder
    assert len(read.weights) == len(network.weights)


@pytest.fixture(scope="module")
def task(network, parts):
    numbers = importlib.import_module("numbered").Numbers()
    return SimpleNamespace(
        preprocessor=numbers,
        verb="translate",
        returns="`ids`: the likeliest tokens",
        settings=lambda: {"family": "little", "decoding": DECODING},
        graphs=lambda: dict.fromkeys(("encoder", "step"), Graph(None, (), ("onnx",))),
        card=None,
        config=SimpleNamespace(to_dict=lambda: {"family": "little", "network": {}}),
    )


@pytest.fixture(scope="module")
def made(outcomes, task, tmp_path_factory):
    """Bundle the task with graphs that were made already, as a family that the runtime knows."""

    def copy(graphs, folder, **options):
        shutil.copytree(outcomes.step.folder, folder)
        return outcomes.step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "export_graphs", copy)
        patch.setitem(runners.PREPROCESSORS, "little", "numbered:Numbers")
        patch.setitem(runners.RUNNERS, "little", "attention_zoo.runtime:TranslatorRunner")
        folder = tmp_path_factory.mktemp("made") / "bundle"
        bundle(task, folder, formats=["onnx"])
        yield folder


@pytest.fixture
def runner(made):
    return runtime.load(made, threads=1)


def keras_finds(network, source_ids, decoding, noise=None):
    """Search with the Keras decoder, in one call."""
    inputs = {tensor.name: tensor for tensor in network.inputs}
    encoder = keras.Model(inputs["source_ids"], network.get_layer("memory").output)
    generator = Generator(encoder, network.get_layer("decoder"), decoding)
    asked = {"source_ids": source_ids, **({} if noise is None else {"noise": noise})}
    return {name: np.array(ops.convert_to_numpy(value)) for name, value in generator.predict_on_batch(asked).items()}


def test_greedy_search_says_what_a_plain_loop_over_the_network_says(runner, network, parts):
    source_ids = parts.sources((7, 6), seed=3)[0]["source_ids"]
    found = runner.generate(source_ids, Decoding(beam=1, max_length=20))
    for row, ids in enumerate(source_ids):
        said = [search.BOS_ID]
        while len(said) <= 20:
            logits = network({"source_ids": ids[None], "target_ids": np.array([said], "int32")}, training=False)
            last = np.array(ops.convert_to_numpy(logits)[0, -1])
            last[:3] = -np.inf
            if (token := int(last.argmax())) == search.EOS_ID:
                break
            said.append(token)
        length = found["lengths"][row, 0]
        assert found["token_ids"][row, 0, :length].tolist() == said[1:]
    assert len(set(found["lengths"][:, 0].tolist())) > 2


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(beam=1, max_length=20),
        Decoding(beam=4, max_length=20, nbest=3, length_penalty=0.6),
        Decoding(beam=5, max_length=37, nbest=5, early_stopping=False),
        Decoding(beam=3, max_length=20, nbest=3, coverage_penalty=0.4),
        Decoding(beam=1, max_length=20, sample=True, temperature=0.7, top_p=0.9, seed=5),
    ],
    ids=["greedy", "beam", "patient", "coverage", "sample"],
)
def test_the_loop_without_keras_finds_what_the_generator_finds(runner, network, parts, decoding):
    source_ids = parts.sources((9, 8), seed=4)[0]["source_ids"]
    noise = search.noise(decoding, range(9)) if decoding.sample else None
    wanted = keras_finds(network, source_ids, decoding, noise)
    found = runner.generate(source_ids, decoding)
    np.testing.assert_array_equal(found["token_ids"], wanted["token_ids"])
    np.testing.assert_array_equal(found["lengths"], wanted["lengths"])
    for name in ("scores", "sums"):
        np.testing.assert_allclose(found[name], wanted[name], atol=2e-4)


def test_texts_are_translated_in_order_whatever_the_batch(runner):
    together = runner.translate(TEXTS, nbest=2)
    assert together[2].text == "" and together[0].text and together[0].others[0][0] != together[0].text
    assert together[0].score >= together[0].others[0][1]
    long = TEXTS[4].split()
    halves = runner.translate([" ".join(long[:12]), " ".join(long[12:])])
    assert together[4].text == " ".join(one.text for one in halves if one.text)
    for batch_size in (1, 2):
        for one, other in zip(together, runner.translate(TEXTS, nbest=2, batch_size=batch_size), strict=True):
            assert (one.text, one.others[0][0]) == (other.text, other.others[0][0])
            assert one.score == pytest.approx(other.score, abs=1e-4)
    assert runner.translate(TEXTS[0], beam=1)[0].text == runner.translate(TEXTS, beam=1)[0].text


def test_sampling_repeats_and_wants_no_beam(runner):
    first = runner.translate(TEXTS, sample=True, temperature=2.0, seed=1)
    assert [one.text for one in runner.translate(TEXTS, sample=True, temperature=2.0, seed=1)] == [
        one.text for one in first
    ]
    assert [one.text for one in runner.translate(TEXTS, sample=True, temperature=2.0, seed=2)] != [
        one.text for one in first
    ]


def test_the_description_lists_each_graph_and_the_readme_the_verb(made):
    description = json.loads((made / "bundle.json").read_text())
    assert description["format"] == 1 and description["decoding"] == DECODING
    step = description["graphs"]["step"]
    assert step["onnx"] == "step.onnx" and step["differences"]["onnx"] <= 1e-5
    assert {entry["name"] for entry in step["inputs"]} >= {"token_ids", "index", "state.past", "prepared.keys"}
    readme = (made / "README.md").read_text()
    assert '.translate(["5 6 7"])' in readme and "Output `ids`: the likeliest tokens." in readme


def test_bad_requests_are_one_sentence(runner, outcomes, made, tmp_path):
    source_ids = np.array([[5, 6]], "int32")
    for asked, sentence in (
        ({"beam": 16}, "beam must be at most 15 with this bundle, got 16"),
        ({"beam": 0}, "beam must be a whole number of at least 1"),
        ({"nbest": 4}, r"nbest must be at most beam \(3\), got 4"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"temprature": 2.0}, "'temprature' is unknown; the nearest names are 'temperature'"),
    ):
        with pytest.raises(ZooValueError, match=sentence):
            runner.translate(TEXTS[0], **asked)
    with pytest.raises(ZooValueError, match="graph must be given where there are several: encoder, step"):
        runner.run({"source_ids": source_ids})
    with pytest.raises(ZooValueError, match="graph 'decoder' is unknown"):
        runner.run({"source_ids": source_ids}, graph="decoder")
    with pytest.raises(ZooValueError, match=r"output of the graph 'encoder' 'prepared\.kyes' is unknown"):
        runner.run({"source_ids": source_ids}, ["prepared.kyes"], graph="encoder")
    with pytest.raises(ZooValueError, match="the graph 'encoder' wants the input 'source_ids', got token_ids"):
        runner.run({"token_ids": source_ids}, graph="encoder")
    blind = tmp_path / "blind"
    shutil.copytree(made, blind)
    shutil.copy(outcomes.folder / "blind" / "step.onnx", blind / "step.onnx")
    described(blind, lambda told: told["files"].pop("step.onnx") and told["files"].update({"step.onnx": digest(blind)}))
    with pytest.raises(ZooValueError, match=r"coverage_penalty 0\.5 wants a graph that gives weights"):
        runtime.load(blind).translate(TEXTS[0], coverage_penalty=0.5)


def digest(folder):
    from attention_zoo.presets.card import sha256

    return sha256(folder / "step.onnx")


def described(folder, change):
    """Change the description of a bundle."""
    told = json.loads((folder / "bundle.json").read_text())
    change(told)
    (folder / "bundle.json").write_text(json.dumps(told))


def test_a_damaged_bundle_is_one_sentence(made, tmp_path):
    for number, (change, sentence) in enumerate(
        (
            (lambda told: told["graphs"].pop("step"), "lacks the ONNX graph 'step'"),
            (lambda told: told["graphs"]["step"].pop("onnx"), "lacks the ONNX graph 'step'"),
            (lambda told: told["files"].pop("step.onnx"), "'step.onnx' has no checksum"),
            (lambda told: told.pop("decoding"), "'decoding' is missing"),
            (lambda told: told.update(family="littel"), "family 'littel' is unknown; the nearest names are 'little'"),
        )
    ):
        folder = tmp_path / str(number)
        shutil.copytree(made, folder)
        described(folder, change)
        with pytest.raises((ZooFileError, ZooValueError), match=sentence):
            runtime.load(folder)
    folder = tmp_path / "file"
    shutil.copytree(made, folder)
    content = bytearray((folder / "step.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "step.onnx").write_bytes(content)
    with pytest.raises(ZooFileError, match=r"SHA-256 of '.*step\.onnx' is not the one"):
        runtime.load(folder)
    (folder / "step.onnx").unlink()
    with pytest.raises(ZooFileError, match=r"'.*step\.onnx' is missing"):
        runtime.load(folder)


def test_a_bundle_of_several_graphs_is_replaced_only_with_its_own_files(made, task, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(made, folder)
    bundle(task, folder, formats=["onnx"], overwrite=True)
    (folder / "thesis.onnx").write_bytes(b"years of work")
    with pytest.raises(ZooFileError, match=r"holds 'thesis\.onnx'"):
        bundle(task, folder, formats=["onnx"], overwrite=True)


def test_the_command_prints_translations(made, capsys):
    assert main([str(made), *TEXTS[:2], "--beam", "2", "--nbest", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == TEXTS[:2]
    assert all(line["translation"] and len(line["others"]) == 1 for line in lines)
    assert main([str(made), "5", "--all-scores"]) == 2
    assert capsys.readouterr().err == "--all-scores is no option of the family 'little'\n"


def test_translating_needs_no_keras(made):
    program = (
        "import sys\n"
        "for name in ('keras', 'tensorflow', 'jax', 'torch', 'onnx', 'scipy'): sys.modules[name] = None\n"
        "import attention_zoo.runtime.__main__ as runtime\n"
        "from attention_zoo.runtime import runner\n"
        "runner.PREPROCESSORS['little'] = 'numbered:Numbers'\n"
        "runner.RUNNERS['little'] = 'attention_zoo.runtime:TranslatorRunner'\n"
        "sys.exit(runtime.main(sys.argv[1:]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(Path(runtime.__file__).parents[2])])}
    command = [sys.executable, "-c", program, str(made)]
    done = subprocess.run(command, input=b"5 6 7\n29\n", env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert all(json.loads(line)["translation"] for line in done.stdout.splitlines())

"""The recommender: what it learns, how it answers, what it says to bad input, and what is read back elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from inspected import check_faithfulness, check_statistics, check_watched

import attention_zoo as az
from attention_zoo.data import Dataset, Split, synthetic_interactions
from attention_zoo.errors import ZooError, ZooTypeError, ZooValueError
from attention_zoo.models.recommender import Recommender, RecommenderConfig, training_network
from attention_zoo.models.recommender.judging import baselines
from attention_zoo.models.recommender.training import Choice
from attention_zoo.recsys import FaissIndex, Histories

ROOT = Path(__file__).parents[2]
NETWORKS = {
    "sasrec": {},
    "bert4rec": {"hide": 0.4},
    "gru": {"heads": 1},
    "din": {"attention": {"name": "din", "units": [8]}},
    "autoint": {},
    "afm": {},
}
EPOCHS = {"sasrec": 10, "bert4rec": 10, "gru": 6, "din": 8, "autoint": 8, "afm": 8}
SIZES = {"width": 32, "length": 16, "dropout": 0.1, "candidates": 24, "ranker_units": 16}
KINDS = pytest.mark.parametrize("kind", list(NETWORKS))


@pytest.fixture(scope="module")
def choices():
    """Histories whose next item follows the one before the last most often."""
    return synthetic_interactions(400, 60)


@pytest.fixture(scope="module")
def trained(choices):
    """Return a function that trains each network once."""
    kept = {}

    def get(kind):
        if kind not in kept:
            task = Recommender.new(**SIZES, network=kind, **NETWORKS[kind])
            options = {"batch_size": 64, "learning_rate": 1e-2, "progress": False}
            kept[kind] = (task, task.fit(choices, epochs=EPOCHS[kind], **options))
        return kept[kind]

    return get


def some(choices, count=8):
    return choices["test"]["history"][:count]


@KINDS
def test_it_learns_what_comes_next(trained, choices, kind):
    task, history = trained(kind)
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    assert history["val_ndcg@10"][-1] > history["val_ndcg@10"][0]
    found = task.evaluate(choices)
    known = baselines(task, choices)
    assert found["users"] == known["markov"]["users"] == 400
    assert found["ndcg@10"] > 3 * known["popularity"]["ndcg@10"]
    if kind != "bert4rec":  # which needs more epochs than a test has
        assert found["ndcg@10"] > max(measures["ndcg@10"] for measures in known.values())


@KINDS
def test_a_batch_says_what_each_history_says_alone(trained, choices, kind):
    task, _ = trained(kind)
    histories = some(choices)
    together = task.recommend(histories, k=5)
    alone = [task.recommend(history, k=5)[0] for history in histories]
    assert [one.items for one in together] == [one.items for one in alone]
    np.testing.assert_allclose(
        [each.score for one in together for each in one.suggestions],
        [each.score for one in alone for each in one.suggestions],
        atol=1e-4,
    )
    assert task.recommend(histories, k=5, batch_size=3) == task.predict(histories, k=5, batch_size=3)


@KINDS
def test_what_was_seen_is_left_out_unless_it_is_wanted(trained, choices, kind):
    task, _ = trained(kind)
    histories, everything = some(choices), len(task.preprocessor.index)
    for history, found in zip(histories, task.recommend(histories, k=everything)):
        assert not set(found.items) & set(history)
        assert len(found.items) == everything - len(set(history))
        scores = [each.score for each in found.suggestions]
        assert scores == sorted(scores, reverse=True) and [each.rank for each in found.suggestions][:2] == [1, 2]
    assert len(task.recommend(histories, k=everything, exclude_seen=False)[0].items) == everything


@KINDS
def test_only_what_is_allowed_is_recommended(trained, choices, kind):
    task, _ = trained(kind)
    allowed = choices["items"]["item"][3:9]
    for found in task.recommend([*some(choices), ["nobody knows this"]], k=6, allowed=allowed):
        assert set(found.items) <= set(allowed)


@KINDS
def test_what_is_judged_is_what_is_recommended(trained, choices, kind):
    task, _ = trained(kind)
    rows = choices["test"].take(80)
    found = task.recommend(rows["history"], k=10)
    hits = [target in one.items for target, one in zip(rows["target"], found)]
    repeated = [target in history for target, history in zip(rows["target"], rows["history"])]
    fresh = rows.rows([place for place, again in enumerate(repeated) if not again])
    wanted = task.evaluate(fresh)["recall@10"]
    assert np.mean([hit for hit, again in zip(hits, repeated) if not again]) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", ["sasrec", "din"])
def test_unknown_items_are_skipped_and_who_has_no_other_is_cold(trained, choices, kind):
    task, _ = trained(kind)
    history = list(some(choices)[0])
    plain, mixed, strange, empty = task.recommend([history, ["new", *history], ["new", "newer"], []], k=3)
    assert (mixed.items, mixed.unknown, mixed.cold) == (plain.items, 1, False)
    index = task.preprocessor.index
    popular = tuple(index.id(int(number)) for number in index.popular[:3])
    assert (strange.items, strange.unknown, strange.cold) == (popular, 2, True)
    assert (empty.items, empty.unknown, empty.cold) == (popular, 0, True)
    found = task.evaluate((Histories.of([[], ["new"]]), [popular[0], "new"]))
    assert found["recall@10"] == 0.5


def test_of_a_very_long_history_the_newest_items_are_read(trained, choices):
    task, _ = trained("sasrec")
    items = choices["items"]["item"]
    history = [items[number % 30] for number in range(100_000)]
    found = task.recommend([history], k=5)[0]
    assert found.items == task.recommend([history[-30:]], k=5)[0].items
    assert not set(found.items) & set(items[:30])


def test_items_of_a_kind_are_alike(trained, choices):
    task, _ = trained("sasrec")
    item = choices["items"]["item"][0]
    found = task.similar_items(item, k=8)
    assert len(found) == 8 and item not in [each.item for each in found]
    assert sum(each.item.split("-")[0] == item.split("-")[0] for each in found) >= 6
    with pytest.raises(ZooValueError, match="nearest"):
        task.similar_items("boook-001")


@KINDS
def test_what_was_saved_says_the_same(trained, choices, kind, tmp_path):
    task, _ = trained(kind)
    folder = task.save(tmp_path / "mine", description="a test", licence="MIT", permissive=True)
    again = az.load(folder)
    assert again.config == task.config and again.card.attention == task.config.attention_name
    assert again.recommend(some(choices), k=5) == task.recommend(some(choices), k=5)
    paths = [weight.path for weight in task.build(task.config).weights]
    assert paths == [weight.path for weight in task.model.weights] and len(set(paths)) == len(paths)


@KINDS
def test_an_explanation_tells_of_each_past_item(trained, choices, kind, tmp_path):
    task, _ = trained(kind)
    history = list(some(choices)[1])
    found = task.explain(["new", *history])
    assert list(found.history) == history[-16:] and found.unknown == 1
    assert found.item == task.recommend([history], k=1)[0].items[0] and found.rank == 1
    assert found.weights.sum() == pytest.approx(1) and (found.weights >= 0).all()
    without = task.explain(history[:-1], found.item)
    assert found.drops[-1] == pytest.approx(found.score - without.score, abs=1e-3)
    assert found.attention and all(value.shape[-1] == len(found.history) for value in found.attention.values())
    for suffix in ("png", "svg", "html", "csv", "json"):
        assert found.save(tmp_path / f"why.{suffix}").stat().st_size > 100
    json.dumps(found.to_dict())
    single = task.explain(history[:1], history[0])
    assert single.weights == pytest.approx([1.0]) and np.isfinite(single.drops).all()


def test_an_explanation_wants_one_history_with_a_known_item(trained, choices):
    task, _ = trained("sasrec")
    for history in ([], ["new"], some(choices, 2)):
        with pytest.raises(ZooError):
            task.explain(history)
    with pytest.raises(ZooValueError, match="nearest"):
        task.explain(some(choices)[0], "boook-001")


@pytest.mark.parametrize(("kind", "site"), [("sasrec", "encoder/block_2/attention"), ("gru", "encoder/attention")])
def test_maps_are_over_the_history_and_the_newest_place_tells_where_it_looked(trained, choices, kind, site):
    task, _ = trained(kind)
    found = task.explain(some(choices)[2][-9:])
    whole = found.attention[site]
    np.testing.assert_allclose(whole.sum(axis=-1), 1.0, atol=1e-5)
    assert (whole[:, np.triu(np.ones((9, 9), bool), 1)] == 0).all()
    looked = whole[:, -1].mean(axis=0)
    if kind == "sasrec":  # two blocks, each of which passes on half of what it reads
        first, last = (0.5 * np.eye(9) + 0.5 * one.mean(axis=0) for one in found.attention.values())
        looked = last[-1] @ first
    np.testing.assert_allclose(found.weights, looked, atol=1e-6)


@pytest.mark.parametrize("choice", [Choice("sampled_softmax", 16), Choice("bce")], ids=lambda choice: choice.loss)
def test_other_losses_learn_too(choices, choice):
    task = Recommender.new(**SIZES)
    options = {"epochs": 8, "batch_size": 64, "learning_rate": 1e-2, "progress": False}
    history = task.fit(choices, choice=choice, **options)
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    assert task.evaluate(choices)["ndcg@10"] > 2 * baselines(task, choices)["popularity"]["ndcg@10"]


def test_loss_begins_at_that_of_a_guess():
    histories = Histories.of(np.random.default_rng(0).integers(1, 501, (64, 12)).tolist())
    task = Recommender.new(**SIZES)
    history = task.fit(histories, epochs=1, learning_rate=1e-9, progress=False)
    assert history["loss"][0] == pytest.approx(np.log(len(task.preprocessor.index)), abs=0.05)


def test_hidden_places_and_padding_change_no_score_of_a_training(trained, choices):
    """A training asks at once what answering asks place by place."""
    task, _ = trained("gru")
    numbers = task.preprocessor.index.numbers(some(choices, 1))[0].array(0)[None]
    model = training_network(task.model, task.config)
    places = np.arange(numbers.shape[1], dtype="int32")
    together = np.asarray(model.predict_on_batch({"items": numbers, "places": places}))
    for step in places:
        one = task.ranking.scores(Histories.of([numbers[0, : step + 1].tolist()]))[0]
        np.testing.assert_allclose(together[step], one[1:], atol=1e-4)


def test_new_items_are_learned_and_old_ones_kept(trained, choices, tmp_path):
    task = Recommender.load(trained("din")[0].save(tmp_path / "mine"))
    old, vectors = len(task.preprocessor.index), task.item_vectors.copy()
    histories = [[*list(row)[-4:], "brand-new", "newer"] for row in some(choices, 60)]
    items = Split({"item": ["brand-new", "newer"], "group": ["book", "unheard of"]})
    more = Dataset("more", {"train": Split({"history": Histories.of(histories)}), "items": items})
    task.fit(more, epochs=1, learning_rate=1e-12, weight_decay=0.0, progress=False)
    assert len(task.preprocessor.index) == old + 2 == task.config.items
    np.testing.assert_allclose(task.item_vectors[: old + 1], vectors, atol=1e-5)
    features = task.preprocessor.features
    assert features.table[old + 1, 0] == features.table[task.preprocessor.index.number("book-001"), 0]
    assert task.preprocessor.index.counts[-1] == 60
    task.fit(more, epochs=8, learning_rate=1e-2, progress=False)
    assert "newer" in task.recommend([[*list(some(choices)[0]), "brand-new"]], k=5)[0].items
    again = Recommender.load(task.save(tmp_path / "more"))
    assert again.recommend([["brand-new"]], k=3) == task.recommend([["brand-new"]], k=3)


def test_it_learns_from_a_table_and_from_lists(tmp_path):
    lines = ["user,item,time"]
    for user in range(30):
        lines += [f"u{user},i{(user + step) % 7:03},{step}" for step in range(5)]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = {"epochs": 2, "progress": False}
    task = Recommender.new(**SIZES)
    assert "val_ndcg@10" in task.fit(tmp_path / "mine.csv", **options)
    assert task.evaluate(tmp_path / "mine.csv")["users"] == 30
    assert task.recommend([["i001", "i002"]], k=1)[0].items[0].startswith("i00")
    task = Recommender.new(**SIZES)
    histories = [[3, 1, 2], [1, 2, 3], [2, 3, 1]]
    history = task.fit(histories, (histories, [1, 2, 3]), **options)
    assert "val_loss" in history and task.recommend([1, 2], k=2, exclude_seen=False)[0].items[0] in (1, 2, 3)


def test_whole_numbers_may_stay_on_disk(tmp_path):
    generator = np.random.default_rng(0)
    Histories.of([*generator.integers(1, 51, (200, 9)).tolist(), list(range(1, 51))]).save(tmp_path / "mine")
    mapped = Histories.open(tmp_path / "mine")
    task = Recommender.new(mapped, catalogue=range(1, 51), **SIZES)
    assert task._numbers(mapped) is mapped
    assert np.isfinite(task.fit(mapped, epochs=1, progress=False)["loss"][0])


def test_what_searches_may_be_made_once_or_be_another_index(trained, choices):
    task, _ = trained("sasrec")
    wanted = task.recommend(some(choices), k=5)
    assert task.recommend(some(choices), k=5, retriever=task.retriever()) == wanted
    pytest.importorskip("faiss")
    found = task.recommend(some(choices), k=5, retriever=FaissIndex(task.item_vectors))
    assert [one.items for one in found] == [one.items for one in wanted]


def test_a_training_that_was_cut_goes_on(choices, tmp_path):
    class Cut(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    options = {"epochs": 3, "batch_size": 64, "progress": False}
    whole = Recommender.new(**SIZES).fit(choices, **options)
    options["resume_folder"] = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        Recommender.new(**SIZES).fit(choices, callbacks=[Cut()], **options)
    rest = Recommender.new(**SIZES).fit(choices, **options)
    np.testing.assert_allclose(rest["loss"], whole["loss"], atol=1e-3)
    np.testing.assert_allclose(rest["val_ndcg@10"], whole["val_ndcg@10"], atol=0.02)


def test_half_precision_trains_and_answers(choices):
    task = Recommender.new(dtype="mixed_bfloat16", **SIZES, network="din")
    history = task.fit(choices, epochs=1, batch_size=64, progress=False)
    assert np.isfinite(history["loss"]).all() and len(task.recommend(some(choices), k=3)) == 8
    assert "bfloat16" in {layer.compute_dtype for layer in task.model.layers}


@pytest.mark.once
@pytest.mark.parametrize("attention", ["rotary", "linear", "alibi"])
def test_any_attention_that_can_be_made_causal_reads_histories(attention):
    task = Recommender.new([[1, 2, 3], [3, 2, 1]], **SIZES, attention=attention, position="none")
    assert task.recommend([[1, 2]], k=1)[0].items == (3,)


def test_data_that_do_not_fit_are_refused(choices):
    task = Recommender.new(**SIZES)
    with pytest.raises(ZooValueError, match="has seen no data yet"):
        task.recommend([["a"]])
    with pytest.raises(ZooValueError, match="2 histories and 1 targets"):
        task.fit([["a", "b"]], ([["a"], ["b"]], ["c"]))
    with pytest.raises(ZooValueError, match="focus must be left out"):
        task.fit(choices, focus=2.0)
    with pytest.raises(ZooTypeError, match="data must be"):
        task.fit(5)
    with pytest.raises(ZooValueError, match="column 'history'"):
        task.fit(Split({"text": ["a"]}))
    with pytest.raises(ZooValueError, match="must say what came after"):
        task.fit([["a", "b"], ["b", "a"]], [["a"]])
    with pytest.raises(ZooValueError, match="to learn from"):
        Recommender.new(**SIZES).fit([["a"], ["b"]])
    with pytest.raises(ZooValueError, match="nearest names are 'softmax'"):
        task.fit(choices, choice="softmx")
    with pytest.raises(ZooValueError, match="negatives must be left out"):
        Choice("softmax", 5)
    with pytest.raises(ZooValueError, match="smoothing must be 0"):
        task.fit(choices, choice="bce", smoothing=0.1)


@pytest.mark.parametrize(
    ("histories", "options", "kind", "words"),
    [
        ([["a"]], {"k": 10_000}, ZooValueError, "at most the 60 items"),
        ([["a"]], {"k": 0}, ZooValueError, "k must be"),
        ([[1.5]], {}, ZooTypeError, "must be the id of an item"),
        ([["a"]], {"allowed": ["what"]}, ZooValueError, "at least one item of the catalogue"),
        ([["a"]], {"batch_size": 0}, ZooValueError, "batch_size must be"),
        ([], {}, ZooValueError, "at least one"),
        (7, {}, ZooTypeError, "histories must be"),
    ],
)
def test_what_cannot_be_answered_is_said(trained, histories, options, kind, words):
    with pytest.raises(kind, match=words):
        trained("sasrec")[0].recommend(histories, **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network": "sasrek"}, "sasrec"),
        ({"width": 31, "heads": 2}, "width must be a multiple of heads"),
        ({"network": "gru", "units": 9, "heads": 2}, "units must be a multiple of heads"),
        ({"network": "din", "attention": "multi_head"}, "attention of network 'din'"),
        ({"network": "gru", "depth": 2}, "depth must be 1"),
        ({"length": 0}, "length must be"),
        ({"position": "rotary"}, "position"),
        ({"hide": 1.0}, "hide must be"),
        ({"items": 1}, "items must be"),
        ({"candidates": 0}, "candidates must be"),
        ({"feed_forward_kind": "tanh"}, "feed_forward_kind"),
        ({"lenght": 5}, "length"),
    ],
)
def test_a_config_that_cannot_work_is_refused(change, words):
    with pytest.raises(ZooValueError, match=words):
        RecommenderConfig.of(**change)


def test_what_is_no_choice_is_refused_by_its_kind():
    for change in ({"attention": 5}, {"features": ["brand"]}, {"features": 3}):
        with pytest.raises(ZooTypeError):
            RecommenderConfig.of(**change)
    with pytest.raises(ZooValueError, match="catalogue must come with histories"):
        Recommender.new(catalogue=["a"])


@pytest.mark.once
@pytest.mark.parametrize("name", [card.name for card in az.list_models("recommender_*")])
def test_each_architecture_can_be_had_by_its_name(name):
    task = az.load(name, width=16)
    task.fit([[1, 2, 3, 4], [2, 3, 4, 1]], epochs=1, progress=False)
    card = next(card for card in az.list_models(name))
    assert card.attention == task.config.attention_name and len(task.recommend([[1, 2]], k=2)[0].items) == 2


@pytest.mark.costly
@KINDS
def test_an_export_recommends_as_the_task_without_keras(trained, choices, kind, tmp_path):
    task, _ = trained(kind)
    task.export(tmp_path / "mine", attention="statistics")
    runner = az.runtime.load(tmp_path / "mine")
    if kind in ("sasrec", "din"):
        check_watched(runner, "user", task, some(choices, 6))
    histories = [*some(choices, 40), ["new"], []]
    for options in ({"k": 10}, {"k": 30, "exclude_seen": False}, {"k": 5, "allowed": choices["items"]["item"][:9]}):
        wanted, found = task.recommend(histories, **options), runner.recommend(histories, **options)
        assert [one.items for one in found] == [one.items for one in wanted]
        assert [one.cold for one in found] == [one.cold for one in wanted]
    item = choices["items"]["item"][5]
    assert [one.item for one in runner.similar_items(item)] == [one.item for one in task.similar_items(item)]


@pytest.mark.costly
@KINDS
def test_other_backends_recommend_the_same(trained, choices, kind, tmp_path):
    task, _ = trained(kind)
    histories = [list(history) for history in some(choices, 40)]
    folder, wanted = task.save(tmp_path / "mine"), [list(found.items) for found in task.recommend(histories)]
    (tmp_path / "histories.json").write_text(json.dumps(histories), encoding="utf-8")
    program = (
        "import sys, json, pathlib; from attention_zoo import load\n"
        "histories = json.loads(pathlib.Path(sys.argv[2]).read_text())\n"
        "print(json.dumps([found.items for found in load(sys.argv[1]).recommend(histories)]))"
    )
    for backend in {"tensorflow", "jax", "torch"} - {keras.backend.backend()}:
        environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-c", program, str(folder), str(tmp_path / "histories.json")]
        child = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert json.loads(child.stdout.splitlines()[-1]) == wanted


@KINDS
def test_statistics_come_in_the_order_of_the_histories(trained, choices, kind):
    check_statistics(trained(kind)[0], some(choices, 5))


@KINDS
def test_explanations_are_judged_by_leaving_items_out(trained, choices, kind):
    task = trained(kind)[0]
    history = max(some(choices, 40), key=len)
    worst = task.recommend(history, k=60 - len(set(history)))[0].items[-1]
    check_faithfulness(task, history, worst)

"""The pretrained recommender: the same items on every backend, and a word about what it may be used for."""

import numpy as np
import pytest

import attention_zoo as az

NAME = "beauty_sasrec"
# As every backend recommended them when the preset was made, with the score of the first.
RECOMMENDED = {
    (1, 2, 3, 4): ((25, 296, 4780, 24, 2060), 8.1428),
    (6, 7, 8, 9, 10, 4): ((32, 25, 1875, 13, 26), 7.9597),
    (4, 12, 13, 14, 15, 16, 17, 18): ((24, 2010, 1882, 301, 3292), 8.23858),
    (): ((301, 775, 790, 279, 444), 0.0024),  # what is popular, with its share of all choices
}


@pytest.fixture(scope="module")
def model():
    """The recommender, which says what it may be used for."""
    with pytest.warns(UserWarning, match="research use"):
        return az.load(NAME)


def test_every_backend_recommends_the_recorded_items(model):
    found = model.recommend([list(history) for history in RECOMMENDED], k=5)
    assert [one.items for one in found] == [items for items, _ in RECOMMENDED.values()]
    np.testing.assert_allclose(
        [one.suggestions[0].score for one in found], [score for _, score in RECOMMENDED.values()], atol=1e-3
    )


@pytest.mark.once
def test_its_explanation_names_the_items_of_the_history(model):
    history = list(next(iter(RECOMMENDED)))
    found = model.explain(history)
    assert list(found.history) == history
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.once
def test_it_is_left_out_where_only_what_is_free_for_all_is_asked_for():
    assert NAME not in [card.name for card in az.list_models(licence="permissive")]

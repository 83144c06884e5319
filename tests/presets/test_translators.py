"""The pretrained translators: the same sentences on every backend, and a word about what they may be used for."""

import numpy as np
import pytest

import attention_zoo as az

# As every backend wrote them when the preset was made, with the score of the beam.
WRITTEN = {
    "A man is riding a bicycle down the street.": ("Ein Mann fährt auf einem Fahrrad die Straße entlang.", -0.79305),
    "Two dogs are playing in the snow.": ("Zwei Hunde spielen im Schnee.", -0.20933),
    "A little girl in a red dress is eating an ice cream.": (
        "Ein kleines Mädchen in einem roten Kleid isst ein Eis.",
        -0.5271,
    ),
    "": ("", 0.0),
}


@pytest.fixture(scope="module")
def model():
    """The translator, which says what it may be used for."""
    with pytest.warns(UserWarning, match="research use"):
        return az.load("multi30k_en_de")


@pytest.mark.parametrize("beam", [1, 5])
def test_every_backend_writes_the_recorded_sentences(model, beam):
    found = model.translate(list(WRITTEN), beam=beam)
    assert [one.text for one in found] == [text for text, _ in WRITTEN.values()]
    np.testing.assert_allclose([one.score for one in found], [score for _, score in WRITTEN.values()], atol=1e-3)


@pytest.mark.once
def test_each_written_word_looks_at_the_word_that_it_translates(model):
    matrix = model.explain("Two dogs are playing in the snow.").words()
    looks = {row.text: matrix.columns[int(weights.argmax())].text for row, weights in zip(matrix.rows, matrix.weights)}
    assert looks["Hunde"] == "dogs"
    assert looks["Schnee"] == "snow"


@pytest.mark.once
def test_it_is_left_out_where_only_what_is_free_for_all_is_asked_for():
    assert "multi30k_en_de" not in [card.name for card in az.list_models(licence="permissive")]

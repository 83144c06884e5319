"""Settings of decoding: what cannot work is said in one sentence."""

import json

import pytest

from attention_zoo.errors import ZooError
from attention_zoo.search import Decoding

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"beam": 0}, "beam must be a whole number of at least 1 .hypotheses., got 0"),
        ({"beam": 2.5}, "beam must be a whole number"),
        ({"beam": True}, "beam must be a whole number"),
        ({"nbest": 0}, "nbest must be a whole number of at least 1"),
        ({"beam": 3, "nbest": 4}, r"nbest must be at most beam \(3\), got 4"),
        ({"max_length": 0}, "max_length must be a whole number of at least 1 .tokens., got 0"),
        ({"length_penalty": -0.1}, "length_penalty must be at least 0 and finite, got -0.1"),
        ({"length_penalty": float("nan")}, "length_penalty must be at least 0 and finite, got nan"),
        ({"coverage_penalty": float("inf")}, "coverage_penalty must be at least 0 and finite, got inf"),
        ({"coverage_penalty": "much"}, "coverage_penalty must be at least 0"),
        ({"ctc_weight": 1.0}, "ctc_weight must be at least 0 and under 1 .share., got 1.0"),
        ({"ctc_weight": -0.1}, "ctc_weight must be at least 0"),
        ({"ctc_weight": 0.3, "sample": True, "beam": 1}, "draws by the decoder alone and wants ctc_weight=0, got 0.3"),
        ({"early_stopping": 1}, "early_stopping must be True or False, got 1"),
        ({"sample": True}, "sample=True draws one hypothesis and wants beam=1, got beam=5"),
        ({"temperature": 0.7}, "temperature is for sampling and wants sample=True, got 0.7"),
        ({"top_k": 4}, "top_k is for sampling"),
        ({"top_p": 0.9}, "top_p is for sampling"),
        ({"sample": True, "beam": 1, "temperature": 0}, "temperature must be over 0 and finite, got 0"),
        ({"sample": True, "beam": 1, "temperature": float("inf")}, "temperature must be over 0"),
        ({"sample": True, "beam": 1, "top_k": -1}, "top_k must be a whole number of at least 0, got -1"),
        ({"sample": True, "beam": 1, "top_p": 0.0}, "top_p must be over 0 and at most 1, got 0.0"),
        ({"sample": True, "beam": 1, "top_p": 1.01}, "top_p must be over 0 and at most 1, got 1.01"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"pad_id": 3}, "pad_id and eos_id must differ"),
        ({"banned": (0, 3)}, "banned must not hold eos_id 3"),
        ({"banned": (-1,)}, "banned must be a whole number of at least 0"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(options, sentence):
    with pytest.raises(ZooError, match=sentence):
        Decoding(**options)


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(ZooError, match="'lenght_penalty' is unknown; the nearest names are 'length_penalty'"):
        Decoding().change(lenght_penalty=1.0)
    with pytest.raises(ZooError, match="'beams' is unknown; the nearest names are 'beam'"):
        Decoding.from_config({"beams": 3})


def test_settings_go_through_json():
    settings = Decoding(beam=1, sample=True, top_k=5, top_p=1, temperature=0.5, banned=[0, 7])
    assert Decoding.from_config(json.loads(json.dumps(settings.get_config()))) == settings
    assert settings.change(beam=1, top_k=0).top_k == 0 and settings.top_k == 5
    assert hash(settings) != hash(Decoding())

"""Every variant of the zoo can be probed and reweighted."""

import sys
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from attention_zoo import layers
from attention_zoo.calibrate import capture, probe
from attention_zoo.calibrate.reweight import Reweighted, planned
from attention_zoo.testing.subject import Subject
from attention_zoo.watch import GATE, MIX, PREFIX

sys.path.insert(0, str(Path(__file__).parents[1] / "layers"))
import cases

BOUNDED = [MIX.index(name) for name in ("entropy", "peak", "top5", "sink", "distance", "coverage", "agreement", "rank")]


@pytest.mark.parametrize("name", layers.names())
def test_variant_has_statistics_in_their_ranges_and_takes_rules_that_change_nothing(name):
    subject = Subject(cases.BY_NAME[name])
    model, inputs = subject.form.open_model(subject.layer), subject.form.model_inputs(subject.form.probe(2))
    seen = capture(model)
    wanted, found = seen(inputs, training=False), probe(model)(inputs, training=False)
    values = {key.removeprefix(PREFIX): ops.convert_to_numpy(found[key]) for key in found if key.startswith(PREFIX)}
    assert set(values) == {key.removeprefix("attention.") for key in wanted if key.startswith("attention.")}
    sites = {}
    for site, table in values.items():
        told = seen.sites["attention." + site]
        sites.setdefault(site.split("#")[0], (told.kind, table.shape[1]))
        assert table.shape[-1] == len(MIX if told.kind == "mix" else GATE), site
        if told.kind == "mix":
            bounded = table[..., BOUNDED]
            assert not np.isinf(table).any(), site
            assert np.nanmin(bounded, initial=0) >= -1e-4 and np.nanmax(bounded, initial=0) <= 1 + 1e-4, site
    if any(kind == "mix" for kind, _ in sites.values()):
        changed = Reweighted(model, planned(["temperature", "blend"]), sites)(inputs, training=False)
        plain = wanted["output"] if "output" in wanted else {key: wanted[key] for key in changed}
        for one, other in zip(_arrays(changed), _arrays(plain)):
            np.testing.assert_array_equal(one, other)


def _arrays(outputs):
    outputs = list(outputs.values()) if isinstance(outputs, dict) else outputs
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [ops.convert_to_numpy(one) for one in outputs]

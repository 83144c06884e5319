"""Checks of masks: padding, the future, and rows that may see nothing."""

from typing import Any

import numpy as np

from attention_zoo.testing.case import Inputs, Scene, Visible
from attention_zoo.testing.gradients import gradients
from attention_zoo.testing.subject import Hide, Subject, call, rewound, run, to_numpy

EXACT = 1e-6
CUT = 5  # the first position of what is "the future" in check 4


def padding_changes_nothing(subject: Subject) -> dict[str, float]:
    """Change masked positions wildly: visible outputs stay; a mask that Keras carries works as one that is passed."""
    worst = {"noise": 0.0, "implicit": 0.0}
    for scene in subject.scenes.values():
        if scene.visible.queries is None:
            continue
        noisy = scene.inputs._replace(query=_with_noise(scene.inputs.query, scene.visible.queries))
        if scene.inputs.value is not None:
            noisy = noisy._replace(value=_with_noise(scene.inputs.value, scene.visible.keys))
        for watched in (False, True):
            wanted = subject.ran(scene, watched).output
            got = run(subject.layer, noisy, scene.visible, watched=watched).output
            if subject.case.role == "mix":
                wanted, got = wanted[scene.visible.queries], got[scene.visible.queries]
            difference = subject.near(f"the output without noise in the padding ({scene.name})", wanted, got, EXACT)
            worst["noise"] = max(worst["noise"], difference)
        implicit = _implicitly(subject.layer, scene)
        wanted = subject.ran(scene).output
        difference = subject.near(f"the output with the mask passed ({scene.name})", wanted, implicit, EXACT)
        worst["implicit"] = max(worst["implicit"], difference)
    return worst


def _with_noise(array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    noise = 50.0 * np.random.default_rng(7).normal(size=array.shape)
    return np.where(mask[..., None], array, noise).astype("float32")


def _implicitly(layer: Any, scene: Scene) -> np.ndarray:
    """Call with masks that the tensors carry."""
    query = Hide(scene.visible.queries)(scene.inputs.query)
    value = None if scene.inputs.value is None else Hide(scene.visible.keys)(scene.inputs.value)
    return to_numpy(call(layer, Inputs(query, value), Visible(causal=scene.visible.causal)))


def future_stays_hidden(subject: Subject) -> dict[str, float] | str:
    """Change what comes later: earlier outputs stay, with scores on and off, with dropout and noise."""
    if subject.case.role != "mix":
        return "a pooling layer sees the whole sequence"
    inputs = subject.plain.inputs
    later = inputs.query.copy()
    later[:, CUT:] += 3.0
    worst = 0.0
    ways: list[tuple[str, Any, dict[str, bool]]] = [
        ("", subject.layer, {}),
        (", watched", subject.layer, {"watched": True}),
        (", scores returned", subject.layer, {"scores": True}),
        (", training with dropout", _with_dropout(subject), {"training": True}),
        (", training with dropout, scores returned", _with_dropout(subject), {"training": True, "scores": True}),
    ]
    for causal in (True, False) if subject.case.causal else (True,):
        visible = Visible(causal=causal)
        for name, layer, options in ways:
            with rewound(layer):
                before = run(layer, inputs, visible, **options).output
            after = run(layer, inputs._replace(query=later), visible, **options).output
            what = f"outputs that the future does not change (use_causal_mask={causal}{name})"
            worst = max(worst, subject.near(what, before[:, :CUT], after[:, :CUT], EXACT))
            if np.array_equal(before[:, CUT:], after[:, CUT:]):
                subject.fail("outputs that change with their own inputs", "the same outputs")
    return {"output": worst}


def _with_dropout(subject: Subject) -> Any:
    if "dropout" not in subject.layer.get_config():
        return subject.layer
    return subject.twin(dropout=0.4, seed=1)


def nothing_seen_gives_zeros(subject: Subject) -> dict[str, float]:
    """Hide everything from some queries: zeros there (but for biases), zero rows, finite gradients."""
    layer = subject.layer
    layer.set_weights([w * 0 if name.endswith("bias") else w for name, w in subject.named().items()])
    try:
        for name, inputs, visible, blind in subject.blind():
            for watched in (False, True):
                ran = run(layer, inputs, visible, watched=watched)
                subject.near(f"zeros where nothing is seen ({name})", 0 * ran.output[blind], ran.output[blind], 0.0)
                if not np.isfinite(ran.output).all():
                    subject.fail("finite outputs", f"some that are not ({name})")
            for site, weights in ran.maps.items():
                _blind_rows_are_zero(subject, f"{site}, {name}", weights, blind)
        _, inputs, visible, _ = subject.blind()[-1]
        for name, gradient in gradients(layer, inputs, visible, watched=True).items():
            if not np.isfinite(gradient).all():
                subject.fail("finite gradients where nothing is seen", f"some that are not, in {name}")
    finally:
        layer.set_weights(subject.weights)
    return {}


def _blind_rows_are_zero(subject: Subject, where: str, weights: np.ndarray, blind: tuple) -> None:
    rows = weights[1] if len(blind) == 1 else weights[:, :, 3]
    if subject.case.role == "pool" and len(subject.case.lengths) > 1 and weights.ndim > 3:
        return
    if np.any(rows != 0):
        subject.fail("a row of zeros where nothing is seen", f"{np.max(np.abs(rows)):.3g} ({where})")

"""Statistics of heads that hang together, as those of a model do, and the faults of a head."""

import numpy as np

from attention_zoo.watch.names import BINS, GATE, MIX

HEADS = 4


def maps_to_statistics(maps):
    """Return the statistics of attention maps [examples, heads, query, key] by their plain definitions."""
    keys = maps.shape[-1]
    places = np.linspace(0.0, 1.0, keys)
    offsets = places[None, :] - np.linspace(0.0, 1.0, maps.shape[2])[:, None]
    mass = maps.sum(-1)
    share = maps / np.maximum(mass, 1e-9)[..., None]
    entropy = -(share * np.log(share + 1e-12)).sum(-1) / np.log(keys)
    mean_row = share.mean(2)
    coverage = -(mean_row * np.log(mean_row + 1e-12)).sum(-1) / np.log(keys)
    flat = share.reshape(*share.shape[:2], -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-9)
    likeness = np.einsum("ehx,egx->ehg", flat, flat)
    agreement = (likeness.sum(-1) - np.einsum("ehh->eh", likeness)) / (maps.shape[1] - 1)
    singular = np.linalg.svd(share, compute_uv=False)
    singular = singular / np.maximum(singular.sum(-1, keepdims=True), 1e-9)
    rank = np.exp(-(singular * np.log(singular + 1e-12)).sum(-1)) / keys
    bins = np.clip(((offsets + 1.0) / 2.0 * BINS).astype(int), 0, BINS - 1)
    own = np.rint(np.linspace(0.0, 1.0, maps.shape[2]) * (keys - 1))
    near = {name: own[:, None] + step == np.arange(keys) for name, step in (("before", -1), ("own", 0), ("after", 1))}
    profile = [(share * (bins == number)).sum(-1).mean(-1) for number in range(BINS)]
    found = {
        "entropy": entropy.mean(-1),
        "peak": share.max(-1).mean(-1),
        "top5": np.sort(share, -1)[..., -5:].sum(-1).mean(-1),
        "sink": share[..., 0].mean(-1),
        "distance": (share * np.abs(offsets)).sum(-1).mean(-1),
        "offset": (share * offsets).sum(-1).mean(-1),
        "diagonality": 1.0 - (share * np.abs(offsets)).sum(-1).mean(-1),
        **{name: (share * there).sum(-1).mean(-1) for name, there in near.items()},
        "coverage": coverage,
        "agreement": agreement,
        "rank": rank,
        "mass": mass.mean(-1),
        **{f"profile_{number}": value for number, value in enumerate(profile)},
    }
    return np.stack([found[name] for name in MIX], axis=-1).astype(np.float32)


def maps(examples, seed, *, sites=2, length=12):
    """Return maps of softmax scores: each head has its own place and width; each example moves all heads together."""
    fixed = np.random.default_rng(7)
    random = np.random.default_rng(seed)
    mood = random.normal(size=(examples, 1, 1, 1))
    steps = np.arange(length)
    found = {}
    for site in range(sites):
        reach = fixed.uniform(-2.0, 2.0, (1, HEADS, 1, 1))
        width = fixed.uniform(1.5, 4.0, (1, HEADS, 1, 1)) * np.exp(0.2 * mood)
        lean = -(((steps[None, :] - steps[:, None])[None, None] - reach) ** 2) / (2.0 * width**2)
        scores = lean + random.normal(0.0, 0.7, (examples, HEADS, length, length)) + 0.3 * mood * np.cos(steps)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        found[f"encoder_{site}"] = weights / weights.sum(-1, keepdims=True)
    return found


def normal(examples, seed, **options):
    """Return statistics of normal examples: two sites of maps, and a gate."""
    random = np.random.default_rng((seed, 1))
    gate = np.clip(0.5 + 0.05 * random.normal(size=(examples, 1, len(GATE))), 0.0, 1.0)
    gate[..., 2:] *= 0.1
    found = {site: maps_to_statistics(one) for site, one in maps(examples, seed, **options).items()}
    return {**found, "gate": gate.astype(np.float32)}


def collapse(weights, head):
    """Let each query of a head see one key in the middle."""
    weights[:, head] = 0.0
    weights[:, head, :, weights.shape[-1] // 2] = 1.0


def flatten(weights, head):
    """Let each query of a head see all keys alike."""
    weights[:, head] = 1.0 / weights.shape[-1]


def kill(weights, head):
    """Let a head see nothing."""
    weights[:, head] = 0.0


def shift(weights, head):
    """Let a head look one position to the right of where it should."""
    weights[:, head] = np.roll(weights[:, head], 1, axis=-1)


def sink(weights, head):
    """Move most of the weight of a head to the first key."""
    weights[:, head] *= 0.15
    weights[:, head, :, 0] += 0.85


def poison(weights, head):
    """Put NaN into one weight of a head."""
    weights[0, head, 0, 0] = np.nan


FAULTS = {
    "collapsed": collapse,
    "uniform": flatten,
    "dead head": kill,
    "shifted": shift,
    "sink": sink,
}


def faulty(examples, seed, fault, site="encoder_1", head=2):
    """Return statistics of examples whose one head has a fault; all else is as in `normal`."""
    found = normal(examples, seed)
    broken = maps(examples, seed)[site]
    fault(broken, head)
    found[site] = maps_to_statistics(broken)
    return found

"""Pooling: sums of a sequence, as loops over batch, hop and time."""

import numpy as np

from oracles.normalizers import softmax


def structured(hops, bias=False, below=""):
    """Lin 2017, equations 5 to 7: A = softmax(W_s2 tanh(W_s1 H^T)), M = A H. With one hop and a bias: Raffel 2015."""

    def oracle(inputs, weights, visible):
        x = np.array(inputs.query, "float64")
        mask = visible.queries
        table = np.zeros((x.shape[0], hops, x.shape[1]))
        output = np.zeros((x.shape[0], hops * x.shape[2]))
        for b in range(x.shape[0]):
            seen = [t for t in range(x.shape[1]) if mask is None or mask[b, t]]
            for hop in range(hops):
                row = softmax([energy(x[b, t], weights, hop, bias, below) for t in seen], weights, hop) if seen else []
                for t, weight in zip(seen, row):
                    table[b, hop, t] = weight
                    output[b, hop * x.shape[2] : (hop + 1) * x.shape[2]] += weight * x[b, t]
        return output, table

    return oracle


def energy(step, weights, hop, bias, below):
    """v_hop . tanh(W h (+ b))"""
    kernel, questions = weights[f"{below}hidden/kernel"], weights[f"{below}questions/kernel"]
    total = 0.0
    for unit in range(kernel.shape[1]):
        inside = sum(step[i] * kernel[i, unit] for i in range(len(step)))
        inside += weights[f"{below}hidden/bias"][unit] if bias else 0.0
        total += questions[unit, hop] * np.tanh(inside)
    return total


def hierarchical(inputs, weights, visible):
    """Yang 2016, equations 5 to 10 without the encoders: words to sentences, sentences to the document."""
    x = np.array(inputs.query, "float64")
    mask = np.ones(x.shape[:3], bool) if visible.queries is None else visible.queries
    words, sentences = structured(1, True, "words/"), structured(1, True, "sentences/")
    vectors = np.zeros((x.shape[0], x.shape[1], x.shape[3]))
    for s in range(x.shape[1]):
        vectors[:, s] = words(inputs._replace(query=x[:, s]), weights, visible._replace(queries=mask[:, s]))[0]
    return sentences(inputs._replace(query=vectors), weights, visible._replace(queries=mask.any(2)))

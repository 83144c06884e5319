"""Scores of one query against one key, for one head: function(q, k, weights, head) -> number."""

import numpy as np


def dot(q, k, weights, head):
    """Luong 2015, section 3.1: h_t . h_s"""
    return sum(q[i] * k[i] for i in range(len(q)))


def scaled_dot(q, k, weights, head):
    """Vaswani 2017, section 3.2.1: q . k / sqrt(d)"""
    return dot(q, k, weights, head) / np.sqrt(len(q))


def general(q, k, weights, head):
    """Luong 2015, section 3.1: h_t W h_s"""
    matrix = weights["score/kernel"][head]
    return sum(q[i] * matrix[i][j] * k[j] for i in range(len(q)) for j in range(len(k)))


def additive(q, k, weights, head):
    """Bahdanau 2014, appendix A.1.2: v . tanh(W q + U k)"""
    query_matrix, key_matrix = weights["score/query_kernel"][head], weights["score/key_kernel"][head]
    direction = weights["score/direction"][head]
    total = 0.0
    for unit in range(len(direction)):
        inside = sum(q[i] * query_matrix[i][unit] for i in range(len(q)))
        inside += sum(k[i] * key_matrix[i][unit] for i in range(len(k)))
        total += direction[unit] * np.tanh(inside)
    return total


def concat(q, k, weights, head):
    """Luong 2015, section 3.1: v . tanh(W [h_t; h_s])"""
    matrix, direction = weights["score/kernel"][head], weights["score/direction"][head]
    joined = [*q, *k]
    total = 0.0
    for unit in range(len(direction)):
        total += direction[unit] * np.tanh(sum(joined[i] * matrix[i][unit] for i in range(len(joined))))
    return total


def cosine(q, k, weights, head):
    """Graves 2014, section 3.3.1, with a sharpness of the head: exp(b) u . v / (|u| |v|)"""
    sharpness = np.exp(weights["score/log_sharpness"][head])
    return sharpness * dot(q, k, weights, head) / (np.sqrt(np.sum(q * q)) * np.sqrt(np.sum(k * k)))


def query_key_norm(q, k, weights, head):
    """Dehghani 2023, section 2 (with the root mean square): (g_q q / rms(q)) . (g_k k / rms(k)) / sqrt(d)"""
    root = np.sqrt(np.mean(q * q)), np.sqrt(np.mean(k * k))
    q, k = weights["score/query_gain"] * q / root[0], weights["score/key_gain"] * k / root[1]
    return scaled_dot(q, k, weights, head)


def soft_capped(cap):
    """Gemma 2 2024, section 2: cap * tanh(score / cap), of scaled dot products."""

    def score(q, k, weights, head):
        return cap * np.tanh(scaled_dot(q, k, weights, head) / cap)

    return score

"""Losses of what comes next, where only some of the items are scored."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("attention_zoo")
class SampledSoftmax(keras.losses.Loss):
    """Softmax cross-entropy over the right item and some that were drawn, corrected for how they were drawn.

    loss = log(exp(s_0) + sum over drawn i of exp(s_i - off_i)) - s_0, off_i = log(n q_i) for n draws of chance q_i

    So the sum is on average that over all items, whatever the chances. `off` is very large where the right item was
    drawn, which then does not count.

    Call: truth float32 [asked, 1 + drawn], what is taken off each score, 0 for the right item, which comes first;
    scores of the same shape; weights [asked] or None.
    Returns: the mean over what is asked, each with its weight. In float32.

    Cost: time and memory asked x drawn.
    Source: Bengio, Senecal 2008, "Adaptive importance sampling to accelerate training of a neural probabilistic
    language model"; Yi et al. 2019, "Sampling-bias-corrected neural modeling" (RecSys).
    """

    def __init__(self, reduction="mean_with_sample_weight", name="sampled_softmax", **options):
        super().__init__(name=name, reduction=reduction, **options)

    def call(self, truth, scores):
        corrected = scores - truth
        return ops.logsumexp(corrected, axis=-1) - corrected[:, 0]


@keras.saving.register_keras_serializable("attention_zoo")
class BinaryChoice(keras.losses.Loss):
    """Sigmoid cross-entropy of the right item and of some that were drawn.

    loss = -log sigmoid(s_0) - sum over drawn i of log(1 - sigmoid(s_i))

    Call: truth float32 [asked, 1 + drawn]: 1 for the right item, 0 for the others, below 0 for what does not count;
    scores of the same shape; weights [asked] or None.
    Returns: the mean over what is asked, each with its weight. In float32.

    Source: Kang, McAuley 2018, arXiv:1808.09781, section III-E.
    """

    def __init__(self, reduction="mean_with_sample_weight", name="binary_choice", **options):
        super().__init__(name=name, reduction=reduction, **options)

    def call(self, truth, scores):
        right = ops.maximum(truth, 0.0)
        said = right * ops.log_sigmoid(scores) + (1.0 - right) * ops.log_sigmoid(-scores)
        return -ops.sum(ops.where(truth < 0, 0.0, said), axis=-1)

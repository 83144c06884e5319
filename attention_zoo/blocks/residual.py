"""Residual blocks of convolutions, with any attention of images in their branch."""

from typing import Any, NamedTuple

import keras

from attention_zoo.blocks.configs import with_plain_layers
from attention_zoo.blocks.normalizing import NORMS, make_norm
from attention_zoo.checks import share, whole_number
from attention_zoo.errors import unknown
from attention_zoo.layers import named

KINDS = ("basic", "bottleneck", "inverted", "fused")
ORDERS = ("pre", "post")


class Step(NamedTuple):
    """A convolution of a branch.

    Args:
        name: of its layer.
        kernel: pixels along each side.
        width: channels of its output.
        stride: pixels from one place to the next.
        depthwise: whether each channel is convolved by itself.
    """

    name: str
    kernel: int
    width: int
    stride: int = 1
    depthwise: bool = False


@keras.saving.register_keras_serializable(package="attention_zoo")
class ResidualBlock(keras.layers.Layer):
    """Add to an image what a few convolutions, and an attention, make of it.

    post: output = act(x + attention(norm(conv(act(norm(conv(x)))))))
    pre:  output = x + attention(conv(act(norm(conv(act(norm(x)))))))

    * "basic": 3 x 3, 3 x 3
    * "bottleneck": 1 x 1 to filters / expansion, 3 x 3, 1 x 1
    * "inverted": 1 x 1 to inputs x expansion, depthwise, 1 x 1; the attention reads the wide image before the last
      convolution, and the sum is not activated
    * "fused": as "inverted", with one full convolution in place of the first two

    Where the branch changes the image's shape, "basic" and "bottleneck" bring the image to it by a 1 x 1 convolution;
    the other two leave the image out.

    Args:
        filters: channels of the output.
        kind: one of the above.
        stride: pixels from one place of the output to the next.
        order: "pre" (pre-activation) or "post" (as first published).
        norm: "batch", "layer" or "group".
        activation: by name, as in Keras.
        attention: any name of `layers.names("image")`, a dict with "name" and arguments, a layer, or None.
        expansion: how much wider (bottleneck: narrower) the branch is in between, not of "basic".
        kernel: pixels along each side of the convolution in between of "inverted" and "fused", odd.
        dropout: share of the channels dropped before the last convolution while training, 0 to 1.
        stochastic_depth: how often the branch is left out for a whole image while training, 0 to 1.

    Call:
        inputs: [batch, height, width, channel].

    Returns:
        [batch, height / stride, width / stride, filters], rounded up.

    Raises:
        ZooValueError: if a number is out of range or a name is unknown.

    Source: He et al. 2015, arXiv:1512.03385 (basic, bottleneck, post), and 2016, arXiv:1603.05027 (pre); Sandler et
    al. 2018, arXiv:1801.04381 (inverted); Tan, Le 2021, arXiv:2104.00298 (fused); Zagoruyko, Komodakis 2016,
    arXiv:1605.07146 (dropout); Huang et al. 2016, arXiv:1603.09382 (stochastic depth).
    """

    def __init__(
        self,
        filters: int,
        kind: str = "basic",
        stride: int = 1,
        order: str = "pre",
        norm: str = "batch",
        activation: str = "relu",
        attention: Any = None,
        expansion: int = 4,
        kernel: int = 3,
        dropout: float = 0.0,
        stochastic_depth: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        for name, value, known in (("kind", kind, KINDS), ("order", order, ORDERS), ("norm", norm, NORMS)):
            if value not in known:
                raise unknown(f"{name} of a residual block", value, known)
        for name, value in {"filters": filters, "stride": stride, "expansion": expansion, "kernel": kernel}.items():
            whole_number(name, value)
        for name, value in {"dropout": dropout, "stochastic_depth": stochastic_depth}.items():
            share(name, value)
        self.filters, self.kind, self.stride, self.order, self.norm = filters, kind, stride, order, norm
        self.activation, self.attention, self.expansion, self.kernel = activation, attention, expansion, kernel
        self.dropout, self.stochastic_depth = dropout, stochastic_depth

    def get_config(self) -> dict:
        names = ("filters", "kind", "stride", "order", "norm", "activation", "attention", "expansion", "kernel")
        names += ("dropout", "stochastic_depth")
        return with_plain_layers({**super().get_config(), **{name: getattr(self, name) for name in names}})

    def steps(self, width: int) -> list[Step]:
        """Return the convolutions of the branch for inputs of `width` channels."""
        if self.kind == "basic":
            return [Step("first", 3, self.filters, self.stride), Step("second", 3, self.filters)]
        if self.kind == "bottleneck":
            inner = max(self.filters // self.expansion, 1)
            between = Step("between", 3, inner, self.stride)
            return [Step("contract", 1, inner), between, Step("expand", 1, self.filters)]
        hidden = width * self.expansion
        if self.kind == "fused":
            return [Step("expand", self.kernel, hidden, self.stride), Step("contract", 1, self.filters)]
        between = Step("between", self.kernel, hidden, self.stride, depthwise=True)
        return [Step("expand", 1, hidden), between, Step("contract", 1, self.filters)]

    def build(self, input_shape: Any) -> None:
        width, policy = input_shape[-1], {"dtype": self.dtype_policy}
        self.linear = self.kind in ("inverted", "fused")
        fits = self.stride == 1 and width == self.filters
        self.residual, self.shortcut = fits or not self.linear, None
        self.bend = keras.layers.Activation(self.activation, name="bend", **policy)
        self.convolutions, self.norms = [], []
        current = width
        for step in self.steps(width):
            self.convolutions.append(self._convolution(step, current))
            normed = current if self.order == "pre" else step.width
            self.norms.append(make_norm(self.norm, f"{step.name}_norm", normed, self.dtype_policy))
            current = step.width
        if self.residual and not fits:
            self.shortcut = self._convolution(Step("shortcut", 1, self.filters, self.stride), width)
            if self.order == "post":
                self.shortcut_norm = make_norm(self.norm, "shortcut_norm", self.filters, self.dtype_policy)
        self.attending = None
        if self.attention is not None:
            self.attending = named.get(self.attention, role="image", name="attention", **policy)
            if not self.attending.built:
                self.attending.build(self._attended(input_shape))
        self.dropping = keras.layers.Dropout(self.dropout, name="dropping", **policy)
        self.skipping = keras.layers.Dropout(self.stochastic_depth, (None, 1, 1, 1), name="skipping", **policy)

    def _attended(self, input_shape: Any) -> tuple:
        """Return the shape that the attention reads."""
        shape = self.compute_output_shape(input_shape)
        return (*shape[:-1], input_shape[-1] * self.expansion) if self.linear else shape

    def _convolution(self, step: Step, width: int) -> keras.layers.Layer:
        """Make and build a convolution; the norm beside it has the bias."""
        options = {"padding": "same", "use_bias": False, "data_format": "channels_last", "name": step.name}
        options |= {"dtype": self.dtype_policy, "strides": step.stride}
        if step.depthwise:
            layer = keras.layers.DepthwiseConv2D(step.kernel, depthwise_initializer="he_normal", **options)
        else:
            layer = keras.layers.Conv2D(step.width, step.kernel, kernel_initializer="he_normal", **options)
        layer.build((None, None, None, width))
        return layer

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        branch = self._pre(inputs, training) if self.order == "pre" else self._post(inputs, training)
        kept, branch = branch
        if self.attending is not None and not self.linear:
            branch = self.attending(branch)
        if not self.residual:
            return branch
        output = kept + self.skipping(branch, training=training)
        return output if self.order == "pre" or self.linear else self.bend(output)

    def _pre(self, inputs: Any, training: bool | None) -> tuple[Any, Any]:
        """Return what the branch is added to, and the branch; norm and activation come before each convolution."""
        current, kept = inputs, inputs
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            current = self.bend(norm(current, training=training) if self.norm == "batch" else norm(current))
            if number == 0 and self.shortcut is not None:
                kept = self.shortcut(current)
            if number == len(self.norms) - 1:
                current = self._before_last(current, training)
            current = convolution(current)
        return kept, current

    def _post(self, inputs: Any, training: bool | None) -> tuple[Any, Any]:
        """Return what the branch is added to, and the branch; norm and activation come after each convolution."""
        current, kept, last = inputs, inputs, len(self.norms) - 1
        options = {"training": training} if self.norm == "batch" else {}
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            if number == last:
                current = self._before_last(current, training)
            current = norm(convolution(current), **options)
            current = current if number == last else self.bend(current)
        if self.shortcut is not None:
            kept = self.shortcut_norm(self.shortcut(inputs), **options)
        return kept, current

    def _before_last(self, wide: Any, training: bool | None) -> Any:
        """Attend to what the last convolution reads, where the block does so there, and drop."""
        if self.attending is not None and self.linear:
            wide = self.attending(wide)
        return self.dropping(wide, training=training)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        sizes = (None if size is None else -(-size // self.stride) for size in input_shape[1:3])
        return (input_shape[0], *sizes, self.filters)

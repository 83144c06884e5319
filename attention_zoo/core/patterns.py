"""Patterns: which pairs of positions may meet. They combine with `&` and `|`."""

from typing import Any, NamedTuple

from keras import ops

from attention_zoo.checks import whole_number
from attention_zoo.core.part import Part, get_part, register
from attention_zoo.errors import ZooValueError


class Window(NamedTuple):
    """The reach of a pattern, for the blocked form: keys from `left` steps before to `right` steps after.

    Args:
        left: steps to the left (tokens), after thinning by `dilation`.
        right: steps to the right.
        dilation: distance between neighbours; only positions with the same remainder meet.
    """

    left: int
    right: int
    dilation: int = 1


class Pattern(Part):
    """Base of patterns."""

    def allowed(self, query: Any, key: Any) -> Any:
        """Say which pairs may meet.

        Args:
            query: int positions [..., query, 1].
            key: int positions [..., 1, key].

        Returns:
            bool, broadcasting to [..., query, key]; None where every pair may.
        """
        return None

    @property
    def window(self) -> Window | None:
        """The widest reach, if it is bounded on both sides: then the blocked form can run it."""
        return None

    @property
    def causal(self) -> bool:
        """True where no query sees a later key."""
        return False

    @property
    def prefix(self) -> int | None:
        """How many tokens at the start see one another, the rest being causal; None where others look ahead too."""
        return 0 if self.causal else None

    def __and__(self, other: "Pattern") -> "Pattern":
        return Both(self, other)

    def __or__(self, other: "Pattern") -> "Pattern":
        return Either(self, other)


@register("pattern", "full")
class Full(Pattern):
    """Let every query see every key."""


@register("pattern", "causal")
class Causal(Pattern):
    """Let each query see itself and what came before: k <= q

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.3.
    """

    def allowed(self, query: Any, key: Any) -> Any:
        return key <= query

    @property
    def causal(self) -> bool:
        return True


@register("pattern", "prefix")
class Prefix(Pattern):
    """Let every query see the first `length` keys, and beyond them only what came before: k < length or k <= q

    Args:
        length: tokens of the prefix, at least 0.

    Raises:
        ZooValueError: if length < 0.

    Source: Raffel et al. 2019, arXiv:1910.10683, section 3.2.1.
    """

    def __init__(self, length: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.length = whole_number("length", length, 0, "tokens")

    def get_config(self) -> dict:
        return {**super().get_config(), "length": self.length}

    def allowed(self, query: Any, key: Any) -> Any:
        return ops.logical_or(key < self.length, key <= query)

    @property
    def prefix(self) -> int:
        return self.length


@register("pattern", "sliding_window")
class SlidingWindow(Pattern):
    """Let each query see the keys at most `reach` steps away: |q - k| <= reach, and k <= q where one-sided.

    Args:
        reach: steps to each side (tokens), at least 0; 0 sees only itself.
        one_sided: True looks back only (causal).

    Raises:
        ZooValueError: if reach < 0.

    Cost: time and memory batch x heads x length x (2 reach + 1), by blocks.
    Source: Beltagy, Peters, Cohan 2020, arXiv:2004.05150, section 3.1. Differs: no dilation, see `Dilated`.
    """

    def __init__(self, reach: int = 128, one_sided: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.reach, self.one_sided = whole_number("reach", reach, 0, "tokens"), one_sided

    def get_config(self) -> dict:
        return {**super().get_config(), "reach": self.reach, "one_sided": self.one_sided}

    def allowed(self, query: Any, key: Any) -> Any:
        near = ops.abs(query - key) <= self.reach
        return ops.logical_and(near, key <= query) if self.one_sided else near

    @property
    def window(self) -> Window:
        return Window(self.reach, 0 if self.one_sided else self.reach)

    @property
    def causal(self) -> bool:
        return self.one_sided


@register("pattern", "dilated")
class Dilated(Pattern):
    """Let each query see every `dilation`-th key, `reach` of them to each side: |q - k| = dilation x (0 ... reach)

    Args:
        reach: keys seen on each side, at least 0.
        dilation: steps between them (tokens), at least 1; 1 is `SlidingWindow`.
        one_sided: True looks back only (causal).

    Raises:
        ZooValueError: if reach < 0 or dilation < 1.

    Cost: time and memory batch x heads x length x (2 reach + 1), by blocks of positions with one remainder.
    Source: Beltagy, Peters, Cohan 2020, arXiv:2004.05150, section 3.1.
    """

    def __init__(self, reach: int = 64, dilation: int = 2, one_sided: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.reach, self.dilation = (
            whole_number("reach", reach, 0, "tokens"),
            whole_number("dilation", dilation, 1, "tokens"),
        )
        self.one_sided = one_sided

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "reach": self.reach,
            "dilation": self.dilation,
            "one_sided": self.one_sided,
        }

    def allowed(self, query: Any, key: Any) -> Any:
        distance = ops.abs(query - key)
        near = ops.logical_and(distance <= self.reach * self.dilation, ops.equal(distance % self.dilation, 0))
        return ops.logical_and(near, key <= query) if self.one_sided else near

    @property
    def window(self) -> Window:
        return Window(self.reach, 0 if self.one_sided else self.reach, self.dilation)

    @property
    def causal(self) -> bool:
        return self.one_sided


@register("pattern", "block")
class Block(Pattern):
    """Cut the sequence into blocks and let each query see its own block: q // size = k // size

    Args:
        size: tokens in a block, at least 1.

    Raises:
        ZooValueError: if size < 1.

    Cost: time and memory batch x heads x length x 3 size, by blocks.
    Source: Qiu et al. 2019, arXiv:1911.02972 (the identity permutation).
    """

    def __init__(self, size: int = 64, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = whole_number("size", size, 1, "tokens")

    def get_config(self) -> dict:
        return {**super().get_config(), "size": self.size}

    def allowed(self, query: Any, key: Any) -> Any:
        return ops.equal(query // self.size, key // self.size)

    @property
    def window(self) -> Window:
        return Window(self.size - 1, self.size - 1)


@register("pattern", "global_tokens")
class GlobalTokens(Pattern):
    """Let the first `count` tokens see all and be seen by all: q < count or k < count

    Args:
        count: tokens at the start that are global, at least 1.

    Raises:
        ZooValueError: if count < 1.

    Cost: as full attention; it is meant to be joined by `|` with a window.
    Source: Beltagy, Peters, Cohan 2020, arXiv:2004.05150, section 3.1 ("global attention").
    """

    def __init__(self, count: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.count = whole_number("count", count, 1, "tokens")

    def get_config(self) -> dict:
        return {**super().get_config(), "count": self.count}

    def allowed(self, query: Any, key: Any) -> Any:
        return ops.logical_or(query < self.count, key < self.count)


@register("pattern", "strided")
class Strided(Pattern):
    """Let each query see the last `stride` tokens, and before them every `stride`-th.

    allowed[q, k] = k <= q and (q - k < stride or (q - k) % stride = 0)

    Args:
        stride: tokens, at least 1; about the square root of the length.

    Raises:
        ZooValueError: if stride < 1.

    Cost: as full attention: the pairs are masked, not skipped.
    Source: Child et al. 2019, arXiv:1904.10509, section 4.3 ("strided"), both heads' patterns in one.
    """

    def __init__(self, stride: int = 32, **kwargs: Any):
        super().__init__(**kwargs)
        self.stride = whole_number("stride", stride, 1, "tokens")

    def get_config(self) -> dict:
        return {**super().get_config(), "stride": self.stride}

    def allowed(self, query: Any, key: Any) -> Any:
        steps = query - key
        near = ops.logical_or(steps < self.stride, ops.equal(steps % self.stride, 0))
        return ops.logical_and(near, steps >= 0)

    @property
    def causal(self) -> bool:
        return True


@register("pattern", "fixed")
class Fixed(Strided):
    """Let each query see its own block of `stride` tokens, and the last `summary` tokens of every block before it.

    allowed[q, k] = k <= q and (k // stride = q // stride or k % stride >= stride - summary)

    Args:
        stride: tokens in a block, at least 1.
        summary: tokens at the end of a block that all later ones see, 1 to `stride`.

    Raises:
        ZooValueError: if stride < 1, or summary is out of range.

    Cost: as full attention: the pairs are masked, not skipped.
    Source: Child et al. 2019, arXiv:1904.10509, section 4.3 ("fixed"), both heads' patterns in one.
    """

    def __init__(self, stride: int = 32, summary: int = 4, **kwargs: Any):
        super().__init__(stride, **kwargs)
        self.summary = whole_number("summary", summary, 1, "tokens")
        if summary > stride:
            raise ZooValueError(f"summary must be at most stride ({stride} tokens), got {summary}")

    def get_config(self) -> dict:
        return {**super().get_config(), "summary": self.summary}

    def allowed(self, query: Any, key: Any) -> Any:
        same = ops.equal(query // self.stride, key // self.stride)
        near = ops.logical_or(same, key % self.stride >= self.stride - self.summary)
        return ops.logical_and(near, key <= query)


class _Pair(Pattern):
    """Shared by the two ways to join patterns."""

    def __init__(self, first: Any, second: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.first, self.second = get_part("pattern", first, "full"), get_part("pattern", second, "full")

    def get_config(self) -> dict:
        return {**super().get_config(), "first": _serialized(self.first), "second": _serialized(self.second)}


@register("pattern", "both")
class Both(_Pair):
    """Let pairs meet that both patterns allow; written `first & second`.

    Args:
        first: a pattern, by name, dict or object.
        second: the other.
    """

    def allowed(self, query: Any, key: Any) -> Any:
        first, second = self.first.allowed(query, key), self.second.allowed(query, key)
        if first is None or second is None:
            return second if first is None else first
        return ops.logical_and(first, second)

    @property
    def window(self) -> Window | None:
        first, second = self.first.window, self.second.window
        if first is None or second is None:
            found = second if first is None else first
            # A causal partner cuts off what lies ahead.
            return found if found is None or not self.causal else found._replace(right=0)
        if first.dilation != second.dilation:
            return None
        right = 0 if self.causal else min(first.right, second.right)
        return Window(min(first.left, second.left), right, first.dilation)

    @property
    def causal(self) -> bool:
        return self.first.causal or self.second.causal

    @property
    def prefix(self) -> int | None:
        known = [part.prefix for part in (self.first, self.second) if part.prefix is not None]
        return min(known, default=None)


@register("pattern", "either")
class Either(_Pair):
    """Let pairs meet that at least one pattern allows; written `first | second`.

    Args:
        first: a pattern, by name, dict or object.
        second: the other.
    """

    def allowed(self, query: Any, key: Any) -> Any:
        first, second = self.first.allowed(query, key), self.second.allowed(query, key)
        return None if first is None or second is None else ops.logical_or(first, second)

    @property
    def window(self) -> Window | None:
        first, second = self.first.window, self.second.window
        if first is None or second is None or first.dilation != second.dilation:
            return None
        return Window(max(first.left, second.left), max(first.right, second.right), first.dilation)

    @property
    def causal(self) -> bool:
        return self.first.causal and self.second.causal

    @property
    def prefix(self) -> int | None:
        both = (self.first.prefix, self.second.prefix)
        return None if None in both else max(both)


def _serialized(part: Part) -> dict:
    """Write a part the way Keras reads it back."""
    from keras import saving

    return saving.serialize_keras_object(part)

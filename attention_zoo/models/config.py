"""What every family's config can do: be made from a dict, say which key is wrong, and go to JSON."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from attention_zoo.errors import ZooFileError, ZooTypeError, ZooValueError, unknown

FORMAT = 1  # of config.json; raised when an older version could no longer read it


class Config:
    """Base of the families' configs, which are frozen dataclasses.

    Attributes:
        family: name of the family, the same for all configs of a class.
        answers: names of the fields that turn the model's outputs into answers; the others describe the network and
            lie under "network" in config.json.
    """

    family = ""
    answers: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Make a config; a key that is no field is an error that names the nearest.

        Raises:
            ZooValueError: if a key is unknown or a value cannot work.
        """
        names = cls.names()
        for key in values:
            if key not in names:
                raise unknown(f"{cls.family} option", key, names)
        return cls(**values)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the fields."""
        return tuple(field.name for field in dataclasses.fields(cls))

    def fill(self, values: Mapping[str, Any]) -> None:
        """Take `values` for the fields that are None; for `__post_init__` alone."""
        for name, value in values.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    def change(self, **values: Any) -> Self:
        """Return a copy with other values.

        Raises:
            ZooValueError: if a key is unknown or a value cannot work.
        """
        return self.of(**{**{name: getattr(self, name) for name in self.names()}, **values})

    def to_dict(self) -> dict[str, Any]:
        """Return the contents of `config.json`."""
        values = {name: _plain(getattr(self, name)) for name in self.names()}
        answers = {name: values.pop(name) for name in self.answers}
        return {"format": FORMAT, "family": self.family, **answers, "network": values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "the config") -> Self:
        """Read what `to_dict` returned.

        Args:
            values: contents of a `config.json`.
            source: where they come from, for the sentence of an error.

        Raises:
            ZooFileError: if the format, the family or a field is not what it must be.
        """
        if values.get("format") != FORMAT or values.get("family") != cls.family:
            raise ZooFileError(
                f"{source} must have format {FORMAT} and family {cls.family!r}, got {values.get('format')!r} and "
                f"{values.get('family')!r}"
            )
        network = values.get("network")
        if not isinstance(network, Mapping):
            raise ZooFileError(f"{source} is damaged: 'network' must be a table, got {network!r}")
        answers = {name: value for name, value in values.items() if name not in ("format", "family", "network")}
        try:
            return cls.of(**network, **answers)
        except (ZooValueError, TypeError) as error:
            raise ZooFileError(f"{source} is damaged: {error}") from error


def as_tuple(name: str, values: Any) -> tuple:
    """Return a list of values as a tuple.

    Raises:
        ZooTypeError: if it is no list.
    """
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise ZooTypeError(f"{name} must be a list, got {values!r}")
    return tuple(values)


def _plain(value: Any) -> Any:
    """Return tuples as lists, as JSON has them."""
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value

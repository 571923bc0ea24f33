"""Values in their one form: fields that are validated, text that is canonical, ids that are hashes of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ganbench.errors import SpecError, nearest

Scalar = bool | int | float | str
"""A setting's value, or a protocol's."""


class Model(BaseModel):
    """Validated fields that never change; what is not a field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Validate `values`; the first fault becomes a SpecError of one line, prefixed by `where`."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SpecError(_one_line(error, where, list(cls.model_fields))) from None


def plain(value: Scalar) -> Scalar:
    """A number in its one form: 10.0 is 10 (a run's id must not depend on how a number was typed)."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SpecError(f"{value} is not a finite number")
        return int(value) if value.is_integer() else value
    return value


def canonical(value: Any) -> str:
    """JSON with sorted keys and plain numbers: equal content gives equal text."""
    return _ENCODER.encode(_plain_tree(value))


def digest(value: Any) -> str:
    """12 hex digits of the SHA-256 of the canonical JSON of `value`."""
    return hashed(canonical(value))


def hashed(text: str) -> str:
    """12 hex digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain_tree(value: Any) -> Any:
    if type(value) in _AS_THEY_ARE:  # most of what there is: to ask for an abstract class takes ten times as long
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_tree(item) for item in value]
    return plain(value)


_UNION_MEMBERS = {"bool", "int", "float", "str", "Range", "list[union[bool,int,float,str]]"}


def _one_line(error: ValidationError, where: str, fields: list[str]) -> str:
    """The fault that says most: of a union's many, the one of the member that nearly fitted."""
    fault = min(error.errors(), key=lambda each: each["type"] != "value_error")
    place = ".".join(str(part) for part in fault["loc"] if part not in _UNION_MEMBERS)
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = f"no such field, {nearest(place, fields)}"
    given = "" if fault["type"] in ("missing", "value_error", "extra_forbidden") else f" (got {fault['input']!r})"
    return ": ".join(part for part in (where, place, message[0].lower() + message[1:]) if part) + given

"""What rules judge: plain data, in which a value that only the update will tell is UNKNOWN.

Knows nothing of Pulumi, so that checking files needs no engine and loads in a moment.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_PLAIN_KEY = re.compile(r"[\w-]+")


class Unknown:
    """The type of UNKNOWN."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""A value that only the update will tell, or that is encrypted where it was read."""

SENTINELS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""How the engine writes an unknown in a preview, by type (pulumi, sdk/go/common/resource/plugin)."""


def get(value: Any, *fields: str) -> Any:
    """The value at `fields`: None where it, or what it would be in, is absent or null; UNKNOWN beyond an UNKNOWN."""
    for field in fields:
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(
            value, dict
        ):  # plain data holds no other maps, and asking for Mapping takes five times as long
            return None
        value = value.get(field)
    return value


def mappings(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each entry of a list with its path: a mapping or UNKNOWN. An unknown list is one such entry; others are none."""
    if value is UNKNOWN:
        yield path, UNKNOWN
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            if entry is UNKNOWN or isinstance(entry, dict):
                yield f"{path}[{index}]", entry


def child(path: str, key: str) -> str:
    """An entry of a map whose keys are free, below `path`; in brackets where a dot would mislead."""
    return join(path, key) if _PLAIN_KEY.fullmatch(key) else f'{path}["{key}"]'


def join(path: str, field: str) -> str:
    """`field` below `path`, which is empty at the top."""
    return f"{path}.{field}" if path else field


def type_name(value: Any) -> str:
    """What a reader of YAML calls the type of `value`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a map" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else "a value"

"""What differs between two sets of Kubernetes objects, field by field, as short as it can be said."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = object()
"""In place of a value where there is none; null is a value."""


@dataclass(frozen=True)
class Difference:
    """One field: of which object, where in it, what it was and what it is."""

    object: str
    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.old is ABSENT:
            return f"+ {self.path}: {written(self.new)}"
        if self.new is ABSENT:
            return f"- {self.path}: {written(self.old)}"
        return f"~ {self.path}: {written(self.old)} -> {written(self.new)}"


def written(value: Any, most: int = 100) -> str:
    """A value on one line, cut where it is long."""
    if value is ABSENT:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def name_of(manifest: Mapping[str, Any]) -> str:
    """An object by kind and name, with its namespace if it is in one."""
    metadata = manifest["metadata"]
    where = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{manifest['kind']} {where}{metadata['name']}"


def differences(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[Difference]:
    """Every field that differs; an object that only one side has is one difference, with an empty path."""
    before, after = ({name_of(each): each for each in side} for side in (old, new))
    found = []
    for name in [*before, *(each for each in after if each not in before)]:
        if name in before and name in after:
            found += [Difference(name, *each) for each in _fields(before[name], after[name], "")]
        else:
            found.append(Difference(name, "", before.get(name, ABSENT), after.get(name, ABSENT)))
    return found


def _fields(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(each for each in new if each not in old)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from _field(old.get(key, ABSENT), new.get(key, ABSENT), inner)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _entries(old, new, path)
    elif old != new:
        yield path, old, new


def _field(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if old is ABSENT or new is ABSENT:
        yield path, old, new
    else:
        yield from _fields(old, new, path)


def _entries(old: list[Any], new: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    """Entries with names are compared by name; of others, those that only one side has are told."""
    if _all_named(old) and _all_named(new):
        before, after = ({each["name"]: each for each in side} for side in (old, new))
        for name in [*before, *(each for each in after if each not in before)]:
            yield from _field(before.get(name, ABSENT), after.get(name, ABSENT), f"{path}[{name}]")
        return
    yield from ((f"{path}[]", each, ABSENT) for each in old if each not in new)
    yield from ((f"{path}[]", ABSENT, each) for each in new if each not in old)


def _all_named(entries: list[Any]) -> bool:
    return all(isinstance(each, Mapping) and "name" in each for each in entries)

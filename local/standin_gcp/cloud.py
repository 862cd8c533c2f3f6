"""What the stand-in keeps: every resource of its Google Cloud, in one file, as the APIs would keep it."""

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """An API said no; the text is what it would say."""


@dataclass
class Kept:
    """One resource: what was asked for, and what it looks like."""

    kind: str
    inputs: Json
    outputs: Json


class Cloud:
    """The resources by id. Safe for the engine's parallel calls; written down after each change.

    What `others` made in the same project is there too, in files of their own, and is theirs to change.
    """

    project = ""

    def __init__(self, file: Path, others: Iterable[Path] = ()) -> None:
        self.lock = threading.RLock()
        self._file = file
        self._kept = _stored(file)
        self._others = {each: kept for other in others for each, kept in _stored(other).items()}

    def find(self, identifier: str) -> Kept | None:
        return self._kept.get(identifier)

    def all(self, kind: str) -> Iterator[Kept]:
        others = (each for each in self._others.values() if each.inputs.get("project") == self.project)
        return (each for each in [*self._kept.values(), *others] if each.kind == kind)

    def is_taken(self, identifier: str) -> bool:
        """Whether there can be no other of this id: ids hold the project, or are unique everywhere."""
        return identifier in self._kept or identifier in self._others

    def put(self, identifier: str, kept: Kept) -> None:
        self._kept[identifier] = kept
        self._write()

    def remove(self, identifier: str) -> None:
        self._kept.pop(identifier, None)
        self._write()

    def _write(self) -> None:
        partial = self._file.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps({each: asdict(kept) for each, kept in self._kept.items()}, indent=1))
        partial.replace(self._file)


def _stored(file: Path) -> dict[str, Kept]:
    stored = json.loads(file.read_text()) if file.exists() else {}
    return {each: Kept(**fields) for each, fields in stored.items()}


def project_number(project: str) -> str:
    """The twelve digits of a project, the same each time."""
    return str(10**11 + int(hashlib.sha256(project.encode()).hexdigest(), 16) % 10**11)


def last_part(reference: object) -> str:
    """The name in a self link, an id, or a name."""
    return str(reference).rpartition("/")[2]


def plain(value: Mapping[str, Any]) -> Json:
    """A copy whose numbers are whole where they can be; the protocol has floating ones only."""
    copied: Json = json.loads(json.dumps(value), parse_float=_whole)
    return copied


def merged(inputs: Mapping[str, Any], added: Mapping[str, Any]) -> Json:
    """`inputs` with what is `added`, at any depth; what is given stays as it is given."""
    both_in_one = dict(added)
    for name, value in inputs.items():
        nested = isinstance(value, Mapping) and isinstance(added.get(name), Mapping)
        both_in_one[name] = merged(value, added[name]) if nested else value
    return both_in_one


def _whole(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number

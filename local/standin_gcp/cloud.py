"""What the stand-in keeps: every resource of its Google Cloud, in one file, as the APIs would keep it."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
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
    """The resources by id. Safe for the engine's parallel calls; written down after each change."""

    def __init__(self, file: Path) -> None:
        self.lock = threading.RLock()
        self._file = file
        stored = json.loads(file.read_text()) if file.exists() else {}
        self._kept = {each: Kept(**fields) for each, fields in stored.items()}

    def find(self, identifier: str) -> Kept | None:
        return self._kept.get(identifier)

    def all(self, kind: str) -> Iterator[Kept]:
        return (each for each in list(self._kept.values()) if each.kind == kind)

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


def _whole(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number

"""Files of manifests as plain data that remembers its lines.

Reads YAML's events one after the other, so that no depth of nesting can exhaust the stack, and one document
at a time, so that memory does not grow with the file.
"""

import functools
import json
from collections.abc import Iterator
from typing import Any

import yaml

from policies.values import child

DEEPEST = 200
"""Levels of nesting; a real manifest has about twenty, and the API server refuses more as well."""

_BASE: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_RESOLVER: Any = yaml.SafeLoader("")


class Unreadable(Exception):
    """The input is not what its name says; the text tells where and why."""


class Document:
    """One document of a file."""

    def __init__(self, file: str, data: Any, line: int, lines: dict[int, Any], doubled: dict[int, list[str]]) -> None:
        self.file = file
        self.data = data
        self.line = line
        self._lines = lines
        self._doubled = doubled

    def line_of(self, path: str) -> int:
        """The line of the field at `path`, counted from 1; of what it would be in, where it is absent."""
        value, line = self.data, self.line
        for key in split(path):
            known = self._lines.get(id(value))
            if known is None:
                break
            try:
                value, line = value[key], known[key]
            except (KeyError, IndexError, TypeError):
                break
        return line

    @functools.cached_property
    def duplicates(self) -> dict[str, list[str]]:
        """The paths of keys that are written twice, by the path of the List item that they are in."""
        found: dict[str, list[str]] = {}
        waiting: list[tuple[str, str, Any]] = [("", "", self.data)] if self._doubled else []
        seen: set[int] = set()
        while waiting:
            item, path, value = waiting.pop()
            if id(value) in seen or not isinstance(value, (dict, list)):
                continue
            seen.add(id(value))
            for key in self._doubled.get(id(value), ()):
                found.setdefault(item, []).append(child(path, key))
            if isinstance(value, dict):
                if not item and not path and isinstance(value.get("items"), list):
                    waiting += [(f"items[{i}]", "", each) for i, each in enumerate(value["items"])]
                waiting += [(item, child(path, str(key)), each) for key, each in value.items()]
            else:
                waiting += [(item, f"{path}[{i}]", each) for i, each in enumerate(value)]
        return found


def split(path: str) -> Iterator[Any]:
    """The keys and indices of a field's path."""
    rest = path
    while rest:
        if rest.startswith('["'):
            key, _, rest = rest[2:].partition('"]')
            yield key
        elif rest.startswith("["):
            index, _, rest = rest[1:].partition("]")
            yield int(index) if index.isdigit() else index
        else:
            rest = rest.removeprefix(".")
            ends = [rest.find(each) for each in ".[" if each in rest]
            end = min(ends, default=len(rest))
            yield rest[:end]
            rest = rest[end:]


def read_yaml(text: str | bytes, file: str) -> Iterator[Document]:
    """The documents of a YAML text, one at a time. Raises Unreadable."""
    try:
        yield from _documents(yaml.parse(text, _BASE), file)
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise Unreadable(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return where + " ".join(str(getattr(error, "problem", None) or error).split())


def read_json(text: str | bytes, file: str) -> Document:
    """A JSON text as one document; its lines are looked for only when asked. Raises Unreadable."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(" ".join(str(error).split())) from error
    return JsonDocument(file, data, text)


class JsonDocument(Document):
    """One JSON text. JSON is YAML, where its lines are found."""

    def __init__(self, file: str, data: Any, text: str | bytes) -> None:
        super().__init__(file, data, 1, {}, {})
        self._text: str | bytes | None = text
        self._located: Document | None = None

    def line_of(self, path: str) -> int:
        if self._text is not None:
            try:
                self._located = next(read_yaml(self._text, self.file), None)
            except Unreadable:
                self._located = None  # JSON that YAML does not read; the first line will do
            self._text = None
        return self._located.line_of(path) if self._located else 1


class _Building:
    """A list or a map that is being read."""

    __slots__ = ("anchor", "doubled", "key", "lines", "merges", "value")

    def __init__(self, value: Any, lines: Any, anchor: str | None) -> None:
        self.value = value
        self.lines = lines
        self.anchor = anchor
        self.key: Any = None
        self.merges: list[Any] = []
        self.doubled: list[str] = []


def _documents(events: Iterator[Any], file: str) -> Iterator[Document]:
    reader: _Reader | None = None
    for event in events:
        kind = type(event)
        if kind is yaml.DocumentStartEvent:
            reader = _Reader(file)
        elif kind is yaml.DocumentEndEvent and reader is not None:
            if reader.seen:
                yield Document(file, reader.data, reader.line, reader.lines, reader.doubled)
            reader = None
        elif reader is not None:
            reader.take(event, kind)


class _Reader:
    """Puts one document together from its events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.data: Any = None
        self.line = 1
        self.seen = False
        self.lines: dict[int, Any] = {}
        self.doubled: dict[int, list[str]] = {}
        self._stack: list[_Building] = []
        self._anchors: dict[str, Any] = {}

    def take(self, event: Any, kind: type) -> None:
        if kind is yaml.ScalarEvent:
            value: Any = resolve(event)
            if event.anchor:
                self._anchors[event.anchor] = value
            self._add(value, event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            if len(self._stack) >= DEEPEST:
                raise Unreadable(f"line {event.start_mark.line + 1}: is nested more than {DEEPEST} levels deep")
            value = {} if kind is yaml.MappingStartEvent else []
            lines: Any = {} if kind is yaml.MappingStartEvent else []
            self.lines[id(value)] = lines
            if event.anchor:
                self._anchors[event.anchor] = value
            self._add(value, event)
            self._stack.append(_Building(value, lines, event.anchor))
        elif kind is yaml.AliasEvent:
            if event.anchor not in self._anchors:
                raise Unreadable(f"line {event.start_mark.line + 1}: *{event.anchor} is an alias of nothing")
            aliased = self._anchors[event.anchor]
            if any(each.value is aliased for each in self._stack):
                raise Unreadable(f"line {event.start_mark.line + 1}: *{event.anchor} is an alias of what it is in")
            self._add(aliased, event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close(self._stack.pop())

    def _add(self, value: Any, event: Any) -> None:
        line = event.start_mark.line + 1
        if not self._stack:
            self.data, self.line, self.seen = value, line, True
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
            top.lines.append(line)
        elif top.key is None:
            top.key = (_key(value), line)
        else:
            key, key_line = top.key
            top.key = None
            if key == "<<" and isinstance(value, (dict, list)):
                top.merges.append(value)
                return
            if key in top.value:
                top.doubled.append(str(key))
            top.value[key] = value
            top.lines[key] = key_line

    def _close(self, done: _Building) -> None:
        for merged in done.merges:
            for source in merged if isinstance(merged, list) else [merged]:
                for key, value in source.items() if isinstance(source, dict) else ():
                    if key not in done.value:
                        done.value[key] = value
                        done.lines[key] = self.lines.get(id(source), {}).get(key, self.line)
        if done.doubled:
            self.doubled[id(done.value)] = done.doubled


def _key(value: Any) -> Any:
    """A map's key; one that is itself a list or a map, which Kubernetes knows not, becomes a text."""
    return "?" if isinstance(value, (dict, list)) else value if isinstance(value, str) else str(value)


_known: dict[str, Any] = {}


def resolve(event: Any) -> Any:
    """A scalar's value: a plain one by YAML's rules for numbers, booleans and null, a quoted one as it is."""
    text = event.value
    if event.tag is not None and event.tag != "!":
        return _tagged(event.tag, text)
    if not event.implicit[0]:
        return text
    if text in _known:
        return _known[text]
    value = _plain(text)
    if len(_known) < 10_000:
        _known[text] = value
    return value


def _plain(text: str) -> Any:
    return _tagged(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False)), text)


def _tagged(tag: str, text: str) -> Any:
    try:
        if tag == "tag:yaml.org,2002:null":
            return None
        if tag == "tag:yaml.org,2002:bool":
            return _RESOLVER.construct_yaml_bool(yaml.ScalarNode(tag, text))
        if tag == "tag:yaml.org,2002:int":
            return _RESOLVER.construct_yaml_int(yaml.ScalarNode(tag, text))
        if tag == "tag:yaml.org,2002:float":
            return _RESOLVER.construct_yaml_float(yaml.ScalarNode(tag, text))
    except (ValueError, KeyError, OverflowError):
        return text
    return text

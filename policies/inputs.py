"""What `check` reads: manifests, saved Pulumi states, previews and event logs, from files, folders and stdin."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from policies.documents import DEEPEST, Document, Unreadable, read_json, read_yaml
from policies.objects import Object, expand, kubernetes, pulumi
from policies.values import SENTINELS, UNKNOWN
from policies.workloads import templates

SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"
SKIPPED_FOLDERS = ("node_modules", "__pycache__", "venv")

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's mark of a secret, not one
_FILTERED = "[secret]"  # what events show of one
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


def files(paths: Sequence[str]) -> Iterator[str]:
    """Each file that `paths` lead to; folders are searched for manifests, but for hidden ones. Raises Unreadable."""
    for given in paths:
        path = Path(given)
        if given == STANDARD_INPUT or path.is_file():
            yield given
        elif path.is_dir():
            yield from (str(each) for each in sorted(path.rglob("*")) if _is_manifest(each, path))
        else:
            raise Unreadable(f"{given}: there is no such file or folder")


def _is_manifest(file: Path, root: Path) -> bool:
    parts = file.relative_to(root).parts
    skipped = any(part.startswith(".") or part in SKIPPED_FOLDERS for part in parts)
    return not skipped and file.suffix.lower() in SUFFIXES and file.is_file()


def read(file: str) -> Iterator[Object]:
    """The objects in a file, or on standard input for `-`; what is none is left out. Raises Unreadable."""
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as error:
        raise Unreadable(f"{error.strerror or error}") from error
    yield from parse(content, "<stdin>" if file == STANDARD_INPUT else file)


def parse(content: bytes, file: str) -> Iterator[Object]:
    """The objects in the text of a file. Raises Unreadable."""
    if content.lstrip()[:1] in (b"{", b"["):
        try:
            document = read_json(content, file)
        except Unreadable:
            if events := _event_log(content):
                yield from of_steps(events, Document(file, events, 1, {}, {}))
                return
            if file.lower().endswith(".json"):
                raise
        else:
            yield from _of_document(document)
            return
    for each in read_yaml(content, file):
        yield from _of_document(each)


def _of_document(document: Document) -> Iterator[Object]:
    data = document.data
    if isinstance(data, list):  # a JSON list of manifests
        for index, each in enumerate(data):
            if isinstance(each, Mapping):
                yield from _manifests(each, document, f"[{index}]")
    elif isinstance(data, Mapping):
        resources = _state(data)
        if resources is not None:
            yield from _of_state(resources, document)
        elif isinstance(data.get("steps"), list):
            yield from of_steps([(f"steps[{i}]", each) for i, each in enumerate(data["steps"])], document)
        else:
            yield from _manifests(data, document, "")


def _manifests(data: Mapping[str, Any], document: Document, path: str) -> Iterator[Object]:
    """The manifest, or the items of a List; other YAML, as a values file, is none unless it holds pods."""
    one = kubernetes(data, source=document, path=path)
    if "kind" in data or "apiVersion" in data or templates(one):
        yield from expand(one)


def _state(data: Mapping[str, Any]) -> list[tuple[str, Any]] | None:
    """The resources of an exported stack or a checkpoint, with their paths."""
    for path in (("deployment",), ("checkpoint", "latest"), ("latest",)):
        value: Any = data
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, Mapping) and isinstance(value.get("resources"), list):
            return [(f"{'.'.join(path)}.resources[{i}]", each) for i, each in enumerate(value["resources"])]
    return None


def _of_state(resources: list[tuple[str, Any]], document: Document) -> Iterator[Object]:
    for path, each in resources:
        if isinstance(each, Mapping) and each.get("delete") is not True:
            yield from _resource(each, f"{path}.inputs", document)


def of_steps(steps: list[tuple[str, Any]], document: Document) -> Iterator[Object]:
    """The resources of a preview as they will be; those that it deletes are left out."""
    seen = set()
    for path, step in steps:
        state = step.get("newState") if isinstance(step, Mapping) else None
        if isinstance(state, Mapping) and "delete" not in str(step.get("op")) and str(state.get("urn")) not in seen:
            seen.add(str(state.get("urn")))
            yield from _resource(state, f"{path}.newState.inputs", document)


def _event_log(content: bytes) -> list[tuple[str, Any]]:
    """The steps of an engine's event log (`--event-log`, or `preview --json` as it streams): JSON, a line each."""
    steps = []
    for index, line in enumerate(content.splitlines()):
        try:
            event = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            return []
        metadata = event.get("resourcePreEvent", {}).get("metadata") if isinstance(event, Mapping) else None
        if isinstance(metadata, Mapping):
            state = metadata.get("new")
            steps.append((f"[{index}]", {"op": metadata.get("op"), "newState": state}))
    return steps


def _resource(state: Mapping[str, Any], path: str, document: Document) -> Iterator[Object]:
    token, urn, inputs = state.get("type"), state.get("urn"), state.get("inputs")
    if not isinstance(token, str) or token.startswith(("pulumi:", "agent-sandbox:")):
        return
    data = revealed(inputs if isinstance(inputs, Mapping) else {})
    urn = urn if isinstance(urn, str) else ""
    for one in expand(pulumi(token, data, urn, source=document)):
        yield Object(
            one.type, one.data, one.name, one.namespace, one.path, urn, _Within(document, path), patch=one.patch
        )


class _Within:
    """A part of a document, as the source of what lies in it."""

    def __init__(self, document: Document, path: str) -> None:
        self.file = document.file
        self._document = document
        self._path = path

    def line_of(self, path: str) -> int:
        return self._document.line_of(f"{self._path}.{path}" if path else self._path)


def revealed(value: Any, depth: int = 0) -> Any:
    """A saved value as rules see it: unknown where the engine says so, or where a secret is encrypted."""
    if depth > DEEPEST:
        return UNKNOWN
    if isinstance(value, str):
        return UNKNOWN if value in SENTINELS or value == _FILTERED else value
    if isinstance(value, list):
        return [revealed(each, depth + 1) for each in value]
    if not isinstance(value, Mapping):
        return value
    signature = value.get(_SIGNATURE)
    if signature == _SECRET:
        return _plaintext(value.get("plaintext"), value.get("value"), depth)
    if signature == _OUTPUT:
        return revealed(value["value"], depth + 1) if "value" in value else UNKNOWN
    return {key: revealed(each, depth + 1) for key, each in value.items()}


def _plaintext(text: Any, value: Any, depth: int) -> Any:
    if isinstance(text, str):
        try:
            return revealed(json.loads(text), depth + 1)
        except (ValueError, RecursionError):
            return UNKNOWN
    return UNKNOWN if value is None else revealed(value, depth + 1)

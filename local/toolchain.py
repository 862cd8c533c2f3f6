"""The toolchain: each program found on PATH, else in the cache, else downloaded, else built.

Nothing is installed. What is downloaded or built lies in the per-user cache, one folder a tool and
version, complete or absent; one run at a time fills it.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from local import building, downloads
from local.bootstrap import locked
from local.building import BuildFailed, Source
from local.console import Failure, Step, say, step
from local.downloads import Unavailable
from local.paths import CACHE, made_whole
from local.tools import PROVIDER, TOOLS_CACHE, Tool, Version, all_tools, node_tools, pinned

WAYS_VARIABLE = "AGENT_SANDBOX_TOOLS"
WAYS = ("path", "download", "build")

Attempts = dict[str, list[str]]
"""For each tool, what was tried and why it failed."""


@dataclass(frozen=True)
class Found:
    """A tool that is there: which version, where, and how it came there."""

    path: Path
    version: str
    origin: str


class Toolchain:
    """Every tool by its name."""

    def __init__(self, found: dict[str, Found]) -> None:
        self.found = found

    def path(self, name: str) -> Path:
        return self.found[name].path


def ensure(more: Sequence[Tool] = ()) -> Toolchain:
    """Every tool, and `more`, downloading or building what is missing. Raises Failure naming what was tried."""
    ways = allowed_ways()
    tools = [*all_tools(), *more]
    found = look(ways, tools)
    if missing := _missing(found, tools):
        with locked(f"{TOOLS_CACHE}/.lock", lambda: say("Waiting for another run that makes the same tools.")):
            found = look(ways, tools)
            if missing := _missing(found, tools):
                names = ", ".join(tool.name for tool in missing)
                say(f"Tools to get, once for this machine, into {CACHE}: {names}")
                found |= _get(missing, found, ways)
    return Toolchain(found)


def allowed_ways() -> tuple[str, ...]:
    """$AGENT_SANDBOX_TOOLS narrows the ways a tool may come: a comma-separated choice of WAYS."""
    text = os.environ.get(WAYS_VARIABLE)
    ways = tuple(each.strip() for each in text.split(",")) if text else WAYS
    if unknown := [each for each in ways if each not in WAYS]:
        raise Failure(
            f"{WAYS_VARIABLE}={text}: {', '.join(unknown)} is not a way to come by a tool.\n"
            f"  Choose among {', '.join(WAYS)}, separated by commas, or unset it."
        )
    return ways


def look(ways: Iterable[str] = WAYS, tools: Sequence[Tool] | None = None) -> dict[str, Found]:
    """Those of `tools`, by default all but a real node's, that are there already, on PATH or in the cache."""
    found = {}
    for tool in all_tools() if tools is None else tools:
        here = (_on_path(tool) if "path" in ways else None) or _cached(tool)
        if here is not None:
            found[tool.name] = here
    return found


def _missing(found: dict[str, Found], tools: Sequence[Tool]) -> list[Tool]:
    return [tool for tool in tools if tool.name not in found]


def _on_path(tool: Tool) -> Found | None:
    where = shutil.which(tool.name)
    if where is None or Path(where).resolve().is_relative_to(CACHE):
        return None
    version = _version_of(Path(where), tool)
    if version is None or not tool.fits(version, Version.parse(tool.version.removeprefix("v"))):
        return None
    return Found(Path(where), f"v{version}", "found on PATH")


def _version_of(path: Path, tool: Tool) -> Version | None:
    """What the program says its version is, or None if it says nothing of the kind."""
    if tool.name == PROVIDER:  # a provider has no such flag; its folder is named after its version
        printed = path.parent.name
    else:
        try:
            ended = subprocess.run(
                [str(path), *tool.version_arguments], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return None
        printed = ended.stdout + ended.stderr
    match = re.search(r"\d+\.\d+\.\d+", printed)
    return Version.parse(match[0]) if match else None


def _cached(tool: Tool) -> Found | None:
    try:
        record = json.loads((tool.home / "origin.json").read_text())
    except FileNotFoundError:
        return None
    return Found(tool.home / record["path"], record["version"], record["origin"])


def _keep(folder: Path, path: Path, version: str, origin: str) -> None:
    record = asdict(Found(path.relative_to(folder), version, origin))
    (folder / "origin.json").write_text(json.dumps(record, default=str))


def _get(missing: list[Tool], found: dict[str, Found], ways: Iterable[str]) -> dict[str, Found]:
    attempts: Attempts = {tool.name: [] for tool in missing}
    got: dict[str, Found] = {}
    if "download" in ways:
        for tool in missing:
            _download(tool, found | got, attempts)
            got |= _all_cached([tool])
    if "build" in ways:
        _build([tool for tool in missing if tool.name not in got], attempts)
        got = _all_cached(missing)
    if len(got) < len(missing):
        raise Failure(_explain([tool for tool in missing if tool.name not in got], attempts))
    return got


def _all_cached(tools: Iterable[Tool]) -> dict[str, Found]:
    return {tool.name: here for tool in tools if (here := _cached(tool)) is not None}


def _download(tool: Tool, found: dict[str, Found], attempts: Attempts) -> None:
    version = tool.version
    if tool.name == PROVIDER:  # the engine asks for the SDK's own version
        version = f"v{importlib.metadata.version('pulumi-kubernetes')}"
    try:
        with step(f"{tool.name} {version}", quiet=Unavailable) as progress, made_whole(tool.home) as folder:
            path = _downloaded(tool.name, version, folder, found, progress)
            _keep(folder, path, version, "downloaded")
            progress.outcome = "downloaded"
    except Unavailable as error:
        attempts[tool.name].append(f"download: {error}")


def _downloaded(name: str, version: str, folder: Path, found: dict[str, Found], progress: Step) -> Path:
    if name == "pulumi":
        return downloads.install_pulumi(version, folder, progress)
    if name == PROVIDER:
        if "pulumi" not in found:
            raise Unavailable("pulumi, which acquires it, was not there yet")
        return downloads.install_provider(found["pulumi"].path, version, folder, progress)
    if name == "kwokctl":
        return downloads.install_kwokctl(version, folder, progress)
    if name in ("agent-sandbox-controller", "sandbox-router"):
        raise Unavailable("upstream publishes it as a container image only")
    if name in {tool.name for tool in node_tools()}:
        raise Unavailable("a real node's tools are built, so that all nodes run the same versions")
    if "kwokctl" not in found:
        raise Unavailable("kwokctl, which knows its address, could not be downloaded")
    kubernetes = pinned("kubernetes", "k8s.io/kubernetes")
    etcd = pinned("etcd", "go.etcd.io/etcd/server/v3")
    return downloads.install_component(found["kwokctl"].path, name, kubernetes, etcd, folder, progress)


def _build(tools: list[Tool], attempts: Attempts) -> None:
    """Build `tools`, source by source, while the next ones' modules are being fetched."""
    groups: dict[Source, list[Tool]] = {}
    for tool in tools:
        groups.setdefault(tool.source, []).append(tool)
    threading.Thread(target=_prefetch, args=(list(groups.items())[1:],), daemon=True).start()
    for source, group in groups.items():
        title = f"{', '.join(tool.name for tool in group)} {group[0].version}"
        try:
            with step(title) as progress, made_whole(TOOLS_CACHE / f"build-{source.folder.name}") as output:
                building.build(source, [tool.package for tool in group], output, progress)
                for tool in group:
                    with made_whole(tool.home) as folder:
                        path = (output / building.built_name(tool.package)).rename(folder / tool.name)
                        _keep(folder, path, tool.version, "built from the Go module proxy")
                progress.outcome = "built from the Go module proxy"
        except BuildFailed as error:
            for tool in group:
                attempts[tool.name].append(f"build: {error}")


def _prefetch(groups: list[tuple[Source, list[Tool]]]) -> None:
    for source, group in groups:
        try:
            building.fetch_modules(source, [tool.package for tool in group])
        except BuildFailed:
            return  # the build itself will say so


def _explain(tools: list[Tool], attempts: Attempts) -> str:
    lines = [f"No way led to {len(tools)} of the tools:"]
    for tool in tools:
        lines.append(f"  {tool.name} {tool.version}")
        lines.append("    PATH: no fitting version")
        lines += [f"    {attempt}" for attempt in attempts[tool.name]]
    lines.append("  Give one of these ways a chance (a network, a proxy, Go, or the tool itself on PATH),")
    lines.append("  then run the same command again: what is done already is kept.")
    return "\n".join(lines)

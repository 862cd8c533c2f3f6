"""Levels and parameters, as a policy pack's configuration file has them, for the engine and for `check` alike.

    {"pod-security-baseline": "advisory", "supply-chain": {"enforcementLevel": "mandatory", "requireDigest": true}}

`all` names every policy that is not named itself.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from policies.catalog import TOPICS, UNDECIDED, UNDECIDED_STACK, WAIVERS
from policies.controls import LEVELS, Level, Topic
from policies.values import type_name

_TYPES: dict[str, tuple[Any, str]] = {
    "array": (list, "a list"),
    "boolean": (bool, "a boolean"),
    "integer": (int, "a number"),
}


class ConfigurationError(Exception):
    """The configuration is wrong; the text lists every problem."""


def in_ci() -> bool:
    """Whether this runs in continuous integration, by the variable that every such service sets."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def default_level(policy: str) -> Level:
    """A policy's level where nothing configures it."""
    return "advisory" if policy in (UNDECIDED, UNDECIDED_STACK) and not in_ci() else "mandatory"


@dataclass(frozen=True)
class Configuration:
    """What holds where the configuration says nothing, and what it says."""

    levels: Mapping[str, Level] = field(default_factory=dict)
    given: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def level(self, policy: str) -> Level:
        return self.levels.get(policy) or self.levels.get("all") or default_level(policy)

    def parameters(self, topic: Topic) -> dict[str, Any]:
        return {**topic.defaults(), **self.given.get(topic.name, {})}


def load(path: Path) -> Configuration:
    """The configuration in a JSON or YAML file. Raises ConfigurationError, OSError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is neither JSON nor YAML: {error}") from error
    return parse({} if content is None else content, str(path))


def parse(content: Any, where: str) -> Configuration:
    """The configuration that `content` describes. Raises ConfigurationError with all problems."""
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"{where} is {type_name(content)} where a map of policies belongs.")
    levels: dict[str, Level] = {}
    given: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for policy, entry in content.items():
        topic = TOPICS.get(policy)
        if topic is None and policy not in ("all", *names()):
            problems.append(f"{policy}: there is no such policy. There are: all, {', '.join(names())}.")
            continue
        values = {"enforcementLevel": entry} if isinstance(entry, str) else entry
        if not isinstance(values, Mapping):
            problems.append(f"{policy}: is {type_name(entry)} where a level or a map belongs.")
            continue
        values = dict(values)
        level = values.pop("enforcementLevel", None)
        if level is not None and level not in LEVELS:
            problems.append(f"{policy}.enforcementLevel: is none of {', '.join(LEVELS)}.")
        elif level is not None:
            levels[policy] = level
        given[policy] = values
        problems += [f"{policy}.{each}" for each in _wrong(topic, values)]
    if problems:
        raise ConfigurationError(f"{where} has {len(problems)} problem(s):\n" + "\n".join(problems))
    return Configuration(levels, given)


def names() -> list[str]:
    """Every policy that can be configured."""
    return [*TOPICS, UNDECIDED, UNDECIDED_STACK, WAIVERS]


def _wrong(topic: Topic | None, values: Mapping[str, Any]) -> list[str]:
    schemas = topic.schema() if topic else {}
    problems = []
    for name, value in values.items():
        if name not in schemas:
            problems.append(f"{name}: is no parameter. There are: {', '.join(['enforcementLevel', *schemas])}.")
            continue
        wanted, shown = _TYPES[schemas[name]["type"]]
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            problems.append(f"{name}: is {type_name(value)} where {shown} belongs.")
        elif wanted is list and not all(isinstance(each, str) for each in value):
            problems.append(f"{name}: holds something else than texts.")
        elif name == "except" and topic and (unknown := [each for each in value if each not in topic.controls]):
            problems.append(f"except: {', '.join(unknown)} is no control. There are: {', '.join(topic.controls)}.")
    return problems

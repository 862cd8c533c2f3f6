"""Runs rules over objects, and makes findings of what they say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from policies.catalog import TOPICS, UNDECIDED, UNDECIDED_STACK
from policies.configuration import Configuration
from policies.controls import Control, Hit, Level, Parameters, Topic, untold
from policies.objects import Object
from policies.pods import Pod, pods
from policies.stacks import Stack
from policies.values import UNKNOWN

RESOURCE_TOPICS = tuple(topic for topic in TOPICS.values() if topic.sees != "stack")
STACK_TOPICS = tuple(topic for topic in TOPICS.values() if topic.sees == "stack")


@dataclass(slots=True)
class Finding:
    """One verdict that is not `complies`."""

    policy: str
    control: Control
    one: Object
    field: str
    problem: str
    undecided: bool
    level: Level = "mandatory"
    note: str = ""
    """What else is to be said, as that a waiver expired."""
    file: str = ""
    line: int = 1

    @property
    def resource(self) -> str:
        return self.one.title

    @property
    def message(self) -> str:
        subject = f"{self.field} {self.problem}" if self.field else f"It {self.problem}"
        if self.undecided:
            return f"{subject}, so it cannot be told yet whether this holds: {self.control.asks}{self.note}"
        return f"{subject}. {self.control.risk}{self.note}"


def judge_one(topic: Topic, one: Object, parameters: Parameters) -> Iterator[Finding]:
    """What a topic that is not about the whole stack says of one object."""
    if topic.types and not one.type.startswith(topic.types):
        return
    subjects: Iterable[Any] = (one,)
    if topic.sees != "objects":
        found = pods(one, parameters.get("podTemplates", ()))
        subjects = found if topic.sees == "pods" else [pod for pod in found if pod.is_sandbox]
    for subject in subjects:
        for control in topic.controls.values():
            if control.name not in parameters["except"] and (not control.kinds or one.kind in control.kinds):
                for hit in _hits(control, subject, parameters):
                    yield _finding(topic, control, one, hit)


def judge_stack(topic: Topic, stack: Stack, parameters: Parameters, blame: Object) -> Iterator[Finding]:
    """What a topic about the whole stack says; `blame` stands in where a rule names no object."""
    for control in topic.controls.values():
        if control.name not in parameters["except"]:
            for hit in _hits(control, stack, parameters):
                yield _finding(topic, control, hit.subject or blame, hit)


def _hits(control: Control, subject: Any, parameters: Parameters) -> list[Hit]:
    if isinstance(subject, Pod) and subject.spec is UNKNOWN:
        return [untold(subject.at())]
    try:
        return list(control.rule(subject, parameters))
    except Exception:
        return [Hit("", "is not written as the API has it, so that this rule could not read it")]


def _finding(topic: Topic, control: Control, one: Object, hit: Hit) -> Finding:
    field = f"{one.path}.{hit.field}" if one.path and hit.field else one.path or hit.field
    return Finding(topic.name, control, one, field, hit.problem, hit.undecided)


class Judge:
    """All topics under one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._resource = self._enabled(RESOURCE_TOPICS)
        self._stack = self._enabled(STACK_TOPICS)

    def _enabled(self, topics: Iterable[Topic]) -> list[tuple[Topic, Parameters, Level]]:
        levels = [(topic, self.configuration.level(topic.name)) for topic in topics]
        return [
            (topic, self.configuration.parameters(topic), "mandatory" if level == "remediate" else level)
            for topic, level in levels
            if level != "disabled"
        ]

    def one(self, one: Object) -> Iterator[Finding]:
        """What every topic says of one object."""
        for topic, parameters, level in self._resource:
            for finding in judge_one(topic, one, parameters):
                yield self._levelled(finding, level, UNDECIDED)

    def stack(self, objects: list[Object]) -> Iterator[Finding]:
        """What every topic says of all objects together."""
        if not objects:
            return
        stack = Stack(objects)
        for topic, parameters, level in self._stack:
            for finding in judge_stack(topic, stack, parameters, objects[0]):
                yield self._levelled(finding, level, UNDECIDED_STACK)

    def _levelled(self, finding: Finding, level: Level, policy: str) -> Finding:
        """An undecided verdict has the level that undecided ones have, or its own where that is milder."""
        undecided = self.configuration.level(policy)
        finding.level = undecided if finding.undecided and level == "mandatory" else level
        return finding

"""What a control is: a question with three answers, and what a reader needs to know about it.

A topic is a policy of the pack. Its controls are pure functions over plain data that yield a Hit for
each field that violates, or that cannot be told yet; no Hit means that the subject complies.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from policies.values import UNKNOWN

Severity = Literal["low", "medium", "high", "critical"]
Level = Literal["advisory", "mandatory", "remediate", "disabled"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
LEVELS: tuple[Level, ...] = ("advisory", "mandatory", "remediate", "disabled")

Parameters = Mapping[str, Any]
"""A topic's configuration, with defaults filled in."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One field that is wrong, or about which nothing can be told yet."""

    field: str
    problem: str
    """What is wrong with the field, as the rest of a sentence that begins with it. Never quotes a value that a user
    wrote, which may be a secret."""
    undecided: bool = False
    subject: Any = None
    """The object that the field belongs to, where a rule saw several."""


Rule = Callable[[Any, Parameters], Iterable[Hit]]


def untold(path: str, subject: Any = None) -> Hit:
    """The verdict about a field whose value is not known before the update."""
    return Hit(path, "is not known before the update", undecided=True, subject=subject)


@dataclass(frozen=True)
class Control:
    """One question of a topic."""

    name: str
    """Its name, unique in the pack; for Pod Security the name of the standard's own check."""
    asks: str
    """What must hold, in a sentence."""
    risk: str
    """What a violation risks, in a sentence."""
    fix: str
    """What to do about one, in a sentence."""
    severity: Severity
    rule: Rule
    kinds: tuple[str, ...]
    """Kinds that it judges; none for all that the topic sees."""
    references: tuple[str, ...]
    """Numbers in compliance frameworks."""


Sees = Literal["pods", "sandboxes", "objects", "stack"]
"""What a topic's rules are called with: a Pod of any workload, a Pod of a Sandbox or SandboxTemplate, an Object, or
all Objects of a stack."""


EXCEPT: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "default": [],
    "description": "Controls of this topic that are switched off.",
}


@dataclass
class Topic:
    """A policy of the pack: controls that share a level and a configuration."""

    name: str
    description: str
    sees: Sees
    framework: str = ""
    url: str = ""
    types: tuple[str, ...] = ()
    """Type tokens, or their beginnings, of the objects that it sees; none for all."""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON schemas of the parameters by name, each with its default."""
    controls: dict[str, Control] = field(default_factory=dict)

    def control(
        self,
        name: str,
        *,
        severity: Severity,
        risk: str,
        fix: str,
        kinds: Iterable[str] = (),
        references: Iterable[str] = (),
    ) -> Callable[[Rule], Rule]:
        """Add the decorated rule as a control; the first paragraph of its docstring is what it asks."""

        def add(rule: Rule) -> Rule:
            asks = " ".join((rule.__doc__ or "").partition("\n\n")[0].split())
            self.controls[name] = Control(name, asks, risk, fix, severity, rule, tuple(kinds), tuple(references))
            return rule

        return add

    def severity(self) -> Severity:
        """The gravest severity among its controls."""
        return max((each.severity for each in self.controls.values()), key=SEVERITIES.index, default="low")

    def schema(self) -> dict[str, Mapping[str, Any]]:
        """The JSON schemas of everything that may be configured, with what every topic understands."""
        return {**self.parameters, "except": EXCEPT}

    def defaults(self) -> dict[str, Any]:
        return {name: schema["default"] for name, schema in self.schema().items()}


def depending_on(condition: Any, hits: Iterator[Hit]) -> Iterator[Hit]:
    """`hits` unless `condition`, a boolean or UNKNOWN, exempts from them; undecided where that cannot be told."""
    if condition is UNKNOWN:
        for hit in hits:
            yield Hit(
                hit.field,
                f"{hit.problem}, and whether it is exempt is not known before the update",
                undecided=True,
                subject=hit.subject,
            )
    elif not condition:
        yield from hits

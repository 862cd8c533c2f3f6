"""Judges files: every object by itself, then all of them together as one stack."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from policies import inputs
from policies.configuration import Configuration
from policies.documents import Unreadable
from policies.judge import Finding, Judge
from policies.objects import Object
from policies.stacks import matters
from policies.waivers import Waivers


@dataclass
class Outcome:
    """What checking found."""

    resources: int = 0
    waived: int = 0
    findings: list[Finding] = field(default_factory=list)
    """What is not waived, by file and line."""
    unreadable: list[str] = field(default_factory=list)
    """What could not be read, each with its file and why."""

    @property
    def indeterminate(self) -> int:
        return sum(finding.undecided for finding in self.findings)

    @property
    def fails(self) -> bool:
        """Whether something violates a mandatory policy."""
        return any(finding.level == "mandatory" for finding in self.findings)

    def summary(self) -> dict[str, int]:
        return {
            "resources": self.resources,
            "violations": len(self.findings),
            "waived": self.waived,
            "indeterminate": self.indeterminate,
        }


def check(paths: Sequence[str], configuration: Configuration, waivers: Waivers) -> Outcome:
    """Judge everything at `paths`."""
    outcome = Outcome()
    sources: list[str] = []
    for path in paths:
        try:
            sources += inputs.files([path])
        except Unreadable as error:
            outcome.unreadable.append(str(error))
    return check_objects(_objects(dict.fromkeys(sources), outcome), configuration, waivers, outcome)


def _objects(files: Iterable[str], outcome: Outcome) -> Iterator[Object]:
    for file in files:
        try:
            yield from inputs.read(file)
        except Unreadable as error:
            outcome.unreadable.append(f"{file}: {error}")


def check_objects(
    objects: Iterable[Object], configuration: Configuration, waivers: Waivers, outcome: Outcome | None = None
) -> Outcome:
    """Judge each object by itself, then all of them together."""
    outcome = outcome or Outcome()
    judge = Judge(configuration)
    kept: list[Object] = []
    for one in objects:
        outcome.resources += 1
        _add(outcome, waivers, judge.one(one))
        if matters(one):
            kept.append(one)
    _add(outcome, waivers, judge.stack(kept))
    if configuration.level("waivers") != "disabled":
        outcome.findings += waivers.findings()
    outcome.findings.sort(key=lambda finding: (finding.file, finding.line))
    return outcome


def _add(outcome: Outcome, waivers: Waivers, findings: Iterable[Finding]) -> None:
    for finding in findings:
        if finding.level == "disabled":
            continue
        if waivers.apply(finding):
            outcome.waived += 1
            continue
        source = finding.one.source
        if source is not None:
            finding.file, finding.line = _relative(source.file), source.line_of(finding.field)
        outcome.findings.append(finding)


def _relative(file: str) -> str:
    """A file's path as reports show it: from the working directory, where it lies below."""
    if not os.path.isabs(file):
        return os.path.normpath(file).replace(os.sep, "/")
    shown = os.path.relpath(file)
    return file if shown.startswith("..") else shown.replace(os.sep, "/")

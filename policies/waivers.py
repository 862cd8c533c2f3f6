"""Reviewed exceptions: which control, which resource, why, who, until when.

    waivers:
      - control: hostPorts
        resource: DaemonSet/monitoring/node-exporter
        reason: Scraped from outside the cluster until the agent is replaced.
        owner: platform-team
        until: 2027-03-31

`stack` names the one Pulumi stack that it is for; `resource` may hold * as in a file pattern. A waiver holds
through its last day, and ends: without `until` it is refused.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from policies.catalog import WAIVERS, controls
from policies.controls import Control
from policies.documents import Document, Unreadable, read_yaml
from policies.judge import Finding
from policies.objects import Object

DEFAULT_FILE = Path(__file__).parent / "waivers.yaml"
VARIABLE = "AGENT_SANDBOX_WAIVERS"
"""Environment variable with the path of another file, for the engine, which takes no arguments."""

REQUIRED = ("control", "resource", "reason", "owner", "until")


class WaiverError(Exception):
    """The file of waivers is wrong; the text lists every problem."""


@dataclass
class Waiver:
    """One exception."""

    control: str
    resource: str
    until: date
    owner: str
    stack: str
    path: str
    used: int = 0

    def fits(self, finding: Finding) -> bool:
        return (
            self.control == finding.control.name
            and fnmatchcase(finding.resource, self.resource)
            and self.stack in ("", finding.one.stack)
        )


@dataclass
class Waivers:
    """All exceptions of a file, on a day."""

    entries: list[Waiver]
    today: date
    document: Document | None = None

    def apply(self, finding: Finding) -> bool:
        """Whether the finding is waived; notes on it when it was, until lately."""
        waived = False
        for entry in self.entries:
            if entry.fits(finding):
                entry.used += 1
                if entry.until >= self.today:
                    waived = True
                elif not waived:
                    finding.note = f" Its waiver expired on {entry.until}."
        return waived

    def findings(self) -> list[Finding]:
        """Waivers that are expired, which fails, and those that matched nothing."""
        found = []
        for entry in self.entries:
            if entry.until < self.today:
                found.append(self._finding(EXPIRED, entry, f"was {entry.until}; ask {entry.owner}", ".until"))
            elif not entry.used:
                finding = self._finding(UNUSED, entry, "matches nothing that was checked", ".resource")
                finding.level = "advisory"
                found.append(finding)
        return found

    def _finding(self, control: Control, entry: Waiver, problem: str, field: str) -> Finding:
        one = Object("waivers::Waiver", {}, entry.control, "")
        finding = Finding(WAIVERS, control, one, entry.path + field, problem, undecided=False)
        if self.document:
            finding.file, finding.line = self.document.file, self.document.line_of(finding.field)
        return finding


EXPIRED = Control(
    "expiredWaiver",
    "No waiver has run out.",
    "What it allowed for a time is allowed no longer.",
    "Repair what it waives and remove it, or have a later date reviewed.",
    "high",
    lambda *_: (),
    (),
    (),
)
UNUSED = Control(
    "unusedWaiver",
    "Every waiver is needed.",
    "It will let pass the next resource of that name.",
    "Remove it, or correct its control and resource.",
    "low",
    lambda *_: (),
    (),
    (),
)


def today() -> date:
    return datetime.now(UTC).date()


def load(path: Path | None = None, day: date | None = None) -> Waivers:
    """The waivers in the file at `path`, by default the pack's own, where there is one. Raises WaiverError, OSError."""
    if path is None:
        configured = os.environ.get(VARIABLE)
        path = Path(configured) if configured else DEFAULT_FILE
        if not configured and not path.exists():
            return Waivers([], day or today())
    try:
        document = next(read_yaml(path.read_bytes(), str(path)), None)
    except (Unreadable, yaml.YAMLError) as error:
        raise WaiverError(f"{path}: {error}") from error
    data = document.data if document else None
    listed = data.get("waivers") if isinstance(data, Mapping) else None
    if data is not None and not isinstance(listed, (list, type(None))):
        raise WaiverError(f"{path}: waivers is not a list.")
    if data is not None and (not isinstance(data, Mapping) or set(data) - {"waivers"}):
        raise WaiverError(f"{path} holds something else than the key waivers.")
    problems: list[str] = []
    entries = [_entry(each, f"waivers[{index}]", problems) for index, each in enumerate(listed or ())]
    if problems:
        raise WaiverError(f"{path} has {len(problems)} problem(s):\n" + "\n".join(problems))
    return Waivers([each for each in entries if each], day or today(), document)


def _entry(entry: Any, path: str, problems: list[str]) -> Waiver | None:
    if not isinstance(entry, Mapping):
        problems.append(f"{path}: is not a map with {', '.join(REQUIRED)}.")
        return None
    wrong = [
        f"{path}.{name}: is absent or empty. Say which control, which resource, why, who, and until when."
        for name in REQUIRED
        if not str(entry.get(name) or "").strip()
    ]
    wrong += [
        f"{path}.{name}: is no key of a waiver. There are: {', '.join([*REQUIRED, 'stack'])}."
        for name in entry
        if name not in (*REQUIRED, "stack")
    ]
    known = controls()
    if entry.get("control") and entry["control"] not in known:
        wrong.append(f"{path}.control: there is no such control. `python -m policies list` names them.")
    until = None
    try:
        until = date.fromisoformat(str(entry.get("until")))
    except ValueError:
        if entry.get("until"):
            wrong.append(f"{path}.until: is not a day as in 2027-03-31.")
    problems += wrong
    if wrong or until is None:
        return None
    return Waiver(
        entry["control"], str(entry["resource"]), until, str(entry["owner"]), str(entry.get("stack") or ""), path
    )

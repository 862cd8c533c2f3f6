"""What `check` found, as text, JSON, SARIF, JUnit XML, or annotations for GitHub."""

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from policies.catalog import TOPICS
from policies.checking import Outcome
from policies.controls import Control
from policies.judge import Finding
from policies.waivers import EXPIRED, UNUSED

DOCUMENTATION = "docs/policies.md"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

FORMATS = ("text", "json", "sarif", "junit", "github")


def render(outcome: Outcome, form: str) -> Iterator[str]:
    """The report in one of FORMATS, in pieces."""
    writers = {"text": _text, "json": _json, "sarif": _sarif, "junit": _junit, "github": _github}
    return writers[form](outcome)


def as_json(finding: Finding) -> dict[str, Any]:
    return {
        "policy": finding.policy,
        "control": finding.control.name,
        "level": finding.level,
        "severity": finding.control.severity,
        "resource": finding.resource,
        "file": finding.file,
        "line": finding.line,
        "field": finding.field,
        "message": finding.message,
        "fix": finding.control.fix,
    }


def _json(outcome: Outcome) -> Iterator[str]:
    yield f'{{\n  "summary": {json.dumps(outcome.summary())},\n  "violations": ['
    for index, finding in enumerate(outcome.findings):
        yield ("," if index else "") + "\n    " + json.dumps(as_json(finding))
    yield "\n  ]\n}\n" if outcome.findings else "]\n}\n"


def _text(outcome: Outcome) -> Iterator[str]:
    for (file, resource), group in groupby(outcome.findings, key=lambda each: (each.file, each.resource)):
        yield f"{_clean(resource)} ({_clean(file)})\n" if file else f"{_clean(resource)}\n"
        for finding in group:
            yield _text_of(finding)
    yield f"{summary(outcome)}\n"


def _text_of(finding: Finding) -> str:
    head = f"[{finding.level}] {finding.policy}/{finding.control.name} ({finding.control.severity})"
    return f"  line {finding.line}: {head}\n    {_clean(finding.message)}\n    {finding.control.fix}\n"


def summary(outcome: Outcome) -> str:
    """The outcome in a sentence."""
    counted = [
        _count(outcome.resources, "resource"),
        _count(len(outcome.findings), "violation"),
        f"{outcome.waived} waived",
        f"{outcome.indeterminate} cannot be told yet",
    ]
    return ", ".join(counted) + "."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _clean(text: str) -> str:
    """`text` on one line, without what steers a terminal or is no XML."""
    return _CONTROL_CHARACTERS.sub("?", text).replace("\n", " ").replace("\r", " ")


def _github(outcome: Outcome) -> Iterator[str]:
    """Workflow commands: annotations at the lines of a pull request."""
    for finding in outcome.findings:
        command = "error" if finding.level == "mandatory" else "warning"
        place = f"file={_property(finding.file)},line={finding.line}"
        title = _property(f"{finding.policy}/{finding.control.name}")
        text = _data(f"{finding.resource}: {finding.message} {finding.control.fix}")
        yield f"::{command} {place},title={title}::{text}\n"
    yield f"{summary(outcome)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _junit(outcome: Outcome) -> Iterator[str]:
    """A test case for each control that found something, one that passes where nothing did."""
    failing = sum(finding.level == "mandatory" for finding in outcome.findings)
    cases = max(len(outcome.findings), 1)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites tests="{cases}" failures="{failing}">\n'
    skipped = len(outcome.findings) - failing
    yield f'  <testsuite name="policies" tests="{cases}" failures="{failing}" errors="0" skipped="{skipped}">\n'
    if not outcome.findings:
        yield f'    <testcase classname="policies" name={quoteattr(summary(outcome))}/>\n'
    for finding in outcome.findings:
        yield from _case(finding)
    yield "  </testsuite>\n</testsuites>\n"


def _case(finding: Finding) -> Iterator[str]:
    name = quoteattr(_clean(f"{finding.control.name} {finding.resource} {finding.field}"))
    where = f" file={quoteattr(_clean(finding.file))} line={quoteattr(str(finding.line))}"
    yield f"    <testcase classname={quoteattr(finding.policy)} name={name}{where}>\n"
    tag = "failure" if finding.level == "mandatory" else "skipped"
    text = _clean(f"{finding.message} {finding.control.fix}")
    kind = f" type={quoteattr(finding.control.severity)}" if tag == "failure" else ""
    yield f"      <{tag} message={quoteattr(text)}{kind}>{escape(text) if tag == 'failure' else ''}</{tag}>\n"
    yield "    </testcase>\n"


_SARIF_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""What GitHub sorts by, a number as CVSS has it."""


def _sarif(outcome: Outcome) -> Iterator[str]:
    rules = list(_rules())
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    driver = {"name": "agent-sandbox-policies", "rules": rules}
    notifications = [{"level": "error", "message": {"text": each}} for each in outcome.unreadable]
    invocation = {"executionSuccessful": not outcome.unreadable, "toolExecutionNotifications": notifications}
    yield f'{{"$schema": {json.dumps(SCHEMA)}, "version": "2.1.0", "runs": ['
    yield f'{{"tool": {{"driver": {json.dumps(driver)}}},'
    yield f' "columnKind": "utf16CodeUnits", "invocations": [{json.dumps(invocation)}], "results": ['
    for number, finding in enumerate(outcome.findings):
        yield ("," if number else "") + "\n" + json.dumps(_result(finding, index))
    yield "]}]}\n"


def _rules() -> Iterator[dict[str, Any]]:
    for topic in TOPICS.values():
        for control in topic.controls.values():
            yield _rule(topic.name, control, topic.url)
    for control in (EXPIRED, UNUSED):
        yield _rule("waivers", control, "")


def _rule(policy: str, control: Control, url: str) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": f"{policy}/{control.name}",
        "name": control.name,
        "shortDescription": {"text": control.asks},
        "fullDescription": {"text": f"{control.asks} {control.risk}"},
        "help": {"text": f"{control.fix} {DOCUMENTATION} tells more."},
        "defaultConfiguration": {"level": _SARIF_LEVELS[control.severity]},
        "properties": {"security-severity": _SCORES[control.severity], "tags": ["security", policy]},
    }
    if url:
        rule["helpUri"] = url
    return rule


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    rule = f"{finding.policy}/{finding.control.name}"
    region = {"startLine": max(finding.line, 1)}
    physical = {"artifactLocation": {"uri": _uri(finding.file)}, "region": region}
    logical = {"fullyQualifiedName": f"{finding.resource}#{finding.field}", "kind": "resource"}
    mild = finding.level != "mandatory"
    level = "note" if mild else _SARIF_LEVELS[finding.control.severity]
    is_open = finding.undecided and mild
    return {
        "ruleId": rule,
        "ruleIndex": index[rule],
        "kind": "open" if is_open else "fail",
        "level": "none" if is_open else level,
        "message": {"text": f"{finding.resource}: {finding.message} {finding.control.fix}"},
        "locations": [{"physicalLocation": physical, "logicalLocations": [logical]}],
        "partialFingerprints": {"resourceField/v1": f"{rule}:{finding.resource}:{finding.field}"},
    }


def _uri(file: str) -> str:
    return quote(file, safe="/:@!$&'()*+,;=~") if file else "stdin"

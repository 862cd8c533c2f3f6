"""The topics as policies of Pulumi's engine.

One policy a topic, since the engine decodes every resource anew for each policy. What cannot be told yet is reported
by policies of its own: their level, and not the topic's, decides whether it fails.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies import decoding
from policies.catalog import TOPICS, UNDECIDED, UNDECIDED_STACK, WAIVERS
from policies.configuration import default_level
from policies.controls import Control, Topic
from policies.judge import Finding, judge_one, judge_stack
from policies.objects import Object, expand, pulumi
from policies.proxies import plain
from policies.remediation import REPAIRS, remediate
from policies.stacks import Stack, matters
from policies.waivers import Waivers
from policies.waivers import load as load_waivers

NAME = "agent-sandbox"

_DOCUMENTATION = "policies list and policies explain (docs/policies.md) tell about every control."


class _Undecided(threading.local):
    """What the topics could not tell of the resource that this thread judges; the policy `undecided` runs last."""

    def __init__(self) -> None:
        self.urn = ""
        self.findings: list[Finding] = []

    def add(self, urn: str, findings: list[Finding]) -> None:
        if urn != self.urn:
            self.urn, self.findings = urn, []
        self.findings += findings

    def take(self, urn: str) -> list[Finding]:
        found, matching = self.findings, urn == self.urn
        self.urn, self.findings = "", []
        return found if matching else []


def policies(waivers: Waivers | None = None) -> list[Policy]:
    """Every policy of the pack; waivers are those of the pack's own file by default. Raises WaiverError."""
    waived = load_waivers() if waivers is None else waivers
    undecided = _Undecided()
    made: list[Policy] = []
    for topic in TOPICS.values():
        if topic.sees == "stack":
            made.append(_stack_policy(topic, waived, undecided))
        else:
            made.append(_resource_policy(topic, waived, undecided))
    return [*made, *_undecided_policies(undecided), _waiver_policy(waived)]


def serve() -> None:
    """Serve the engine until it ends this process."""
    install()
    PolicyPack(name=NAME, enforcement_level=EnforcementLevel.MANDATORY, policies=policies())


def install() -> None:
    """Spare pulumi-policy's server decoding what it has decoded, or what no rule looks at."""
    decoding.install({"Analyze": _trim, "Remediate": _trim_unrepairable, "AnalyzeStack": _trim_judged})


def _about(topic: Topic) -> dict[str, Any]:
    framework = PolicyComplianceFramework(name=topic.framework, reference=topic.url) if topic.framework else None
    schema = {name: dict(each) for name, each in topic.schema().items()}
    return {
        "name": topic.name,
        "description": topic.description,
        "enforcement_level": EnforcementLevel(default_level(topic.name)),
        "config_schema": PolicyConfigSchema(schema),
        "severity": Severity(topic.severity()),
        "framework": framework,
        "url": topic.url or None,
        "remediation_steps": _DOCUMENTATION,
    }


_inputs: dict[str, Any] = {}
"""What each resource was asked to be. A stack policy is told what the provider made of it, and before there is a
cluster that is nothing at all."""


_CUSTOM_RESOURCE_DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
"""The largest objects of a stack, and no rule looks into their `spec`."""


def _judges(token: str) -> bool:
    return token.startswith(("kubernetes:", "gcp:"))


def _trim(resource: Any) -> None:
    """Take out of a resource of the engine's request what no rule looks at."""
    if not _judges(resource.type):
        resource.ClearField("properties")
    elif resource.type == _CUSTOM_RESOURCE_DEFINITION:
        resource.properties.fields.pop("spec", None)


def _trim_judged(resource: Any) -> None:
    """The same at the end of the update, when what was asked of most resources is known."""
    if resource.urn in _inputs:
        resource.ClearField("properties")
    _trim(resource)


def _trim_unrepairable(resource: Any) -> None:
    """The same for remediation, which repairs nothing but pod specs."""
    if not resource.type.startswith("kubernetes:") or resource.type == _CUSTOM_RESOURCE_DEFINITION:
        resource.ClearField("properties")


def _objects(args: ResourceValidationArgs) -> list[Object]:
    if not _judges(args.resource_type):
        return []
    _inputs[args.urn] = _plain(args.props)
    return expand(pulumi(args.resource_type, _inputs[args.urn], args.urn))


_plain = decoding.once("plain", plain)
"""The properties as plain data, made once for all topics, which only read it."""


def _sort(findings: Iterable[Finding], waivers: Waivers) -> tuple[list[Finding], list[Finding]]:
    """What violates and what cannot be told yet, without what is waived."""
    kept = [finding for finding in findings if not waivers.apply(finding)]
    return [each for each in kept if not each.undecided], [each for each in kept if each.undecided]


def _resource_policy(topic: Topic, waivers: Waivers, undecided: _Undecided) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if topic.types and not args.resource_type.startswith(topic.types):
            return
        parameters = {**topic.defaults(), **args.get_config()}
        found = (finding for one in _objects(args) for finding in judge_one(topic, one, parameters))
        violations, open_ones = _sort(found, waivers)
        for finding in violations:
            report(text(finding), None)
        undecided.add(args.urn, open_ones)

    def repair(args: ResourceValidationArgs) -> Mapping[str, Any] | None:
        package, _, _ = args.resource_type.partition(":")
        if package != "kubernetes":
            return None
        return remediate(topic.name, pulumi(args.resource_type, _raw(args.props), args.urn))

    repairs: dict[str, Any] = {"remediate": repair} if topic.name in REPAIRS else {}
    return ResourceValidationPolicy(validate=validate, **_about(topic), **repairs)


def _stack_policy(topic: Topic, waivers: Waivers, undecided: _Undecided) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        objects = stack_objects(args)
        if not objects:
            return
        parameters = {**topic.defaults(), **args.get_config()}
        found = judge_stack(topic, Stack(objects), parameters, objects[0])
        violations, open_ones = _sort(found, waivers)
        for finding in violations:
            report(text(finding), finding.one.urn)  # engines up to v3.251 panic without a urn
        undecided.add("stack", open_ones)

    return StackValidationPolicy(validate=validate, **_about(topic))


def stack_objects(args: StackValidationArgs) -> list[Object]:
    """The objects of a stack that its rules look at."""
    found = []
    for resource in args.resources:
        if resource.resource_type.startswith(("kubernetes:", "gcp:container/")):
            asked = _inputs.get(resource.urn)
            props = _plain(resource.props) if asked is None else asked
            found += expand(pulumi(resource.resource_type, props, resource.urn))
    return [one for one in found if matters(one)]


def _undecided_policies(undecided: _Undecided) -> list[Policy]:
    about: dict[str, Any] = {
        "enforcement_level": EnforcementLevel(default_level(UNDECIDED)),
        "severity": Severity.HIGH,
        "remediation_steps": "Give the field a plain value, or let it depend on configuration alone.",
    }

    def of_resource(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for message in grouped(undecided.take(args.urn)):
            report(message, None)

    def of_stack(args: StackValidationArgs, report: ReportViolation) -> None:
        del args
        for finding in undecided.take("stack"):
            report(text(finding), finding.one.urn)

    return [
        ResourceValidationPolicy(
            name=UNDECIDED,
            description="Every rule can be decided before the update",
            validate=of_resource,
            **about,
        ),
        StackValidationPolicy(
            name=UNDECIDED_STACK,
            description="Every rule about the whole stack can be decided before the update",
            validate=of_stack,
            **about,
        ),
    ]


def _waiver_policy(waivers: Waivers) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        urn = next((each.urn for each in args.resources), "")
        for finding in waivers.findings():
            if finding.control.name == "expiredWaiver":
                report(text(finding), urn)

    return StackValidationPolicy(
        name=WAIVERS,
        description="No reviewed exception has run out",
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        severity=Severity.HIGH,
    )


def text(finding: Finding) -> str:
    """A finding as the engine's log shows it."""
    control: Control = finding.control
    return f"{control.name}: {finding.resource}: {finding.message} {control.fix}"


def grouped(findings: list[Finding]) -> list[str]:
    """Undecided findings, one message a field: what is unknown there leaves several controls open."""
    by_field: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_field.setdefault((finding.resource, f"{finding.field} {finding.problem}"), []).append(finding)
    return [
        f"{resource}: {problem}, so it cannot be told yet: "
        + ", ".join(dict.fromkeys(each.control.name for each in group))
        for (resource, problem), group in by_field.items()
    ]


def _raw(value: Any) -> Any:
    """What a remediation gets, as plain data; secrets and unknowns in it stay what they are."""
    try:
        target = value["__target"]
    except (KeyError, TypeError, IndexError):
        target = value
    if isinstance(target, Mapping):
        return {key: _raw(target[key]) for key in target}
    return [_raw(each) for each in target] if isinstance(target, list) else target

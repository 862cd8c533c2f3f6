"""A test harness for rule authors: feeds a policy exactly what the engine would.

A test that calls a rule with a plain dict passes where the engine fails: there properties arrive as proxies that are
neither dict nor list, numbers are floats, secrets are plain text, and touching an unknown aborts the policy. Here the
properties make the engine's whole way: to a protocol buffer, through the analyzer's own server, into the policy.

    from policies.testing import Harness, Unknown, Secret

    harness = Harness([my_policy])
    found = harness.resource("kubernetes:apps/v1:Deployment", {"spec": {"replicas": Unknown(int)}})
    assert [violation.policy for violation in found.violations] == ["my-policy"]

It needs pulumi_policy alone, and works for any pack in Python: copy this file, or import it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel, Policy, proxy
from pulumi_policy import policy as implementation

_IMPLEMENTATION: Any = implementation
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - Pulumi's mark of a secret, not one

_SENTINELS: dict[type, str] = {
    bool: proxy.UNKNOWN_BOOLEAN_VALUE,
    int: proxy.UNKNOWN_NUMBER_VALUE,
    float: proxy.UNKNOWN_NUMBER_VALUE,
    str: proxy.UNKNOWN_STRING_VALUE,
    list: proxy.UNKNOWN_ARRAY_VALUE,
    dict: proxy.UNKNOWN_OBJECT_VALUE,
}


@dataclass(frozen=True)
class Unknown:
    """A value that only the update will tell, as another resource's output in a preview."""

    type: type = str


@dataclass(frozen=True)
class Secret:
    """A secret value. The engine hands policies its plain text."""

    value: Any


@dataclass(frozen=True)
class Violation:
    """What a policy reported."""

    policy: str
    message: str
    level: str
    urn: str = ""


@dataclass
class Result:
    """What came of a resource, or of a stack."""

    violations: list[Violation] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    """Policies that touched an unknown, which the engine makes one advisory line of: they failed open."""
    properties: dict[str, Any] | None = None
    """The properties that remediations left, with Unknown and Secret in them; None where nothing was repaired."""


@dataclass(frozen=True)
class Resource:
    """A resource of a stack."""

    type: str
    properties: Mapping[str, Any]
    name: str = "resource"
    stack: str = "test"
    parent: str = ""

    @property
    def urn(self) -> str:
        return f"urn:pulumi:{self.stack}::project::{self.type}::{self.name}"


class Harness:
    """Policies as the engine holds them, under a configuration as a policy pack's file has it."""

    def __init__(
        self,
        policies: Sequence[Policy],
        config: Mapping[str, Any] | None = None,
        enforcement_level: EnforcementLevel = EnforcementLevel.MANDATORY,
    ) -> None:
        servicer: Any = _IMPLEMENTATION._PolicyAnalyzerServicer  # the class that serves the engine
        nothing = [None] * 7
        self._server = servicer("pack", "0.0.1", list(policies), enforcement_level, *nothing)
        self._configure(config or {})

    def _configure(self, config: Mapping[str, Any]) -> None:
        request = analyzer_pb2.ConfigureAnalyzerRequest()
        info = self._server.GetAnalyzerInfo(None, None)
        everything = config.get("all")
        entries = {policy.name: everything for policy in info.policies} if everything else {}
        for name, entry in {**entries, **config}.items():
            if name == "all":
                continue
            values = {"enforcementLevel": entry} if isinstance(entry, str) else dict(entry)
            level: Any = values.pop("enforcementLevel", None)
            default: Any = next((each.enforcementLevel for each in info.policies if each.name == name), 0)
            made = analyzer_pb2.PolicyConfig()
            made.enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level.upper()) if level else default
            made.properties.CopyFrom(struct(values))
            request.policyConfig[name].CopyFrom(made)
        self._server.Configure(request, None)

    def resource(
        self, type_: str, properties: Mapping[str, Any], name: str = "resource", stack: str = "test"
    ) -> Result:
        """Remediate and judge one resource, as a preview does."""
        one = Resource(type_, properties, name, stack)
        common: dict[str, Any] = {"type": one.type, "urn": one.urn, "name": one.name}
        sent = struct(properties)
        repaired = self._server.Remediate(analyzer_pb2.AnalyzeRequest(properties=sent, **common), None)
        result = Result()
        for each in repaired.remediations:
            if each.HasField("properties"):
                sent = each.properties
                result.properties = _read(json_format.MessageToDict(sent))
        answer = self._server.Analyze(analyzer_pb2.AnalyzeRequest(properties=sent, **common), None)
        return self._collect(answer, result)

    def stack(self, resources: Sequence[Resource]) -> Result:
        """Judge a whole stack."""
        request = analyzer_pb2.AnalyzeStackRequest(
            resources=[
                analyzer_pb2.AnalyzerResource(
                    type=one.type, urn=one.urn, name=one.name, parent=one.parent, properties=struct(one.properties)
                )
                for one in resources
            ]
        )
        return self._collect(self._server.AnalyzeStack(request, None), Result())

    def _collect(self, answer: Any, result: Result) -> Result:
        for each in answer.diagnostics:
            if each.message.startswith(f"can't run policy '{each.policyName}'"):
                result.aborted.append(each.policyName)
            else:
                level = analyzer_pb2.EnforcementLevel.Name(each.enforcementLevel).lower()
                said = each.message.removeprefix(each.description).lstrip("\n")
                result.violations.append(Violation(each.policyName, said, level, each.urn))
        return result


def struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Properties as the engine sends them."""
    sent = struct_pb2.Struct()
    sent.update(_write(properties))
    return sent


def proxied(properties: Mapping[str, Any]) -> Any:
    """Properties as a rule of a resource policy gets them."""
    deserialized = _IMPLEMENTATION.deserialize_properties(json_format.MessageToDict(struct(properties)))
    return _IMPLEMENTATION.unknown_checking_proxy(deserialized)


def _write(value: Any) -> Any:
    if isinstance(value, Unknown):
        return _SENTINELS[value.type]
    if isinstance(value, Secret):
        return {_SIGNATURE: _SECRET, "value": _write(value.value)}
    if isinstance(value, Mapping):
        return {str(key): _write(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_write(each) for each in value]
    return value


def _read(value: Any) -> Any:
    if isinstance(value, str) and value in _SENTINELS.values():
        return Unknown(next(kind for kind, sentinel in _SENTINELS.items() if sentinel == value))
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _SECRET:
            return Secret(_read(value.get("value")))
        return {key: _read(each) for key, each in value.items()}
    return [_read(each) for each in value] if isinstance(value, list) else value

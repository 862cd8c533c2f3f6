"""Decoding once a request, and only what a rule looks at, changes no verdict (policies/decoding.py)."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import json_format
from pulumi_policy import EnforcementLevel

from policies import pack
from policies.decoding import server

CRD = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
POD = "kubernetes:core/v1:Pod"


@pytest.fixture
def analyzer(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Makes pulumi-policy's own server of this pack, with the decoding spared if asked."""
    for name in ("json_format", "deserialize_properties", "unknown_checking_proxy"):
        monkeypatch.setattr(server, name, getattr(server, name))
    for method in ("Analyze", "Remediate", "AnalyzeStack"):
        kept = getattr(server._PolicyAnalyzerServicer, method)
        monkeypatch.setattr(server._PolicyAnalyzerServicer, method, kept)
    monkeypatch.setattr(pack, "_inputs", {})
    return lambda: server._PolicyAnalyzerServicer(pack.NAME, "1.0.0", pack.policies(), EnforcementLevel.MANDATORY)


def request(token: str, properties: dict[str, Any]) -> Any:
    made = server.proto.AnalyzeRequest(type=token, urn=f"urn:pulumi:s::p::{token}::one", name="one")
    json_format.ParseDict(properties, made.properties)
    return made


def stack_of(*requests: Any) -> Any:
    made = server.proto.AnalyzeStackRequest()
    for each in requests:
        made.resources.add(type=each.type, urn=each.urn, name=each.name, properties=each.properties)
    return made


CLAIM = "kubernetes:extensions.agents.x-k8s.io/v1beta1:SandboxClaim"
POD_AS_ROOT = request(
    POD, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"containers": [{"name": "a"}]}}
)
CLAIM_OF_NO_POOL = request(
    CLAIM,
    {
        "apiVersion": "extensions.agents.x-k8s.io/v1beta1",
        "kind": "SandboxClaim",
        "metadata": {"name": "one", "namespace": "a"},
        "spec": {"warmPoolRef": {"name": "missing"}},
    },
)
DEFINITION = request(
    CRD,
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "sandboxes.agents.x-k8s.io"},
        "spec": {"group": "agents.x-k8s.io"},
    },
)
ADDON = request(
    "gcp:container/cluster:Cluster",
    {"name": "one", "location": "a", "addonsConfig": {"agentSandboxConfig": {"enabled": True}}},
)
REQUESTS = (POD_AS_ROOT, CLAIM_OF_NO_POOL, DEFINITION, ADDON)


def verdicts(judge: Any) -> list[str]:
    """Everything that the server says of the requests, one by one and as a stack."""
    answers = [judge.Analyze(copy(each), None) for each in REQUESTS]
    answers.append(judge.AnalyzeStack(stack_of(*REQUESTS), None))
    return [each.message for answer in answers for each in answer.diagnostics]


def copy(one: Any) -> Any:
    made = type(one)()
    made.CopyFrom(one)
    return made


def test_the_verdicts_are_those_of_the_sdk_alone(analyzer: Callable[[], Any]) -> None:
    expected = verdicts(analyzer())
    pack.install()
    judge = analyzer()
    assert verdicts(judge) == expected
    assert verdicts(judge) == expected  # nothing is kept from one request to the next
    for rule in ("runAsNonRoot", "claimPool", "oneController"):
        assert any(rule in message for message in expected), (rule, expected)


def test_what_no_rule_looks_into_is_not_decoded(analyzer: Callable[[], Any]) -> None:
    pack.install()
    asked = copy(DEFINITION)
    analyzer().Analyze(asked, None)
    assert set(asked.properties) == {"apiVersion", "kind", "metadata"}
    analyzer().AnalyzeStack(again := stack_of(DEFINITION), None)
    assert not again.resources[0].properties

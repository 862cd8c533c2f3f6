"""The rules themselves: each control has what complies and what violates it alone, wherever the pod is."""

from typing import Any

import pytest

from policies.catalog import TOPICS, controls
from policies.configuration import Configuration
from policies.controls import SEVERITIES
from policies.judge import Finding, Judge
from policies.stacks import matters
from tests.policies.cases import CASES, POD, WRAPPERS, Configured, Given, changed, manifest, objects, pod

OPAQUE = {"opaqueRelease"}
"""Controls whose only verdict besides `complies` is that it cannot be told."""


def judge(given: Given, **configuration: Any) -> list[Finding]:
    found = objects(given)
    judge = Judge(Configuration(given=given.parameters if isinstance(given, Configured) else configuration))
    kept = [one for one in found if matters(one)]
    return [*(finding for one in found for finding in judge.one(one)), *judge.stack(kept)]


def names(findings: list[Finding]) -> set[str]:
    return {finding.control.name for finding in findings}


def test_every_control_has_cases_and_no_case_is_left_over() -> None:
    assert set(CASES) == set(controls())
    assert all(good and bad for good, bad in CASES.values())


def test_every_control_says_what_it_asks_what_it_risks_and_how_to_repair_it() -> None:
    assert len(controls()) == sum(len(topic.controls) for topic in TOPICS.values())
    for name, (topic, control) in controls().items():
        for text in (control.asks, control.risk, control.fix):
            assert len(text) > 15, name
            assert text.endswith("."), name
        assert control.severity in SEVERITIES
        assert topic.url.startswith("https://")


@pytest.mark.parametrize("name", CASES)
def test_what_complies_passes(name: str) -> None:
    for good in CASES[name][0]:
        assert name not in names(judge(good)), good


@pytest.mark.parametrize("name", CASES)
def test_what_violates_a_control_violates_it_alone(name: str) -> None:
    for bad in CASES[name][1]:
        findings = judge(bad)
        assert names(findings) == {name}, [finding.message for finding in findings]
        assert all(finding.undecided == (name in OPAQUE) for finding in findings)


@pytest.mark.parametrize(
    ("baseline", "restricted", "path", "value"),
    [
        ("procMount", "procMount_restricted", "containers/0/securityContext/procMount", "Unmasked"),
        (
            "seccompProfile_baseline",
            "seccompProfile_restricted",
            "containers/0/securityContext/seccompProfile",
            {"type": "Unconfined"},
        ),
    ],
)
def test_baseline_checks_that_restricted_overrides_hold_alone_too(
    baseline: str, restricted: str, path: str, value: Any
) -> None:
    assert names(judge(pod(path, value))) == {baseline, restricted}
    off = {"pod-security-restricted": {"except": [restricted]}}
    assert names(judge(pod(path, value), **off)) == {baseline}


def test_a_digest_can_be_required() -> None:
    required = {"supply-chain": {"requireDigest": True}}
    assert names(judge(pod(), **required)) == {"imagePinned"}
    assert names(judge(pod("containers/0/image", "registry.example/app@sha256:" + "a" * 64), **required)) == set()


BROKEN = changed(changed(POD, "containers/0/securityContext/privileged", True), "hostPID", True)


@pytest.mark.parametrize("kind", WRAPPERS)
def test_a_pod_has_the_same_verdict_at_the_right_path_in_every_kind(kind: str) -> None:
    prefix, wrap = WRAPPERS[kind]
    wrapped = wrap({}, BROKEN)
    expected = {
        ("privileged", f"{prefix}spec.containers[0].securityContext.privileged"),
        ("hostNamespaces", f"{prefix}spec.hostPID"),
    }
    sandboxes = {name for name in ("sandbox-hardening", "sandbox-network") if "Sandbox" in kind}
    for given, path in (
        ([wrapped], ""),
        ([manifest("List", items=[pod()[0], wrapped])], "items[1]."),
        ([{"apiVersion": wrapped["apiVersion"], "kind": f"{kind}List", "items": [wrapped]}], "items[0]."),
    ):
        found = [each for each in judge(given) if each.policy not in sandboxes]
        assert {(each.control.name, each.field) for each in found} == {(name, path + at) for name, at in expected}


@pytest.mark.parametrize("kind", [kind for kind in WRAPPERS if kind != "Rollout"])
def test_pulumis_patch_kinds_are_judged_and_those_that_leave_the_pod_alone_pass(kind: str) -> None:
    prefix, wrap = WRAPPERS[kind]
    wrapped = wrap({}, BROKEN)
    api = wrapped["apiVersion"] if "/" in wrapped["apiVersion"] else f"core/{wrapped['apiVersion']}"
    token = f"kubernetes:{api}:{kind}Patch"
    found = judge((token, "test", wrapped))
    assert f"{prefix}spec.hostPID" in {each.field for each in found}
    assert {each.resource.split("/")[0] for each in found} == {kind}
    if kind != "Pod":
        assert judge((token, "test", {"metadata": {"name": "a", "labels": {"a": "b"}}})) == []


def test_a_configured_kind_is_judged_where_its_pod_is() -> None:
    odd = manifest("Fleet", "example.com/v1", spec={"pod": {"spec": {"hostPID": True, "ephemeralContainers": {}}}})
    assert judge([odd]) == []
    configured = {"podTemplates": ["example.com/Fleet:spec.pod"]}
    found = judge([odd], **{"well-formed": configured, "pod-security-baseline": configured})
    assert {("hostNamespaces", "spec.pod.spec.hostPID"), ("malformed", "spec.pod.spec.ephemeralContainers")} == {
        (each.control.name, each.field) for each in found
    }


def test_a_switched_off_control_is_silent() -> None:
    given = pod("hostPID", True)
    assert names(judge(given)) == {"hostNamespaces"}
    assert names(judge(given, **{"pod-security-baseline": {"except": ["hostNamespaces"]}})) == set()

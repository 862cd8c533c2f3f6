"""The rules, fed what the engine feeds them: its proxies, its unknowns, its floats and nulls."""

from typing import Any

import pytest
from pulumi_policy.proxy import UNKNOWN_ARRAY_VALUE, UNKNOWN_BOOLEAN_VALUE, UNKNOWN_OBJECT_VALUE, unknown_checking_proxy

from policies.pod_security import RULES, Violation
from policies.values import UNKNOWN, plain
from policies.workloads import PATHS, kind_of, pod_specs

SAFE: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True},
    "containers": [{"name": "a", "securityContext": {"capabilities": {"drop": ["ALL"]}}}],
}


def judge(rule: str, spec: Any) -> list[Violation]:
    return list(RULES[rule](plain(unknown_checking_proxy({"spec": spec}))["spec"]))


def container(security_context: Any) -> dict[str, Any]:
    return {
        "securityContext": {"runAsNonRoot": True},
        "containers": [{"name": "a", "securityContext": security_context}],
    }


@pytest.mark.parametrize("rule", RULES)
def test_a_safe_pod_complies(rule: str) -> None:
    assert judge(rule, SAFE) == []


@pytest.mark.parametrize(
    ("rule", "spec", "field"),
    [
        ("run-as-non-root", {"containers": [{"name": "a"}]}, "containers[0].securityContext.runAsNonRoot"),
        ("run-as-non-root", container({"runAsNonRoot": False}), "containers[0].securityContext.runAsNonRoot"),
        (
            "run-as-non-root",
            {**SAFE, "initContainers": [{"securityContext": {"runAsNonRoot": False}}]},
            "initContainers[0].securityContext.runAsNonRoot",
        ),
        (
            "run-as-non-root",
            {**SAFE, "securityContext": {"runAsNonRoot": False}},
            "securityContext.runAsNonRoot",
        ),
        ("drop-all-capabilities", container(None), "containers[0].securityContext.capabilities.drop"),
        (
            "drop-all-capabilities",
            container({"capabilities": {"drop": ["NET_RAW"]}}),
            "containers[0].securityContext.capabilities.drop",
        ),
        (
            "drop-all-capabilities",
            container({"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}),
            "containers[0].securityContext.capabilities.add",
        ),
        (
            "drop-all-capabilities",
            {**SAFE, "ephemeralContainers": [{"name": "debug"}]},
            "ephemeralContainers[0].securityContext.capabilities.drop",
        ),
    ],
)
def test_a_soft_pod_violates_at_the_right_field(rule: str, spec: Any, field: str) -> None:
    assert field in [violation.field for violation in judge(rule, spec)]


@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        ("run-as-non-root", UNKNOWN_OBJECT_VALUE),
        ("run-as-non-root", {**SAFE, "securityContext": {"runAsNonRoot": UNKNOWN_BOOLEAN_VALUE}}),
        ("run-as-non-root", {**SAFE, "containers": UNKNOWN_ARRAY_VALUE}),
        ("drop-all-capabilities", UNKNOWN_OBJECT_VALUE),
        ("drop-all-capabilities", container({"capabilities": {"drop": UNKNOWN_ARRAY_VALUE}})),
        ("drop-all-capabilities", container(UNKNOWN_OBJECT_VALUE)),
    ],
)
def test_what_is_not_known_yet_never_passes_silently(rule: str, spec: Any) -> None:
    assert any(violation.unknown for violation in judge(rule, spec))


@pytest.mark.parametrize("kind", PATHS)
def test_pod_specs_are_found_in_every_kind_its_lists_and_patches(kind: str) -> None:
    manifest: Any = SAFE
    for field in reversed(PATHS[kind]):
        manifest = {field: manifest}
    path = ".".join(PATHS[kind])
    assert list(pod_specs(kind, manifest)) == [(path, SAFE)]
    assert list(pod_specs(f"{kind}List", {"items": [manifest]})) == [(f"items[0].{path}", SAFE)]
    assert kind_of(f"kubernetes:any.group/v1:{kind}Patch") == kind


def test_other_providers_resources_are_none_of_kubernetes_kinds() -> None:
    assert kind_of("gcp:container/cluster:Cluster") == ""


def test_proxies_become_plain_data_with_unknowns_marked() -> None:
    proxied = unknown_checking_proxy({"a": [1.0, {"b": None}], "c": UNKNOWN_BOOLEAN_VALUE})
    assert plain(proxied) == {"a": [1.0, {"b": None}], "c": UNKNOWN}

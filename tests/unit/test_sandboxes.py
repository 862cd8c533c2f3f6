"""Templates, pools and claims: what they declare, and what no argument can take away."""

from typing import Any

import pytest

from components import (
    ArgumentError,
    SandboxClaim,
    SandboxNamespace,
    SandboxTemplate,
    SandboxTemplateArgs,
    SandboxWarmPool,
)

ARGS: SandboxTemplateArgs = {"namespace": "agents", "image": "registry.example/python:v1"}


def pod(made: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = made["t-template"]["spec"]["podTemplate"]["spec"]
    return spec


def test_a_template_is_isolated_by_gvisor_and_led_to_its_nodes(build: Any) -> None:
    spec = pod(build(lambda: SandboxTemplate("t", ARGS)))
    assert spec["runtimeClassName"] == "gvisor"
    assert spec["nodeSelector"]["sandbox.gke.io/runtime"] == "gvisor"
    assert {"key": "sandbox.gke.io/runtime", "operator": "Equal", "value": "gvisor", "effect": "NoSchedule"} in spec[
        "tolerations"
    ]


@pytest.mark.parametrize("runtime", ["gvisor", "kata-qemu", "kata-clh", "unsafe-runc"])
def test_whatever_the_runtime_a_sandbox_is_hardened(build: Any, runtime: str) -> None:
    spec = pod(build(lambda: SandboxTemplate("t", {**ARGS, "runtime": runtime})))
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 1000
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}


def test_no_isolation_is_spelled_out_and_names_no_runtime_class(build: Any) -> None:
    assert "runtimeClassName" not in pod(build(lambda: SandboxTemplate("t", {**ARGS, "runtime": "unsafe-runc"})))


def test_claims_may_inject_nothing_and_the_network_is_managed(build: Any) -> None:
    spec = build(lambda: SandboxTemplate("t", ARGS))["t-template"]["spec"]
    assert spec["envVarsInjectionPolicy"] == spec["volumeClaimTemplatesPolicy"] == "Disallowed"
    assert spec["networkPolicyManagement"] == "Managed"


def test_a_read_only_root_comes_with_a_writable_tmp(build: Any) -> None:
    spec = pod(build(lambda: SandboxTemplate("t", {**ARGS, "read_only_root": True})))
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["containers"][0]["volumeMounts"] == [{"name": "writable-tmp", "mountPath": "/tmp"}]  # noqa: S108


def test_the_port_serves_the_probes_too(build: Any) -> None:
    (container,) = pod(build(lambda: SandboxTemplate("t", {**ARGS, "port": 9000})))["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 9000}]
    assert container["readinessProbe"]["httpGet"]["port"] == "http"


def test_an_update_waits_for_a_full_pool_and_for_nothing_where_none_is_wanted(build: Any) -> None:
    full = build(lambda: SandboxWarmPool("p", {"namespace": "agents", "template": "t", "replicas": 7}))["p-pool"]
    assert full["metadata"]["annotations"]["pulumi.com/waitFor"] == "jsonpath={.status.readyReplicas}=7"
    empty = build(lambda: SandboxWarmPool("p", {"namespace": "agents", "template": "t", "replicas": 0}))["p-pool"]
    assert "pulumi.com/waitFor" not in empty["metadata"]["annotations"]
    assert empty["spec"]["replicas"] == 0


def test_a_claim_says_only_what_it_was_told(build: Any) -> None:
    plain = build(lambda: SandboxClaim("c", {"namespace": "agents", "pool": "p"}))["c-claim"]
    assert plain["spec"] == {"warmPoolRef": {"name": "p"}}
    timed = build(
        lambda: SandboxClaim(
            "c",
            {
                "namespace": "agents",
                "pool": "p",
                "shutdown_time": "2027-01-31T12:00:00Z",
                "ttl_seconds_after_finished": 0,
            },
        )
    )["c-claim"]
    assert timed["spec"]["lifecycle"] == {"shutdownTime": "2027-01-31T12:00:00Z", "ttlSecondsAfterFinished": 0}


def test_a_tenants_namespace_admits_restricted_pods_only(build: Any) -> None:
    made = build(lambda: SandboxNamespace("agents", {}))["agents-namespace"]
    assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"image": "python"}, "has neither a tag nor a digest"),
        ({"user": 0}, "User 0 is root"),
        ({"runtime": "none"}, "between the agent's code and the node's kernel"),
        ({"privileged": True}, "is not a key that is known here"),
        ({"limits": {"cpu": "half"}}, "holds cpu: half"),
    ],
)
def test_wrong_templates_are_refused(build: Any, wrong: dict[str, Any], expected: str) -> None:
    args: SandboxTemplateArgs = {**ARGS, **wrong}  # type: ignore[typeddict-item]
    with pytest.raises(ArgumentError, match=expected):
        build(lambda: SandboxTemplate("t", args))

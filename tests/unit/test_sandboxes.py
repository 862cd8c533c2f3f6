"""Templates, pools and claims: what they declare, and what no argument can take away."""

import copy
from typing import Any

import pulumi
import pytest

from components import (
    ControllerAppAccess,
    Sandbox,
    SandboxAdmission,
    SandboxArgs,
    SandboxClaim,
    SandboxNamespace,
    SandboxTemplate,
    SandboxTemplateArgs,
    SandboxWarmPool,
)
from components._admission_rules import POD_RULES, VOLUMES
from policies import pod_security_restricted

SANDBOX: SandboxArgs = {"namespace": "agents", "image": "registry.example/python:v1"}
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


WHOLE: dict[str, Any] = {
    "initContainers": [{"name": "first", "image": "registry.example/init:v1"}],
    "containers": [
        {"name": "main", "image": "registry.example/python:v1", "ports": [{"containerPort": 9000}]},
        {
            "name": "helper",
            "image": "registry.example/helper:v1",
            "resources": {"limits": {"cpu": "100m"}},
            "securityContext": {"runAsUser": 2000},
        },
    ],
    "nodeSelector": {"disk": "fast"},
}


@pytest.mark.parametrize("runtime", ["gvisor", "kata-qemu", "kata-clh", "unsafe-runc"])
def test_a_whole_pod_spec_is_hardened_as_the_short_form_is(build: Any, runtime: str) -> None:
    args: SandboxTemplateArgs = {"namespace": "agents", "pod": WHOLE, "runtime": runtime}
    spec = pod(build(lambda: SandboxTemplate("t", args)))
    short = pod(build(lambda: SandboxTemplate("t", {**ARGS, "runtime": runtime})))
    for field in ("automountServiceAccountToken", "enableServiceLinks", "securityContext", "dnsPolicy", "dnsConfig"):
        assert spec[field] == short[field]
    assert spec.get("runtimeClassName") == short.get("runtimeClassName")
    assert spec.get("tolerations") == short.get("tolerations")
    assert spec["nodeSelector"] == {**short["nodeSelector"], "disk": "fast"}
    for container in [*spec["initContainers"], *spec["containers"]]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}


def test_what_a_whole_pod_spec_says_is_kept_and_the_caller_keeps_it_too(build: Any) -> None:
    before = copy.deepcopy(WHOLE)
    spec = pod(build(lambda: SandboxTemplate("t", {"namespace": "agents", "pod": WHOLE, "read_only_root": True})))
    main, helper = spec["containers"]
    assert before == WHOLE
    assert helper["securityContext"]["runAsUser"] == 2000
    assert helper["resources"]["limits"]["cpu"] == "100m"
    assert "cpu" not in helper["resources"]["requests"]  # which is then what the limit is
    assert main["startupProbe"]["tcpSocket"] == main["readinessProbe"]["tcpSocket"] == {"port": 9000}
    assert "startupProbe" not in helper
    assert {each["mountPath"] for each in helper["volumeMounts"]} == {"/tmp"}  # noqa: S108


def test_an_output_in_a_pod_spec_is_left_to_the_engine(build: Any) -> None:
    image = pulumi.Output.from_input("registry.example/later:v1")
    whole = {"containers": [{"name": "main", "image": image}]}
    spec = pod(build(lambda: SandboxTemplate("t", {"namespace": "agents", "pod": whole})))
    assert spec["containers"][0]["image"] == "registry.example/later:v1"


def test_volumes_come_from_one_source_each_and_are_mounted(build: Any) -> None:
    args: SandboxTemplateArgs = {
        **ARGS,
        "volumes": {
            "scratch": {"mount_path": "/scratch", "size_limit": "1Gi"},
            "settings": {"mount_path": "/etc/app", "config_map": "settings"},
            "keys": {"mount_path": "/keys", "secret": "keys"},
            "shared": {"mount_path": "/data", "claim": "data", "read_only": True},
        },
        "volume_claims": {"home": {"mount_path": "/home/agent", "size": "5Gi", "storage_class": "fast"}},
    }
    made = build(lambda: SandboxTemplate("t", args))
    spec = pod(made)
    assert [{key: each[key] for key in each if key != "name"} for each in spec["volumes"]] == [
        {"emptyDir": {"sizeLimit": "1Gi"}},
        {"configMap": {"name": "settings"}},
        {"secret": {"secretName": "keys"}},
        {"persistentVolumeClaim": {"claimName": "data"}},
    ]
    mounts = {each["name"]: each for each in spec["containers"][0]["volumeMounts"]}
    assert mounts["home"]["mountPath"] == "/home/agent"
    assert [name for name, each in mounts.items() if each.get("readOnly")] == ["settings", "keys", "shared"]
    assert made["t-template"]["spec"]["volumeClaimTemplates"] == [
        {
            "metadata": {"name": "home"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "5Gi"}},
                "storageClassName": "fast",
            },
        }
    ]


def test_a_lower_limit_takes_the_default_request_with_it(build: Any) -> None:
    (container,) = pod(build(lambda: SandboxTemplate("t", {**ARGS, "limits": {"cpu": "100m"}})))["containers"]
    assert container["resources"]["limits"]["cpu"] == "100m"
    assert "cpu" not in container["resources"]["requests"]
    assert container["resources"]["requests"]["memory"] == "512Mi"


def test_an_unmanaged_network_is_spelled_out_and_has_no_rules(build: Any) -> None:
    made = build(lambda: SandboxTemplate("t", {**ARGS, "unsafe_unmanaged_network": True}))["t-template"]["spec"]
    assert made["networkPolicyManagement"] == "Unmanaged"
    assert "networkPolicy" not in made
    assert "dnsPolicy" not in made["podTemplate"]["spec"]


def test_a_sandbox_is_the_pod_that_a_template_would_be_behind_a_policy_of_its_own(build: Any) -> None:
    made = build(lambda: Sandbox("s", SANDBOX))
    sandbox, policy = made["s-sandbox"], made["s-network-policy"]
    assert sandbox["spec"]["podTemplate"]["spec"] == pod(build(lambda: SandboxTemplate("t", ARGS)))
    labels = sandbox["spec"]["podTemplate"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(
    ("suspended", "mode", "awaited"),
    [(False, "Running", "condition=Ready"), (True, "Suspended", "condition=Suspended")],
)
def test_one_argument_suspends_a_sandbox_and_the_update_waits_for_it(
    build: Any, suspended: bool, mode: str, awaited: str
) -> None:
    made = build(lambda: Sandbox("s", {**SANDBOX, "suspended": suspended}))["s-sandbox"]
    assert made["spec"]["operatingMode"] == mode
    assert made["metadata"]["annotations"]["pulumi.com/waitFor"] == awaited


def test_an_autoscaled_pool_starts_at_its_least_and_leaves_its_size_alone(build: Any) -> None:
    made = build(
        lambda: SandboxWarmPool(
            "p", {"namespace": "agents", "template": "t", "autoscaling": {"min_replicas": 3, "max_replicas": 30}}
        )
    )
    scaler = made["p-autoscaler"]["spec"]
    assert made["p-pool"]["spec"]["replicas"] == scaler["minReplicas"] == 3
    assert scaler["scaleTargetRef"]["name"] == "p"
    (metric,) = scaler["metrics"]
    assert metric["external"]["metric"]["selector"]["matchLabels"] == {"metric.labels.warmpool_name": "p"}
    assert metric["external"]["target"] == {"type": "Value", "value": "0.5"}


def test_a_namespace_bounds_what_is_in_it(build: Any) -> None:
    made = build(lambda: SandboxNamespace("agents", {"quota": {"pods": "9"}, "priority": {"value": 5}}))
    assert made["agents-quota"]["spec"]["hard"] == {
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "pods": "9",
    }
    assert made["agents-default-deny"]["spec"]["ingress"] == made["agents-default-deny"]["spec"]["egress"] == []
    assert made["agents-priority"]["preemptionPolicy"] == "Never"


def test_rights_lie_in_the_named_namespaces_and_the_tunnel_is_asked_for(build: Any) -> None:
    made = build(lambda: ControllerAppAccess("app", {"namespace": "apps", "sandbox_namespaces": ["a", "b"]}))
    roles = [each for each in made.values() if each.get("kind") == "Role"]
    assert {each["metadata"]["namespace"] for each in roles} == {"a", "b"}
    assert not any("portforward" in str(each) for each in roles)
    assert not any(each.get("kind") in ("ClusterRole", "Secret") for each in made.values())


def test_admission_and_the_policy_pack_allow_the_same_volumes() -> None:
    assert set(VOLUMES) == pod_security_restricted.VOLUMES


def test_admission_leaves_out_what_it_is_told_to_and_nothing_else(build: Any) -> None:
    made = build(lambda: SandboxAdmission("a", {"disabled_rules": ["imagePinned"], "enforcement": "warn"}))
    validations = made["a-sandboxes-policy"]["spec"]["validations"]
    rules = [each["message"].partition(":")[0] for each in validations]
    assert set(rules) == set(POD_RULES) - {"imagePinned"}
    assert made["a-sandboxes-binding"]["spec"]["validationActions"] == ["Warn", "Audit"]
    assert made["a-sandboxes-policy"]["spec"]["failurePolicy"] == "Fail"
    assert made["a-sandboxes-binding"]["spec"]["paramRef"]["parameterNotFoundAction"] == "Deny"

"""Wrong uses of the components for sandboxes: each is refused with its reason, and registers nothing."""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

import components
from components import ArgumentError
from tests.conftest import Recorder

IMAGE = "registry.example/python:v1"
CONTAINER = {"name": "main", "image": IMAGE}
BASE: dict[str, dict[str, Any]] = {
    "SandboxTemplate": {"namespace": "agents", "image": IMAGE},
    "Sandbox": {"namespace": "agents", "image": IMAGE},
    "SandboxWarmPool": {"namespace": "agents", "template": "t"},
    "SandboxClaim": {"namespace": "agents", "pool": "p"},
    "SandboxNamespace": {},
    "ControllerAppAccess": {"namespace": "apps", "sandbox_namespaces": ["agents"]},
    "SandboxAdmission": {},
}


def pod(**fields: Any) -> dict[str, Any]:
    """The full form of a template with a pod spec that says more than it should."""
    return {"image": None, "pod": {"containers": [CONTAINER], **fields}}


def container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{**CONTAINER, **fields}])


def context(**fields: Any) -> dict[str, Any]:
    return container(securityContext=fields)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    # misspelt and mistyped
    ("SandboxTemplate", {"privileged": True}, "t.privileged: "),
    ("SandboxTemplate", {"egress": {"internt": True}}, "Did you mean internet?"),
    ("SandboxTemplate", {"ports": {"metrics": "9090"}}, 't.ports.metrics: "9090" is not a whole number'),
    ("SandboxTemplate", {"volumes": {"x": {"mountpath": "/x"}}}, "Did you mean mount_path?"),
    # values
    ("SandboxTemplate", {"image": "python"}, "has neither a tag nor a digest"),
    ("SandboxTemplate", {"user": 0}, "User 0 is root"),
    ("SandboxTemplate", {"runtime": "runc"}, "unsafe-runc"),
    ("SandboxTemplate", {"limits": {"cpu": "half"}}, "holds cpu: half"),
    ("SandboxTemplate", {"env": {"1ST": "x"}}, 'holds "1ST", which is not a variable\'s name'),
    ("SandboxTemplate", {"health_path": "healthz"}, "is not an absolute path"),
    ("SandboxTemplate", {"labels": {"agents.x-k8s.io/pool": "x"}}, "belongs to the controller"),
    ("SandboxTemplate", {"annotations": {"extensions.agents.x-k8s.io/a": "x"}}, "belongs to the controller"),
    ("SandboxTemplate", {"labels": {"two words": "x"}}, "is not a key of metadata"),
    ("SandboxTemplate", {"tolerations": [{"operator": "Exists"}]}, "t.tolerations[0]: "),
    ("SandboxTemplate", {"node_selector": {"sandbox.gke.io/runtime": "runc"}}, "No pod would be scheduled"),
    ("SandboxTemplate", {"env_vars_injection_policy": "Override"}, "Did you mean Overrides?"),
    # contradictions
    ("SandboxTemplate", {"image": None}, "t.image: nothing is given, and no pod either"),
    ("SandboxTemplate", {"requests": {"memory": "2Gi"}}, "is above the limit of 1Gi"),
    ("SandboxTemplate", {"unsafe_unmanaged_network": True, "egress": {}}, "though the network is not managed"),
    (
        "SandboxTemplate",
        {"volumes": {"a": {"mount_path": "/a"}}, "volume_claims": {"a": {"size": "1Gi", "mount_path": "/b"}}},
        "has the name of a volume claim",
    ),
    (
        "SandboxTemplate",
        {"volumes": {"a": {"mount_path": "/a"}, "b": {"mount_path": "/a"}}},
        "t.volumes.b: ",
    ),
    ("SandboxTemplate", {"volume_claims": {"a": {"size": "1Gi"}}}, "has no mount path"),
    ("SandboxTemplate", {"volume_claims": {"a": {"size": "1GB", "mount_path": "/a"}}}, "is not a quantity"),
    (
        "SandboxTemplate",
        {"volumes": {"a": {"mount_path": "/a", "secret": "s", "config_map": "c"}}},
        "A volume comes from one source",
    ),
    # egress
    ("SandboxTemplate", {"egress": {"cidrs": [{"cidr": "10.1.0.0/16"}]}}, "t.egress.cidrs[0].cidr: "),
    ("SandboxTemplate", {"egress": {"cidrs": [{"cidr": "10.1.2.3/16"}]}}, "has host bits set"),
    ("SandboxTemplate", {"egress": {"private_cidrs": [{"cidr": "169.254.169.254/32"}]}}, "the metadata server's"),
    (
        "SandboxTemplate",
        {"egress": {"cidrs": [{"cidr": "1.2.3.0/24", "exceptions": ["1.2.4.0/25"]}]}},
        "which is not a part of 1.2.3.0/24",
    ),
    ("SandboxTemplate", {"egress": {"cidrs": [{"cidr": "::/0"}], "ip_families": ["IPv4"]}}, "is IPv6"),
    ("SandboxTemplate", {"egress": {"dns": "google"}}, "It says who resolves names"),
    ("SandboxTemplate", {"egress": {"ip_families": []}}, "Name IPv4, IPv6 or both"),
    # a whole pod spec that is softer than a sandbox
    ("SandboxTemplate", {"pod": {"containers": [CONTAINER]}}, "is given beside pod"),
    ("SandboxTemplate", pod(containers=[]), "There would be nothing to run"),
    ("SandboxTemplate", pod(hostNetwork=True), "t.pod.hostNetwork: true takes the wall to the node down"),
    ("SandboxTemplate", pod(automountServiceAccountToken=True), "tells the code about the cluster"),
    ("SandboxTemplate", pod(runtimeClassName="runc"), "is not gvisor, the class of the runtime"),
    ("SandboxTemplate", pod(nodeSelector={"sandbox.gke.io/runtime": "none"}), "leads away from"),
    ("SandboxTemplate", pod(nodeName="node-1"), "passes over the scheduler"),
    ("SandboxTemplate", pod(volumes=[{"name": "h", "hostPath": {"path": "/"}}]), "t.pod.volumes[0].hostPath: "),
    (
        "SandboxTemplate",
        pod(volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {}}]}}]),
        "mounts credentials of the cluster",
    ),
    ("SandboxTemplate", context(privileged=True), "t.pod.containers[0].securityContext.privileged: true"),
    ("SandboxTemplate", context(capabilities={"add": ["SYS_ADMIN"]}), "A sandbox drops them all"),
    ("SandboxTemplate", context(runAsUser=0), "runAsUser: 0 is root"),
    ("SandboxTemplate", context(seccompProfile={"type": "Unconfined"}), "filters no system call"),
    ("SandboxTemplate", container(image="python:latest"), "t.pod.containers[0].image: "),
    ("SandboxTemplate", container(ports=[{"containerPort": 1, "hostPort": 1}]), "binds a port of the node"),
    # a sandbox
    ("Sandbox", {"shutdown_policy": "DeleteForeground"}, "It says what becomes of an ended sandbox"),
    ("Sandbox", {"shutdown_time": "2027-01-31"}, "is not a time with a time zone"),
    ("Sandbox", {"suspended": "yes"}, "t.suspended: "),
    ("Sandbox", {"env_vars_injection_policy": "Allowed"}, "is not a key that is known here"),
    # pools
    ("SandboxWarmPool", {"replicas": -1}, "is not between 0 and 10000"),
    (
        "SandboxWarmPool",
        {"replicas": 2, "autoscaling": {"min_replicas": 1, "max_replicas": 2}},
        "would undo each other's size",
    ),
    ("SandboxWarmPool", {"autoscaling": {"min_replicas": 3, "max_replicas": 2}}, "is above max_replicas, 2"),
    ("SandboxWarmPool", {"autoscaling": {"min_replicas": 0, "max_replicas": 2}}, "give replicas: 0 instead"),
    ("SandboxWarmPool", {"autoscaling": {"min_replicas": 1}}, "t.autoscaling.max_replicas: nothing is given"),
    (
        "SandboxWarmPool",
        {"autoscaling": {"min_replicas": 1, "max_replicas": 2, "metric": {"name": "m"}}},
        "The autoscaler needs exactly one target",
    ),
    # claims
    ("SandboxClaim", {"labels": {"owner": "x"}}, "Write it as sandbox.users.io/owner"),
    ("SandboxClaim", {"annotations": {"policy.k8s.io/x": "y"}}, "belongs to the system"),
    ("SandboxClaim", {"shutdown_policy": "Delete"}, "nothing ends the claim"),
    ("SandboxClaim", {"ttl_seconds_after_finished": -1}, "t.ttl_seconds_after_finished: -1"),
    # namespaces
    ("SandboxNamespace", {"quota": {"pods": "many"}}, "holds pods: many"),
    ("SandboxNamespace", {"container_max": {"memory": "512Mi"}}, "is left at 1Gi, above the greatest, 512Mi"),
    ("SandboxNamespace", {"container_requests": {"cpu": "1"}}, "is above the limit, 500m"),
    ("SandboxNamespace", {"priority": {"value": 2 * 10**9}}, "Greater numbers are the system's"),
    (
        "SandboxNamespace",
        {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
        "enforces the restricted standard",
    ),
    # access
    ("ControllerAppAccess", {"service_account": "default"}, "is the account that sandboxes have"),
    ("ControllerAppAccess", {"namespace": "agents"}, "is a namespace of sandboxes"),
    ("ControllerAppAccess", {"sandbox_namespaces": []}, "The account would have no rights"),
    ("ControllerAppAccess", {"sandbox_namespaces": ["a", "a"]}, "names a namespace twice"),
    ("ControllerAppAccess", {"router_namespace": "r"}, "though no tunnel is asked for"),
    ("ControllerAppAccess", {"gateway": "g"}, "t.gateway_namespace: nothing is given"),
    ("ControllerAppAccess", {"kubeconfig": {"server": "http://10.0.0.1"}}, "in the clear"),
    # admission
    ("SandboxAdmission", {"enforcement": "block"}, "It says what becomes of an object that breaks a rule"),
    ("SandboxAdmission", {"disabled_rules": ["runtimeClas"]}, "Did you mean runtimeClass?"),
    ("SandboxAdmission", {"namespaces": ["a"], "namespace_labels": {"b": "c"}}, "is given beside namespaces"),
    ("SandboxAdmission", {"runtime_classes": []}, "It would refuse everything, or nothing"),
]


@pytest.mark.parametrize(("kind", "change", "expected"), WRONG, ids=[f"{kind}: {text[:48]}" for kind, _, text in WRONG])
def test_a_wrong_use_is_refused_and_registers_nothing(kind: str, change: Mapping[str, Any], expected: str) -> None:
    recorder = Recorder()
    mocks.set_mocks(recorder, project="agent-sandbox", stack="test", preview=False)
    args = {key: value for key, value in {**BASE[kind], **change}.items() if value is not None}
    component: Callable[..., object] = getattr(components, kind)

    async def program() -> None:
        with pytest.raises(ArgumentError) as refused:
            component("t", args)
        assert expected in str(refused.value)

    run_and_wait: Any = pulumi.runtime.test
    run_and_wait(program)()
    assert recorder.made == {}


@pytest.mark.parametrize("kind", BASE)
def test_what_the_table_starts_from_is_right(kind: str, build: Any) -> None:
    assert build(lambda: getattr(components, kind)("t", BASE[kind]))


def test_a_name_that_kubernetes_would_refuse_is_refused_as_an_argument_is() -> None:
    with pytest.raises(ArgumentError, match="is not a name that Kubernetes takes"):
        components.SandboxNamespace("Agents", {})

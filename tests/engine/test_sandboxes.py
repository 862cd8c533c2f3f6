"""Every component in one stack, deployed by Pulumi's engine to a real API server and run by the real controller.

One deployment serves all tests; those that change it come last, in the order in which they stand.
"""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components._admission_rules import BINDING_RULES, POD_RULES, RULES
from local import toolchain
from local.api import EXTENSIONS, SANDBOXES, Api, ApiError, Json
from local.cluster import bring_up_cluster
from local.engine import environment
from tests.engine.conftest import NAMESPACE, Deployment, eventually
from tests.engine.metrics_api import MetricsApi
from tests.engine.test_lifecycle import everything, settled

pytestmark = pytest.mark.engine

IMAGE = "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6"
POOLS = f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxwarmpools"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
AGENT = "system:serviceaccount:default:agent"
NOTEBOOK = {
    "image": IMAGE,
    "volumeClaims": {"home": {"size": "1Gi", "mountPath": "/home/agent", "storageClass": "manual"}},
    "service": True,
}


def configuration(server: str) -> dict[str, Any]:
    """A stack file's keys with every component in it."""
    whole = {"containers": [{"name": "main", "image": IMAGE}, {"name": "helper", "image": IMAGE}]}
    metric = {"name": "pending_agents", "averageValue": "1"}
    egress = {"cidrs": [{"cidr": "140.82.112.0/20", "ports": [443]}], "dns": "cluster", "ipFamilies": ["IPv4"]}
    return {
        "namespaces": {NAMESPACE: {"quota": {"pods": "50"}, "containerMax": {"cpu": "4"}, "priority": {"value": 100}}},
        "admission": {"sandboxes": {"registries": ["registry.k8s.io/agent-sandbox"]}},
        "templates": {
            "python": {"image": IMAGE, "priorityClass": NAMESPACE, "egress": egress},
            "whole": {"pod": whole, "envVarsInjectionPolicy": "Allowed"},
        },
        "warmPools": {
            "python": {"template": "python", "replicas": 2},
            "cold": {"template": "whole", "replicas": 0},
            "scaled": {
                "template": "python",
                "autoscaling": {"minReplicas": 1, "maxReplicas": 6, "metric": metric, "scaleDownSeconds": 0},
            },
        },
        "claims": {
            "warm": {"pool": "python", "labels": {"sandbox.users.io/owner": "desk"}},
            "cold": {"pool": "cold", "env": {"GREETING": "hello"}},
        },
        "sandboxes": {"notebook": NOTEBOOK},
        "access": {"agent": {"namespace": "default", "tunnel": True, "kubeconfig": {"server": server}}},
        "gateway": {"exposure": "external", "tls": {"certificateMap": "sandboxes"}},
        "observability": {"collector": "google"},
    }


class Complete(Deployment):
    """A deployment with every component, and what the cluster held before it."""

    before: dict[str, Json]
    configuration: dict[str, Any]

    def options(self, **changes: Any) -> list[str]:
        return self.with_config(**{**self.configuration, **changes})


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Complete]:
    made = Complete(tmp_path_factory.mktemp("complete"))
    control_plane = bring_up_cluster(made.state, toolchain.ensure())
    control_plane.kubectl("apply", "--filename=-", stdin=json.dumps(DISK))
    made.before = settled(made)
    server = control_plane.kubectl("config", "view", "--output=jsonpath={.clusters[0].cluster.server}")
    made.configuration = configuration(server)
    made.run("up", *made.options())
    yield made
    made.run("down", expect=None)


DISK = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "manual"},
            "provisioner": "kubernetes.io/no-provisioner",
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "disk-0"},
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "manual",
                "hostPath": {"path": "/nowhere"},
            },
        },
    ],
}
"""A disk that nothing is ever written to: no pod runs."""


def names(complete: Complete, path: str) -> set[str]:
    return {each["metadata"]["name"] for each in complete.api.items(path)}


def test_every_component_is_up_and_well(complete: Complete) -> None:
    found = json.loads(complete.run("status", "--json").stdout)
    details = {check["subject"]: check["detail"] for check in found["checks"] if check["well"]}
    assert found["well"] is True
    assert details["warm pool sandboxes/python"] == "2 of 2 ready"
    assert details["claims"] == "2 of 2 bound to a ready sandbox"
    assert details["sandboxes"] == "1 of 1 ready or suspended as they should be"


def test_status_of_an_existing_cluster_goes_through_the_stacks_own_kubeconfig(complete: Complete) -> None:
    context = yaml.safe_load(complete.state.kubeconfig.read_text())["current-context"]
    values = {"target": "existing", "kubeconfig": str(complete.state.kubeconfig), "context": context}
    file = complete.folder / "Pulumi.team.yaml"
    file.write_text(yaml.safe_dump({"config": {f"agent-sandbox:{key}": value for key, value in values.items()}}))
    found = json.loads(complete.run("status", "--json", "--config-file", str(file)).stdout)
    subjects = {check["subject"] for check in found["checks"]}
    assert found["well"] is True
    assert {"controller", "router", "warm pool sandboxes/python", "claims"} <= subjects
    assert "control plane" not in subjects  # of which only the embedded one's own status knows


def test_a_second_up_changes_nothing(complete: Complete) -> None:
    again = complete.run("up", *complete.options())
    assert "preview and policies: nothing to change" in again.stderr
    assert "update:" not in again.stderr


def test_the_controllers_network_policy_holds_the_templates_allow_list(complete: Complete) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
    spec = complete.api.get(f"{path}/python-network-policy")["spec"]
    blocks = [peer["ipBlock"]["cidr"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]
    assert blocks == ["140.82.112.0/20"]
    assert len(spec["ingress"]) == 1
    assert {"default-deny", "notebook-sandbox", "whole-network-policy"} <= names(complete, path)


def test_a_claim_with_variables_starts_cold_and_gets_them(complete: Complete) -> None:
    pod = complete.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/cold")
    assert {"name": "GREETING", "value": "hello"} in pod["spec"]["containers"][0]["env"]
    assert pod["spec"]["runtimeClassName"] == "gvisor"
    assert {each["securityContext"]["allowPrivilegeEscalation"] for each in pod["spec"]["containers"]} == {False}


def test_a_claims_labels_reach_its_pod(complete: Complete) -> None:
    pods = complete.api.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector="sandbox.users.io/owner=desk")
    assert len(pods) == 1
    assert pods[0]["spec"]["priority"] == 100


@pytest.mark.parametrize(
    ("softer", "reason"),
    [
        ({"hostNetwork": True}, 'violates PodSecurity "restricted'),
        ({"containers": [{"name": "a", "image": IMAGE, "resources": {"limits": {"cpu": "8"}}}]}, "maximum cpu usage"),
    ],
    ids=["softer than restricted", "greater than the namespace's greatest"],
)
def test_a_tenants_namespace_refuses(complete: Complete, softer: Json, reason: str) -> None:
    pod = complete.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/cold")["spec"]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    container = {**pod["containers"][0], **softer.get("containers", [{}])[0]}
    spec = {
        "containers": [container],
        "securityContext": pod["securityContext"],
        "hostNetwork": softer.get("hostNetwork", False),
    }
    with pytest.raises(ApiError, match=reason):
        complete.api.create(f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All", {**body, "spec": spec})


# Access: what the client needs, and nothing else


def rights(complete: Complete, kubeconfig: Path, namespace: str) -> set[tuple[str, ...]]:
    """Everything that the kubeconfig's bearer may do in a namespace, as the API server itself says."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    answer = Api(kubeconfig).create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)
    assert answer["status"]["incomplete"] is False
    return {
        (group, resource, verb, *rule.get("resourceNames", ()))
        for rule in answer["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not resource.startswith("self")  # what every account may ask about itself
    }


def may(complete: Complete, namespace: str, group: str, resource: str, verb: str, name: str = "") -> bool:
    """What the API server answers somebody else who asks about the application's account."""
    resource, _, subresource = resource.partition("/")
    attributes = {"namespace": namespace, "group": group, "resource": resource, "verb": verb, "name": name}
    groups = ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    asked = {"user": AGENT, "groups": groups, "resourceAttributes": {**attributes, "subresource": subresource}}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": asked}
    answer = complete.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


ROUTER = "agent-sandbox-system"
CORE, CLAIMS, AGENTS, ROLES = "", "extensions.agents.x-k8s.io", "agents.x-k8s.io", "rbac.authorization.k8s.io"


def test_the_account_may_do_what_the_client_does_and_nothing_else_at_all(complete: Complete, tmp_path: Path) -> None:
    own = kubeconfig(complete, tmp_path)
    claims = {(CLAIMS, "sandboxclaims", verb) for verb in ("create", "get", "list", "watch", "delete")}
    assert rights(complete, own, NAMESPACE) == claims | {(AGENTS, "sandboxes", verb) for verb in ("get", "watch")}
    assert rights(complete, own, ROUTER) == {
        (CORE, "services", "get", "sandbox-router-svc"),
        *((CORE, "pods", verb) for verb in ("get", "list")),
        *((CORE, "pods/portforward", verb) for verb in ("get", "create")),
    }
    for elsewhere in ("default", "kube-system"):
        assert rights(complete, own, elsewhere) == set()


@pytest.mark.parametrize(
    ("allowed", "namespace", "group", "resource", "verb"),
    [
        *((True, NAMESPACE, CLAIMS, "sandboxclaims", verb) for verb in ("create", "get", "list", "watch", "delete")),
        *((True, NAMESPACE, AGENTS, "sandboxes", verb) for verb in ("get", "watch")),
        (True, ROUTER, CORE, "pods/portforward", "create"),
        *((False, NAMESPACE, CLAIMS, "sandboxclaims", verb) for verb in ("update", "patch", "deletecollection")),
        *((False, NAMESPACE, AGENTS, "sandboxes", verb) for verb in ("create", "update", "patch", "delete")),
        *((False, NAMESPACE, CLAIMS, "sandboxtemplates", verb) for verb in ("get", "create", "update")),
        *((False, NAMESPACE, CLAIMS, "sandboxwarmpools", verb) for verb in ("get", "create", "update")),
        (False, NAMESPACE, CLAIMS, "sandboxwarmpools/scale", "update"),
        (False, NAMESPACE, CORE, "pods/exec", "create"),
        (False, NAMESPACE, CORE, "pods/portforward", "create"),
        (False, NAMESPACE, CORE, "pods", "create"),
        (False, NAMESPACE, CORE, "secrets", "get"),
        (False, NAMESPACE, CORE, "serviceaccounts/token", "create"),
        (False, NAMESPACE, ROLES, "rolebindings", "create"),
        (False, ROUTER, CORE, "secrets", "list"),
        (False, ROUTER, CORE, "pods/exec", "create"),
        (False, ROUTER, CORE, "services", "list"),
        (False, "default", CLAIMS, "sandboxclaims", "create"),
        (False, "", CLAIMS, "sandboxclaims", "list"),
        (False, "", CORE, "nodes", "list"),
    ],
)
def test_rights_as_a_matrix_of_who_may_and_who_may_not(
    complete: Complete, allowed: bool, namespace: str, group: str, resource: str, verb: str
) -> None:
    assert may(complete, namespace, group, resource, verb) is allowed


def test_of_services_it_sees_the_routers_alone(complete: Complete, tmp_path: Path) -> None:
    kubectl = [str(toolchain.ensure().path("kubectl")), f"--kubeconfig={kubeconfig(complete, tmp_path)}"]
    where = ["--namespace=agent-sandbox-system", "get", "service"]
    assert subprocess.run([*kubectl, *where, "sandbox-router-svc"], check=False, capture_output=True).returncode == 0
    other = subprocess.run([*kubectl, *where, "other"], check=False, capture_output=True, text=True)
    assert "Forbidden" in other.stderr


def kubeconfig(complete: Complete, folder: Path) -> Path:
    """The kubeconfig that the stack put out."""
    tools = toolchain.ensure()
    command = [str(tools.path("pulumi")), "stack", "output", "kubeconfigs", "--json", "--stack=local"]
    env = {**os.environ, **environment(complete.state, tools)}
    hidden = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    assert json.loads(hidden.stdout) == {"agent": "[secret]"}
    shown = subprocess.run([*command, "--show-secrets"], check=True, capture_output=True, text=True, env=env)
    file = folder / "kubeconfig"
    file.write_text(json.loads(shown.stdout)["agent"])
    return file


CLIENT = """
from k8s_agent_sandbox import SandboxClient
from k8s_agent_sandbox.models import SandboxDirectConnectionConfig

client = SandboxClient(connection_config=SandboxDirectConnectionConfig(api_url="http://127.0.0.1:1"))
sandbox = client.create_sandbox(warmpool="python", namespace="sandboxes", sandbox_ready_timeout=60)
print(sandbox.claim_name, sandbox.sandbox_id, sandbox.status()[0], sandbox.get_pod_ip())
assert sandbox.claim_name in client.list_all_sandboxes("sandboxes")
assert client.get_sandbox(sandbox.claim_name, "sandboxes").sandbox_id == sandbox.sandbox_id
client.delete_sandbox(sandbox.claim_name, "sandboxes")
"""


def test_the_python_client_creates_and_deletes_a_sandbox_with_the_kubeconfig_and_nothing_more(
    complete: Complete, tmp_path: Path
) -> None:
    bare = {"KUBECONFIG": str(kubeconfig(complete, tmp_path)), "HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", CLIENT], check=False, capture_output=True, text=True, env=bare, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    claim, sandbox, status, address = ended.stdout.split()
    assert status == "SandboxReady"
    assert address.startswith("10.")
    assert sandbox.startswith("python-")
    claims = f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxclaims"
    eventually(lambda: claim not in names(complete, claims), 30, "the claim is gone")
    eventually(
        lambda: sandbox not in names(complete, f"{SANDBOXES}/namespaces/{NAMESPACE}/sandboxes"), 30, "and its sandbox"
    )


# Admission: each rule refuses what breaks it alone


def within(spec: Json) -> Any:
    return spec["containers"][0]["securityContext"]


BAD: dict[str, Callable[[Json], Any]] = {
    "runtimeClass": lambda spec: spec.update(runtimeClassName="runc"),
    "gvisorScheduling": lambda spec: spec.pop("tolerations"),
    "broadToleration": lambda spec: spec["tolerations"].append({"operator": "Exists"}),
    "nodeName": lambda spec: spec.update(nodeName="ordinary-0"),
    "hostNamespaces": lambda spec: spec.update(hostPID=True),
    "serviceAccountToken": lambda spec: spec.pop("automountServiceAccountToken"),
    "projectedCredentials": lambda spec: spec.update(
        volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
    ),
    "restrictedVolumes": lambda spec: spec.update(volumes=[{"name": "h", "hostPath": {"path": "/"}}]),
    "anySysctls": lambda spec: spec["securityContext"].update(sysctls=[{"name": "a", "value": "1"}]),
    "anyHostPorts": lambda spec: spec["containers"][0].update(ports=[{"containerPort": 80, "hostPort": 80}]),
    "privileged": lambda spec: within(spec).update(privileged=True),
    "allowPrivilegeEscalation": lambda spec: within(spec).pop("allowPrivilegeEscalation"),
    "capabilities_restricted": lambda spec: within(spec).update(capabilities={"drop": ["KILL"]}),
    "addedCapabilities": lambda spec: within(spec)["capabilities"].update(add=["NET_BIND_SERVICE"]),
    "runAsNonRoot": lambda spec: spec["securityContext"].pop("runAsNonRoot"),
    "runAsUser": lambda spec: within(spec).update(runAsUser=0),
    "seccompProfile_restricted": lambda spec: spec["securityContext"].pop("seccompProfile"),
    "procMount_restricted": lambda spec: within(spec).update(procMount="Unmasked"),
    "resourceLimits": lambda spec: spec["containers"][0]["resources"]["limits"].pop("cpu"),
    "imagePinned": lambda spec: spec["containers"][0].update(
        image="registry.k8s.io/agent-sandbox/python-runtime-sandbox:latest-main"
    ),
    "allowedRegistry": lambda spec: spec["containers"][0].update(image="docker.io/library/python:3.14"),
}
"""Changes of a good pod spec, by the one rule that each breaks."""


def candidate(complete: Complete, kind: str) -> tuple[str, Json]:
    """Where objects of the kind are created, and one that nothing is wrong with."""
    plural = "sandboxtemplates" if kind == "SandboxTemplate" else "sandboxes"
    group = EXTENSIONS if kind == "SandboxTemplate" else SANDBOXES
    template = complete.api.get(f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxtemplates/python")
    spec = copy.deepcopy(template["spec"])
    if kind == "Sandbox":
        spec = {"podTemplate": spec["podTemplate"]}
    body = {"apiVersion": group.removeprefix("/apis/"), "kind": kind, "metadata": {"name": "candidate"}, "spec": spec}
    return f"{group}/namespaces/{NAMESPACE}/{plural}?dryRun=All", body


@pytest.mark.parametrize("kind", ["Sandbox", "SandboxTemplate"])
def test_what_is_as_this_project_makes_it_is_admitted(complete: Complete, kind: str) -> None:
    complete.api.create(*candidate(complete, kind))


@pytest.mark.parametrize("kind", ["Sandbox", "SandboxTemplate"])
@pytest.mark.parametrize("rule", POD_RULES)
def test_what_breaks_a_rule_is_refused_by_that_rule(complete: Complete, kind: str, rule: str) -> None:
    path, body = candidate(complete, kind)
    BAD[rule](body["spec"]["podTemplate"]["spec"])
    with pytest.raises(ApiError, match=f"denied request: {rule}: ") as refused:
        complete.api.create(path, body)
    assert refused.value.status == 403


def test_an_init_container_is_asked_as_any_other(complete: Complete) -> None:
    path, body = candidate(complete, "Sandbox")
    spec = body["spec"]["podTemplate"]["spec"]
    spec["initContainers"] = [{**copy.deepcopy(spec["containers"][0]), "name": "first"}]
    spec["initContainers"][0].pop("startupProbe")
    spec["initContainers"][0].pop("readinessProbe")
    complete.api.create(path, body)
    spec["initContainers"][0]["securityContext"]["privileged"] = True
    with pytest.raises(ApiError, match="privileged: "):
        complete.api.create(path, body)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("reservedLabels", {"podTemplate": {"metadata": {"labels": {"agents.x-k8s.io/claim-uid": "x"}}}}),
        ("claimOverrides", {"envVarsInjectionPolicy": "Overrides"}),
        ("managedNetworkPolicy", {"networkPolicyManagement": "Unmanaged"}),
    ],
)
def test_a_template_is_asked_what_only_a_template_says(complete: Complete, rule: str, change: Json) -> None:
    path, body = candidate(complete, "SandboxTemplate")
    body["spec"]["podTemplate"].update(change.pop("podTemplate", {}))
    body["spec"].update(change)
    with pytest.raises(ApiError, match=f"denied request: {rule}: "):
        complete.api.create(path, body)


@pytest.mark.parametrize(
    ("subject", "refused"),
    [
        ({"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}, True),
        ({"kind": "Group", "name": "system:serviceaccounts", "apiGroup": "rbac.authorization.k8s.io"}, True),
        (
            {
                "kind": "Group",
                "name": f"system:serviceaccounts:{NAMESPACE}",
                "apiGroup": "rbac.authorization.k8s.io",
            },
            True,
        ),
        (
            {
                "kind": "User",
                "name": f"system:serviceaccount:{NAMESPACE}:default",
                "apiGroup": "rbac.authorization.k8s.io",
            },
            True,
        ),
        ({"kind": "ServiceAccount", "name": "agent", "namespace": "default"}, False),
        ({"kind": "User", "name": "somebody", "apiGroup": "rbac.authorization.k8s.io"}, False),
    ],
    ids=["account", "all accounts", "the namespace's accounts", "account as user", "application", "person"],
)
@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_no_role_is_bound_to_what_a_sandbox_runs_as(
    complete: Complete, kind: str, subject: Json, refused: bool
) -> None:
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "candidate"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [subject],
    }
    where = f"{RBAC}/clusterrolebindings" if kind == "ClusterRoleBinding" else f"{RBAC}/namespaces/default/rolebindings"
    if refused:
        with pytest.raises(ApiError, match=r"(account|group)Binding: "):
            complete.api.create(f"{where}?dryRun=All", body)
    else:
        complete.api.create(f"{where}?dryRun=All", body)


def test_every_rule_is_broken_by_some_object_here() -> None:
    others = {"reservedLabels", "claimOverrides", "managedNetworkPolicy", *BINDING_RULES}
    assert {*BAD, *others} == set(RULES)


# What changes the deployment


def test_an_autoscaler_moves_a_pool_and_the_program_lets_it(complete: Complete) -> None:
    def pool() -> Json:
        return complete.api.get(f"{POOLS}/scaled")

    assert pool()["spec"]["replicas"] == 1
    pki = complete.state.kwok / "clusters" / "agent-sandbox" / "pki"
    metrics = MetricsApi(complete.api, pki / "admin.crt", pki / "admin.key", "pending_agents", 4)
    try:
        eventually(lambda: pool()["status"].get("readyReplicas") == 4, 90, "the pool has grown to the metric")
        metrics.value = 3
        eventually(lambda: pool()["spec"]["replicas"] == 3, 90, "the pool has shrunk again")
    finally:
        metrics.close()
    scaled = {**complete.configuration["warmPools"]["scaled"], "updateStrategy": "Recreate"}
    changed = complete.options(
        warmPools={**complete.configuration["warmPools"], "scaled": scaled},
        sandboxes={"notebook": {**NOTEBOOK, "suspended": True}},  # what the next test begins with
    )
    complete.run("up", *changed)
    assert pool()["spec"]["updateStrategy"] == {"type": "Recreate"}
    assert pool()["spec"]["replicas"] == 3


def test_a_sandbox_is_suspended_and_resumed_with_its_volume(complete: Complete) -> None:
    def volume() -> Json:
        return complete.api.get(f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims/home-notebook")

    kept = volume()
    assert "notebook" not in names(complete, f"/api/v1/namespaces/{NAMESPACE}/pods")
    assert kept["status"]["phase"] == "Bound"
    complete.run("up", *complete.options())  # as it was: not suspended
    pod = complete.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods/notebook")
    assert {"type": "Ready", "status": "True"}.items() <= next(
        each for each in pod["status"]["conditions"] if each["type"] == "Ready"
    ).items()
    claims = [
        each["persistentVolumeClaim"]["claimName"] for each in pod["spec"]["volumes"] if "persistentVolumeClaim" in each
    ]
    assert claims == ["home-notebook"]
    assert volume()["metadata"]["uid"] == kept["metadata"]["uid"]


def test_destroy_leaves_nothing(complete: Complete) -> None:
    complete.run("destroy")
    disk = "/api/v1/persistentvolumes/disk-0"
    eventually(lambda: complete.api.get(disk)["status"]["phase"] == "Released", 30, "the disk is released")
    after = everything(complete.api)
    for held in (complete.before, after):
        held.pop("/api/v1//persistentvolumes/disk-0")  # it remembers whose it was
    assert after == complete.before

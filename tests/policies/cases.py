"""For each control, inputs that comply, and inputs that violate it and nothing else.

Each is a whole set of objects: manifests, or for cloud resources and stacks (type, URN's stack, inputs).
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from policies.inputs import parse
from policies.objects import Object, expand, kubernetes, pulumi

Json = dict[str, Any]

POD: Json = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "main",
            "image": "registry.example/app:v1",
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}
"""A pod that complies with everything that is asked of pods."""

SANDBOX: Json = {
    **POD,
    "runtimeClassName": "gvisor",
    "automountServiceAccountToken": False,
    "nodeSelector": {"sandbox.gke.io/runtime": "gvisor"},
    "tolerations": [{"key": "sandbox.gke.io/runtime", "value": "gvisor", "effect": "NoSchedule"}],
}
"""A pod that complies with everything that is asked of sandboxes as well."""

CLUSTER: Json = {
    "name": "main",
    "workloadIdentityConfig": {"workloadPool": "project.svc.id.goog"},
    "databaseEncryption": {"state": "ENCRYPTED", "keyName": "key"},
    "releaseChannel": {"channel": "REGULAR"},
    "datapathProvider": "ADVANCED_DATAPATH",
    "networkingMode": "VPC_NATIVE",
    "masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "192.0.2.0/24"}]},
    "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
    "privateClusterConfig": {"enablePrivateNodes": True},
    "securityPostureConfig": {"mode": "BASIC"},
    "binaryAuthorization": {"evaluationMode": "PROJECT_SINGLETON_POLICY_ENFORCE"},
}
NODE_POOL: Json = {
    "name": "pool",
    "management": {"autoRepair": True, "autoUpgrade": True},
    "nodeConfig": {
        "serviceAccount": "nodes@project.iam.gserviceaccount.com",
        "imageType": "COS_CONTAINERD",
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        "shieldedInstanceConfig": {"enableSecureBoot": True},
    },
}
GVISOR_POOL: Json = {**NODE_POOL, "nodeConfig": {**NODE_POOL["nodeConfig"], "sandboxConfig": {"type": "GVISOR"}}}


def manifest(kind: str, api: str = "v1", name: str = "one", namespace: str = "agents", **content: Any) -> Json:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}


def changed(value: Any, path: str, new: Any) -> Any:
    """A copy of `value` with the field at `path` set; an index may be one past the end."""
    made = copy.deepcopy(value)
    *fields, last = path.split("/")
    target = made
    for field in fields:
        target = target[int(field)] if isinstance(target, list) else target.setdefault(field, {})
    if isinstance(target, list):
        target[int(last) : int(last) + 1] = [new]
    else:
        target[last] = new
    return made


def pod(path: str | None = None, new: Any = None) -> list[Json]:
    return [manifest("Pod", spec=changed(POD, path, new) if path else POD)]


def template(path: str | None = None, new: Any = None, **spec: Any) -> list[Json]:
    made = {"podTemplate": {"spec": changed(SANDBOX, path, new) if path else SANDBOX}, **spec}
    return [manifest("SandboxTemplate", "extensions.agents.x-k8s.io/v1beta1", "python", spec=made)]


def pool(**spec: Any) -> Json:
    made = {"replicas": 3, "sandboxTemplateRef": {"name": "python"}, **spec}
    return manifest("SandboxWarmPool", "extensions.agents.x-k8s.io/v1beta1", "warm", spec=made)


def claim(name: str) -> Json:
    return manifest("SandboxClaim", "extensions.agents.x-k8s.io/v1beta1", "taken", spec={"warmPoolRef": {"name": name}})


def cluster(path: str | None = None, new: Any = None, stack: str = "prod") -> tuple[str, str, Json]:
    return "gcp:container/cluster:Cluster", stack, changed(CLUSTER, path, new) if path else CLUSTER


def without(value: Json, key: str) -> Json:
    return {name: each for name, each in value.items() if name != key}


def nodes(path: str | None = None, new: Any = None, of: Json = NODE_POOL) -> tuple[str, str, Json]:
    return "gcp:container/nodePool:NodePool", "prod", changed(of, path, new) if path else of


def router(*flags: str, image: str = "registry.example/sandbox-router-go:v1") -> Json:
    spec = changed(changed(POD, "containers/0/args", list(flags)), "containers/0/image", image)
    return manifest("Deployment", "apps/v1", "sandbox-router", spec={"template": {"spec": spec}})


AUTHORIZED = ("--authz-mode=tokenreview", "--authz-tokenreview-require-token=true")
SERVICE = "sandbox-router-svc"


def route(protocol: str, gateway_class: str = "envoy", timeout: int | None = None) -> list[Json]:
    made = [
        router(*AUTHORIZED),
        manifest(
            "Gateway",
            "gateway.networking.k8s.io/v1",
            "front",
            spec={"gatewayClassName": gateway_class, "listeners": [{"name": "main", "protocol": protocol}]},
        ),
        manifest(
            "HTTPRoute",
            "gateway.networking.k8s.io/v1",
            spec={"parentRefs": [{"name": "front"}], "rules": [{"backendRefs": [{"name": SERVICE, "port": 8080}]}]},
        ),
    ]
    if timeout is not None:
        spec = {"default": {"timeoutSec": timeout}, "targetRef": {"kind": "Service", "name": SERVICE}}
        made.append(manifest("GCPBackendPolicy", "networking.gke.io/v1", spec=spec))
    return made


def fleet_route(protocol: str, *timeouts: int) -> list[Json]:
    """A Gateway over two clusters; each import has a policy as far as there are timeouts."""
    made = route(protocol, "gke-l7-cross-regional-internal-managed-mc")
    names = [f"{SERVICE}-{cluster}" for cluster in ("one", "two")]
    rules = [{"backendRefs": [{"kind": "ServiceImport", "name": name, "port": 8080}]} for name in names]
    made[2]["spec"]["rules"] = rules
    for name, timeout in zip(names, timeouts, strict=False):
        spec = {"default": {"timeoutSec": timeout}, "targetRef": {"kind": "ServiceImport", "name": name}}
        made.append(manifest("GCPBackendPolicy", "networking.gke.io/v1", name, spec=spec))
    return made


def ingress(**spec: Any) -> Json:
    backend = {"service": {"name": SERVICE, "port": {"number": 8080}}}
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    return manifest("Ingress", "networking.k8s.io/v1", spec={"rules": rules, **spec})


def binding(kind: str, name: str, namespace: str | None = None, of: str = "RoleBinding") -> list[Any]:
    subject = {"kind": kind, "name": name, **({"namespace": namespace} if namespace else {})}
    return [*template(), manifest(of, "rbac.authorization.k8s.io/v1", subjects=[subject])]


def egress(*peers: Json, **rule: Any) -> list[Json]:
    rules = [{**({"to": list(peers)} if peers else {}), **rule}]
    return template(networkPolicy={"egress": rules, "ingress": []})


def asks_who_it_is(account: str | None, cidr: str = "169.254.169.254/32", port: int = 80) -> list[Json]:
    """A template whose pods, of an account, reach the metadata server."""
    rule = {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [{"port": port, "protocol": "TCP"}]}
    return template("serviceAccountName", account, networkPolicy={"egress": [rule], "ingress": []})


def ingress_from(*peers: Json) -> list[Json]:
    return template(networkPolicy={"ingress": [{"from": list(peers)} if peers else {}], "egress": []})


def quota(**hard: str) -> list[Json]:
    return [*template(), pool(), manifest("ResourceQuota", spec={"hard": hard})]


def network_policy(selector: Json, *types: str) -> Json:
    return manifest("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": selector, "policyTypes": list(types)})


BARE = manifest("Sandbox", "agents.x-k8s.io/v1beta1", spec={"podTemplate": {"spec": SANDBOX}})
SEVERAL_EXCEPT = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"]
WAREHOUSE = {"ipBlock": {"cidr": "10.10.10.100/32"}}
INTERNET = {"ipBlock": {"cidr": "0.0.0.0/0", "except": SEVERAL_EXCEPT}}
CONTROLLER = manifest("Deployment", "apps/v1", "agent-sandbox-controller", spec={"template": {"spec": POD}})
SECURITY = "containers/0/securityContext/"
EXPLICIT_ROOT = changed(changed(SANDBOX, "hostUsers", False), "securityContext/runAsUser", 0)


@dataclass(frozen=True)
class Configured:
    """A case that needs the pack configured: what is given, and parameters by topic."""

    given: list[Any]
    parameters: Mapping[str, Json]


Given = list[Any] | tuple[str, str, Json] | str | Configured
"""Manifests, or a cloud resource's type, stack and inputs, or a file's text, or any manifests under a configuration."""
NOT_RESTRICTED = {
    name: {"pod-security-restricted": {"except": [name]}}
    for name in ("procMount_restricted", "seccompProfile_restricted")
}
"""The restricted standard asks the same and more; a baseline control is seen alone where that one is switched off."""
REGISTRIES = {"supply-chain": {"allowedRegistries": ["registry.example/", "docker.io/library/"]}}
Pair = tuple[list[Given], list[Given]]
"""What complies, and what violates."""

CASES: dict[str, Pair] = {
    # well-formed
    "malformed": (
        [pod(), [manifest("List", items=pod())]],
        [
            pod("containers", "main"),
            pod("hostNetwork", "no"),
            pod("securityContext/sysctls", {}),
            [manifest("Deployment", "apps/v1", spec=[])],
            [manifest("Job", "batch/v1", spec={"template": {"spec": {"containers": []}}})],
            [manifest("List", items="none")],
        ],
    ),
    "duplicateKeys": (
        ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b, c: d}\n"],
        [
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b, a: d}\n",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: {b: [{c: 1, c: 2}]}\n",
        ],
    ),
    "opaqueRelease": (
        [[manifest("Release", "example.com/v1")]],
        [("kubernetes:helm.sh/v3:Release", "test", {"chart": "nginx"})],
    ),
    # pod-security-baseline
    "hostNamespaces": (
        [pod("hostNetwork", False)],
        [pod("hostNetwork", True), pod("hostPID", True), pod("hostIPC", True)],
    ),
    "privileged": ([pod(f"{SECURITY}privileged", False)], [pod(f"{SECURITY}privileged", True)]),
    "capabilities_baseline": (
        [pod(f"{SECURITY}capabilities/add", ["NET_BIND_SERVICE"])],
        # The restricted check asks for more, but not of Windows pods.
        [
            [
                manifest(
                    "Pod",
                    spec={**changed(POD, f"{SECURITY}capabilities/add", ["SYS_ADMIN"]), "os": {"name": "windows"}},
                )
            ]
        ],
    ),
    "hostPathVolumes": (
        [pod("volumes", [{"name": "a", "emptyDir": {}}]), pod("volumes", [{"name": "a", "hostPath": None}])],
        [pod("volumes", [{"name": "a", "hostPath": {"path": "/"}, "emptyDir": {}}])],
    ),
    "hostPorts": (
        [pod("containers/0/ports", [{"containerPort": 80, "hostPort": 0}])],
        [pod("containers/0/ports", [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}])],
    ),
    "hostProbesAndHostLifecycle": (
        [pod("containers/0/livenessProbe", {"httpGet": {"host": "", "port": 80}})],
        [
            pod("containers/0/livenessProbe", {"httpGet": {"host": "metadata", "port": 80}}),
            pod("containers/0/readinessProbe", {"tcpSocket": {"host": "metadata", "port": 80}}),
            pod("containers/0/startupProbe", {"tcpSocket": {"host": "metadata", "port": 80}}),
            pod("containers/0/lifecycle", {"preStop": {"httpGet": {"host": "metadata", "port": 80}}}),
            pod("containers/0/lifecycle", {"postStart": {"tcpSocket": {"host": "metadata", "port": 80}}}),
        ],
    ),
    "appArmorProfile": (
        [pod("securityContext/appArmorProfile", {"type": "Localhost", "localhostProfile": "own"})],
        [
            pod("securityContext/appArmorProfile", {"type": "Unconfined"}),
            pod(f"{SECURITY}appArmorProfile", {"type": "Unconfined"}),
            [
                changed(
                    pod()[0],
                    "metadata/annotations",
                    {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"},
                )
            ],
        ],
    ),
    "seLinuxOptions": (
        [pod("securityContext/seLinuxOptions", {"type": "container_t", "level": "s0:c1"})],
        [
            pod("securityContext/seLinuxOptions", {"type": "spc_t"}),
            pod(f"{SECURITY}seLinuxOptions", {"user": "root"}),
            pod(f"{SECURITY}seLinuxOptions", {"role": "system_r"}),
        ],
    ),
    "procMount": (
        [pod(f"{SECURITY}procMount", "Default")],
        [Configured(pod(f"{SECURITY}procMount", "Unmasked"), NOT_RESTRICTED["procMount_restricted"])],
    ),
    "seccompProfile_baseline": (
        [pod()],
        [
            Configured(pod(path, {"type": "Unconfined"}), NOT_RESTRICTED["seccompProfile_restricted"])
            for path in ("securityContext/seccompProfile", f"{SECURITY}seccompProfile")
        ],
    ),
    "sysctls": (
        [pod("securityContext/sysctls", [{"name": "net.ipv4.tcp_notsent_lowat", "value": "1"}])],
        [pod("securityContext/sysctls", [{"name": "kernel.msgmax", "value": "1"}])],
    ),
    "windowsHostProcess": (
        [pod("securityContext/windowsOptions", {"hostProcess": False})],
        [
            pod("securityContext/windowsOptions", {"hostProcess": True}),
            pod(f"{SECURITY}windowsOptions", {"hostProcess": True}),
        ],
    ),
    # pod-security-restricted
    "allowPrivilegeEscalation": (
        [pod()],
        [pod(f"{SECURITY}allowPrivilegeEscalation", None), pod(f"{SECURITY}allowPrivilegeEscalation", True)],
    ),
    "capabilities_restricted": (
        [pod(f"{SECURITY}capabilities", {"drop": ["KILL", "ALL"], "add": ["NET_BIND_SERVICE"]})],
        [
            pod(f"{SECURITY}capabilities", None),
            pod(f"{SECURITY}capabilities/drop", ["all"]),
            pod(f"{SECURITY}capabilities/add", ["CHOWN"]),
            pod("initContainers", [changed(POD["containers"][0], "securityContext/capabilities/drop", ["NET_RAW"])]),
        ],
    ),
    "procMount_restricted": (
        [pod(f"{SECURITY}procMount", "Default")],
        [[manifest("Pod", spec={**changed(POD, f"{SECURITY}procMount", "Unmasked"), "hostUsers": False})]],
    ),
    "restrictedVolumes": (
        [
            pod(
                "volumes",
                [{"name": "default"}, {"name": "a", "secret": {}}, {"name": "b", "image": {"reference": "a/b:v1"}}],
            )
        ],
        [pod("volumes", [{"name": "a", "nfs": {"server": "a", "path": "/"}}])],
    ),
    "runAsNonRoot": (
        [
            pod(),
            [manifest("Pod", spec={**changed(POD, "securityContext/runAsNonRoot", False), "hostUsers": False})],
            [
                manifest(
                    "Pod",
                    spec=changed(changed(POD, "securityContext/runAsNonRoot", None), f"{SECURITY}runAsNonRoot", True),
                )
            ],
        ],
        [
            pod("securityContext/runAsNonRoot", None),
            pod(f"{SECURITY}runAsNonRoot", False),
            [
                manifest(
                    "Pod",
                    spec=changed(changed(POD, "securityContext/runAsNonRoot", False), f"{SECURITY}runAsNonRoot", True),
                )
            ],
        ],
    ),
    "runAsUser": (
        [pod("securityContext/runAsUser", 1000.0)],
        [pod("securityContext/runAsUser", 0), pod(f"{SECURITY}runAsUser", 0.0)],
    ),
    "seccompProfile_restricted": (
        [pod("securityContext/seccompProfile", {"type": "Localhost", "localhostProfile": "own"})],
        [pod("securityContext/seccompProfile", None)],
    ),
    # sandbox-hardening
    "runtimeClass": (
        [template(), template("runtimeClassName", "kata-qemu")],
        [template("runtimeClassName", None), template("runtimeClassName", "runc")],
    ),
    "gvisorScheduling": (
        [template("tolerations", [{"key": "sandbox.gke.io/runtime", "operator": "Exists"}])],
        [
            template("nodeSelector", None),
            template("tolerations", []),
            template("tolerations", [{"key": "sandbox.gke.io/runtime", "value": "gvisor", "effect": "NoExecute"}]),
        ],
    ),
    "broadToleration": ([template()], [template("tolerations/1", {"operator": "Exists"})]),
    "nodeName": ([template()], [template("nodeName", "node-1")]),
    "serviceAccountToken": (
        [template()],
        [template("automountServiceAccountToken", None), template("automountServiceAccountToken", True)],
    ),
    "projectedCredentials": (
        [template("volumes", [{"name": "a", "projected": {"sources": [{"configMap": {"name": "a"}}]}}])],
        [
            template("volumes", [{"name": "a", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
            template("volumes", [{"name": "a", "projected": {"sources": [{"clusterTrustBundle": {"path": "t"}}]}}]),
            template("volumes", [{"name": "a", "projected": {"sources": [{"podCertificate": {"signerName": "t"}}]}}]),
        ],
    ),
    "addedCapabilities": (
        [template(f"{SECURITY}capabilities/add", [])],
        [template(f"{SECURITY}capabilities/add", ["NET_BIND_SERVICE"])],
    ),
    "resourceLimits": (
        [template()],
        [
            template("containers/0/resources", None),
            template("containers/0/resources/limits", {"cpu": "1"}),
            template("initContainers", [without(POD["containers"][0], "resources")]),
        ],
    ),
    "rootInUserNamespace": (
        [template("hostUsers", False)],
        [[*template("hostUsers", False)[:0], *[changed(template()[0], "spec/podTemplate/spec", EXPLICIT_ROOT)]]],
    ),
    "anySysctls": (
        [template("securityContext/sysctls", [])],
        [template("securityContext/sysctls", [{"name": "net.ipv4.tcp_syncookies", "value": "1"}])],
    ),
    "anyHostPorts": (
        [template("containers/0/ports", [{"containerPort": 80}])],
        [template("containers/0/ports", [{"containerPort": 80, "hostPort": 0}])],
    ),
    "reservedLabels": (
        [[changed(template()[0], "spec/podTemplate/metadata", {"labels": {"app": "a"}})]],
        [
            [
                changed(
                    template()[0], "spec/podTemplate/metadata", {"labels": {"agents.x-k8s.io/sandbox-name-hash": "a"}}
                )
            ],
            [changed(template()[0], "spec/podTemplate/metadata", {"annotations": {"agents.x-k8s.io/pod-name": "a"}})],
        ],
    ),
    "claimOverrides": (
        [template(envVarsInjectionPolicy="Allowed")],
        [template(envVarsInjectionPolicy="Overrides"), template(volumeClaimTemplatesPolicy="Overrides")],
    ),
    # sandbox-network
    "managedNetworkPolicy": (
        [
            template(),
            [*template(networkPolicyManagement="Unmanaged"), network_policy({}, "Ingress", "Egress")],
            [BARE, network_policy({}, "Ingress", "Egress")],
        ],
        [
            template(networkPolicyManagement="Unmanaged"),
            [BARE],
            [BARE, network_policy({}, "Ingress")],
            [BARE, network_policy({"matchLabels": {"app": "other"}}, "Ingress", "Egress")],
        ],
    ),
    "openEgress": (
        [
            egress(INTERNET),
            egress(WAREHOUSE),
            egress(ports=[{"port": 53}]),
            egress({"podSelector": {"matchLabels": {"a": "b"}}}),
            [*asks_who_it_is("files"), cluster("enableAutopilot", True)],
            [*asks_who_it_is("files", "169.254.169.252/32", 988), cluster(), nodes(), nodes(of=GVISOR_POOL)],
        ],
        [
            egress(),
            asks_who_it_is("files"),  # on what cluster?
            [*asks_who_it_is("default"), cluster("enableAutopilot", True)],
            [*asks_who_it_is(None), cluster("enableAutopilot", True)],
            [*asks_who_it_is("files", "169.254.0.0/16"), cluster("enableAutopilot", True)],
            [*asks_who_it_is("files", port=22), cluster("enableAutopilot", True)],
            egress({"ipBlock": {"cidr": "0.0.0.0/0"}}),
            egress({"ipBlock": {"cidr": "0.0.0.0/0", "except": SEVERAL_EXCEPT[:3]}}),
            egress({"ipBlock": {"cidr": "10.0.0.0/16"}}),
            egress({"ipBlock": {"cidr": "169.254.169.254/32"}}),
            egress({"ipBlock": {"cidr": "::/0"}}),
            egress({"namespaceSelector": {}}),
        ],
    ),
    "openIngress": (
        [ingress_from({"podSelector": {"matchLabels": {"app": "sandbox-router"}}})],
        [ingress_from(), ingress_from({"namespaceSelector": {}}), ingress_from({"ipBlock": {"cidr": "0.0.0.0/0"}})],
    ),
    # sandbox-rbac
    "accountBinding": (
        [binding("ServiceAccount", "builder", "agents"), binding("ServiceAccount", "default", "other")],
        [
            binding("ServiceAccount", "default", "agents"),
            binding("ServiceAccount", "default", "agents", "ClusterRoleBinding"),
            binding("User", "system:serviceaccount:agents:default"),
        ],
    ),
    "groupBinding": (
        [binding("Group", "system:serviceaccounts:other"), binding("Group", "engineers")],
        [
            binding("Group", "system:serviceaccounts"),
            binding("Group", "system:serviceaccounts:agents"),
            binding("Group", "system:authenticated", None, "ClusterRoleBinding"),
        ],
    ),
    # router-exposure
    "authorizer": (
        [
            [router(*AUTHORIZED)],
            [router("--authz-mode", "scoped-token")],
            ("kubernetes:apps/v1:Deployment", "local", router()),
        ],
        [
            [router()],
            [router("-authz-mode", "allow-all")],
            ("kubernetes:apps/v1:Deployment", "prod", router()),
        ],
    ),
    "tokenRequired": ([[router(*AUTHORIZED)]], [[router("--authz-mode=tokenreview")]]),
    "boundedRequests": (
        [[router(*AUTHORIZED, "--proxy-timeout=10m")]],
        [[router(*AUTHORIZED, "--proxy-timeout=0s")], [router(*AUTHORIZED, "--proxy-timeout=100h")]],
    ),
    "directExposure": (
        [[manifest("Service", name=SERVICE, spec={"type": "ClusterIP"})]],
        [
            [manifest("Service", name=SERVICE, spec={"type": "LoadBalancer"})],
            [manifest("Service", name=SERVICE, spec={"type": "NodePort"})],
            [manifest("Service", name=f"{SERVICE}-prod", spec={"type": "LoadBalancer"})],
        ],
    ),
    "tlsTermination": (
        [route("HTTPS"), [ingress(tls=[{"secretName": "certificate"}])], fleet_route("HTTPS", 180, 180)],
        [route("HTTP"), [ingress()], fleet_route("HTTP", 180, 180)],
    ),
    "backendTimeout": (
        [route("HTTPS", "gke-l7-rilb", 180), fleet_route("HTTPS", 180, 180)],
        [
            route("HTTPS", "gke-l7-rilb", 30),
            route("HTTPS", "gke-l7-global-external-managed"),
            fleet_route("HTTPS", 180),
        ],
    ),
    # gke-cluster
    "workloadIdentity": (
        [cluster(), (cluster()[0], "prod", {**without(CLUSTER, "workloadIdentityConfig"), "enableAutopilot": True})],
        [cluster("workloadIdentityConfig", None)],
    ),
    "secretsEncryption": (
        [cluster(), cluster("databaseEncryption", None, "dev")],
        [cluster("databaseEncryption/state", "DECRYPTED")],
    ),
    "releaseChannel": ([cluster()], [cluster("releaseChannel/channel", "UNSPECIFIED")]),
    "shieldedNodes": ([cluster("enableShieldedNodes", True)], [cluster("enableShieldedNodes", False)]),
    "intranodeVisibility": (
        [
            (
                cluster()[0],
                "prod",
                {
                    **CLUSTER,
                    "datapathProvider": None,
                    "enableIntranodeVisibility": True,
                    "networkPolicy": {"enabled": True},
                },
            )
        ],
        [(cluster()[0], "prod", {**CLUSTER, "datapathProvider": None, "networkPolicy": {"enabled": True}})],
    ),
    "vpcNative": ([cluster("networkingMode", None)], [cluster("networkingMode", "ROUTES")]),
    "authorizedNetworks": (
        [
            (
                cluster()[0],
                "prod",
                changed(
                    {**CLUSTER, "masterAuthorizedNetworksConfig": None},
                    "controlPlaneEndpointsConfig/ipEndpointsConfig",
                    {"enabled": False},
                ),
            )
        ],
        [
            cluster("masterAuthorizedNetworksConfig", None),
            cluster("masterAuthorizedNetworksConfig/cidrBlocks/1", {"cidrBlock": "0.0.0.0/0"}),
        ],
    ),
    "privateEndpoint": (
        [
            (
                cluster()[0],
                "prod",
                changed(
                    {**CLUSTER, "controlPlaneEndpointsConfig": None}, "privateClusterConfig/enablePrivateEndpoint", True
                ),
            )
        ],
        [cluster("controlPlaneEndpointsConfig", None)],
    ),
    "privateNodes": ([cluster()], [cluster("privateClusterConfig/enablePrivateNodes", False)]),
    "networkPolicyEnforced": (
        [(cluster()[0], "prod", {**CLUSTER, "datapathProvider": None, "enableAutopilot": True})],
        [(cluster()[0], "prod", {**CLUSTER, "datapathProvider": "LEGACY_DATAPATH", "enableIntranodeVisibility": True})],
    ),
    "observability": (
        [cluster("loggingConfig/enableComponents", ["SYSTEM_COMPONENTS"])],
        [cluster("loggingService", "none"), cluster("monitoringConfig/enableComponents", [])],
    ),
    "clientCertificate": ([cluster()], [cluster("masterAuth/clientCertificateConfig/issueClientCertificate", True)]),
    "legacyAbac": ([cluster("enableLegacyAbac", False)], [cluster("enableLegacyAbac", True)]),
    "alphaFeatures": ([cluster()], [cluster("enableKubernetesAlpha", True)]),
    "securityPosture": (
        [cluster("securityPostureConfig/mode", "ENTERPRISE")],
        [cluster("securityPostureConfig", None)],
    ),
    "binaryAuthorization": (
        [cluster(), cluster("binaryAuthorization", None, "staging")],
        [cluster("binaryAuthorization/evaluationMode", "DISABLED")],
    ),
    "deletionProtection": (
        [cluster("deletionProtection", True), cluster("deletionProtection", False, "dev")],
        [cluster("deletionProtection", False)],
    ),
    # gke-node-pool
    "nodeServiceAccount": (
        [nodes()],
        [
            nodes("nodeConfig/serviceAccount", None),
            nodes("nodeConfig/serviceAccount", "1234-compute@developer.gserviceaccount.com"),
        ],
    ),
    "metadataServer": ([nodes()], [nodes("nodeConfig/workloadMetadataConfig/mode", "GCE_METADATA")]),
    "nodeImage": (
        [
            (
                nodes()[0],
                "prod",
                changed(
                    changed(NODE_POOL, "nodeConfig/imageType", "UBUNTU_CONTAINERD"),
                    "nodeConfig/advancedMachineFeatures",
                    {"enableNestedVirtualization": True},
                ),
            )
        ],
        [nodes("nodeConfig/imageType", "UBUNTU_CONTAINERD")],
    ),
    "autoRepair": ([nodes()], [nodes("management/autoRepair", False)]),
    "autoUpgrade": ([nodes()], [nodes("management/autoUpgrade", None)]),
    "integrityMonitoring": (
        [nodes("nodeConfig/shieldedInstanceConfig/enableIntegrityMonitoring", True)],
        [nodes("nodeConfig/shieldedInstanceConfig/enableIntegrityMonitoring", False)],
    ),
    "secureBoot": ([nodes()], [nodes("nodeConfig/shieldedInstanceConfig/enableSecureBoot", None)]),
    "reservedTaint": (
        [nodes("nodeConfig/taints", [{"key": "team", "value": "a", "effect": "NO_SCHEDULE"}])],
        [
            nodes("nodeConfig/taints", [{"key": "sandbox.gke.io/runtime", "value": "gvisor", "effect": "NO_SCHEDULE"}]),
            nodes("nodeConfig/labels", {"sandbox.gke.io/runtime": "gvisor"}),
        ],
    ),
    # supply-chain
    "imagePinned": (
        [pod("containers/0/image", "registry.example:5000/app@sha256:" + "0" * 64)],
        [
            pod("containers/0/image", "nginx"),
            pod("containers/0/image", "registry.example/app:latest"),
            pod("containers/0/image", "registry.example:5000/app"),
            pod("containers/0/image", None),
            pod("volumes", [{"name": "a", "image": {"reference": "registry.example/model"}}]),
        ],
    ),
    "allowedRegistry": (
        [
            pod("containers/0/image", "nowhere.example/app:v1"),  # nothing is refused until configured
            *(
                Configured(pod("containers/0/image", image), REGISTRIES)
                for image in ("registry.example/app:v1", "nginx:1.27", "docker.io/library/nginx:1.27")
            ),
        ],
        [
            Configured(pod("containers/0/image", image), REGISTRIES)
            for image in ("registry.example.evil/app:v1", "someone/nginx:1.27", "localhost:5000/nginx:1.27")
        ],
    ),
    # consistency
    "claimPool": ([[claim("warm"), pool(), *template()]], [[claim("cold"), pool(), *template()]]),
    "poolTemplate": ([[pool(), *template()]], [[pool()]]),
    "nodePools": (
        [[*template(), cluster(), nodes(), nodes(of=GVISOR_POOL)], [*template(), cluster("enableAutopilot", True)]],
        [
            [*template(), cluster(), nodes()],
            [*template(), cluster("removeDefaultNodePool", True), nodes(of=GVISOR_POOL)],
        ],
    ),
    "oneController": (
        [[CONTROLLER], [cluster("addonsConfig/agentSandboxConfig/enabled", True)]],
        [[CONTROLLER, cluster("addonsConfig/agentSandboxConfig/enabled", True)]],
    ),
    "quotaFitsPool": (
        [quota(pods="3", **{"limits.cpu": "3000m", "limits.memory": "3Gi"})],
        [quota(pods="2"), quota(**{"limits.cpu": "2"}), quota(**{"limits.memory": "3G"})],
    ),
}


def objects(given: Given) -> list[Object]:
    """The objects of a case."""
    if isinstance(given, Configured):
        given = given.given
    if isinstance(given, str):
        return list(parse(given.encode(), "given.yaml"))
    found: list[Object] = []
    for each in [given] if isinstance(given, tuple) else given:
        if isinstance(each, tuple):
            token, stack, inputs = each
            name = inputs.get("name", "one")
            found += expand(pulumi(token, inputs, f"urn:pulumi:{stack}::project::{token}::{name}"))
        else:
            found += expand(kubernetes(each))
    return found


def _in_template(kind: str, api: str, *path: str) -> tuple[str, Callable[[Json, Json], Json]]:
    def wrap(metadata: Json, spec: Json) -> Json:
        inner: Json = {"metadata": metadata, "spec": spec}
        for field in reversed(path):
            inner = {field: inner}
        return {**manifest(kind, api), **inner}

    return "".join(f"{field}." for field in path), wrap


WRAPPERS: Mapping[str, tuple[str, Callable[[Json, Json], Json]]] = {
    "Pod": ("", lambda metadata, spec: {**manifest("Pod", spec=spec), "metadata": {"name": "one", **metadata}}),
    "PodTemplate": _in_template("PodTemplate", "v1", "template"),
    "ReplicationController": _in_template("ReplicationController", "v1", "spec", "template"),
    "ReplicaSet": _in_template("ReplicaSet", "apps/v1", "spec", "template"),
    "Deployment": _in_template("Deployment", "apps/v1", "spec", "template"),
    "StatefulSet": _in_template("StatefulSet", "apps/v1beta2", "spec", "template"),
    "DaemonSet": _in_template("DaemonSet", "extensions/v1beta1", "spec", "template"),
    "Job": _in_template("Job", "batch/v1", "spec", "template"),
    "CronJob": _in_template("CronJob", "batch/v1beta1", "spec", "jobTemplate", "spec", "template"),
    "Sandbox": _in_template("Sandbox", "agents.x-k8s.io/v1beta1", "spec", "podTemplate"),
    "SandboxTemplate": _in_template("SandboxTemplate", "extensions.agents.x-k8s.io/v1beta1", "spec", "podTemplate"),
    # Of a kind that is unknown here, found by its shape.
    "Rollout": _in_template("Rollout", "argoproj.io/v1alpha1", "spec", "template"),
}
"""For each kind, the prefix of paths in it, and how it wraps a pod's metadata and spec."""

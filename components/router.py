"""The sandbox router: sends an HTTP client's requests to the sandbox that a header names.

Owns the router's Deployment, its Service `sandbox-router-svc` (the name that clients know), service
account, rights, budget and network policy. The namespace is the caller's to make.
"""

from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._checks import between, dns_label, duration, one_of, pinned_image, quantities
from components._kubernetes import (
    MANAGED_BY,
    NO_WAIT,
    SYSTEM_NAMESPACE,
    KubernetesObject,
    Manifest,
    disruption_budget,
    dns_egress,
    kubernetes_api_egress,
    restricted_container,
    restricted_pod,
    spread,
)

ROLE = "sandbox-router"
SERVICE = "sandbox-router-svc"
LABELS = {
    "app": ROLE,  # what the network policies of upstream's templates admit, in agent-sandbox-system
    "app.kubernetes.io/name": ROLE,
    "app.kubernetes.io/component": ROLE,
}
SELECTOR = {"app.kubernetes.io/name": ROLE}
AUTHORIZERS = ("tokenreview", "unsafe-allow-all")
SANDBOX_LABEL = "agents.x-k8s.io/sandbox-name-hash"
REQUESTS = {"cpu": "250m", "memory": "256Mi"}
LIMITS = {"cpu": "2", "memory": "1Gi"}


@arguments(
    image=pinned_image,
    namespace=dns_label,
    sandbox_namespace=dns_label,
    replicas=between(2, 100, "One router is an outage for every sandbox whenever its node goes."),
    authorizer=one_of(AUTHORIZERS, "It decides who may use a sandbox."),
    proxy_timeout=duration,
    requests=quantities,
    limits=quantities,
)
class SandboxRouterArgs(TypedDict):
    """Arguments of SandboxRouter."""

    image: pulumi.Input[str]
    """The router's image, with a release's tag or a digest."""
    namespace: NotRequired[str]
    """Where the router runs; it must exist. Default agent-sandbox-system, the only one that the controller's
    default network policies admit."""
    replicas: NotRequired[int]
    """Router pods, spread over zones and hosts. Default 2, upstream's least for high availability."""
    authorizer: NotRequired[str]
    """Who may use sandboxes: `tokenreview`, callers with a token that the cluster issued, or
    `unsafe-allow-all`, everybody who reaches the router. Default tokenreview; upstream's is allow-all."""
    proxy_timeout: NotRequired[str]
    """The longest that one request may take, as a Go duration. Default 180s, upstream's."""
    sandbox_namespace: NotRequired[str]
    """The one namespace whose sandboxes it serves; its right to read pods ends there. Default all namespaces."""
    requests: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that each pod is sure of, as Kubernetes quantities. Default 250m CPU, 256Mi memory, upstream's."""
    limits: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that no pod exceeds, as Kubernetes quantities. Default 2 CPU, 1Gi memory, upstream's."""


class SandboxRouter(pulumi.ComponentResource):
    """The router, at `sandbox-router-svc` port 8080 in its namespace."""

    url: pulumi.Output[str]
    """Its address inside the cluster."""

    def __init__(self, name: str, args: SandboxRouterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxRouterArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxRouter", name, {**args}, opts)
        namespace = args.get("namespace", SYSTEM_NAMESPACE)

        def declare(role: str, manifest: Manifest, *after: pulumi.Resource) -> KubernetesObject:
            metadata: dict[str, Any] = {"name": ROLE, "labels": {**MANAGED_BY, **LABELS}}
            if not manifest["kind"].startswith("Cluster"):
                metadata["namespace"] = namespace
            manifest = {**manifest, "metadata": {**metadata, **manifest.get("metadata", {})}}
            return KubernetesObject(f"{name}-{role}", manifest, pulumi.ResourceOptions(parent=self, depends_on=after))

        account = declare("account", {"apiVersion": "v1", "kind": "ServiceAccount"})
        rights = [declare(role, manifest, account) for role, manifest in _rights(args, namespace).items()]
        declare("network-policy", _network_policy())
        declare("budget", disruption_budget(ROLE, namespace, SELECTOR))
        declare("deployment", _deployment(args), account, *rights)
        declare("service", _service())
        self.url = pulumi.Output.from_input(f"http://{SERVICE}.{namespace}.svc:8080")
        self.register_outputs({"url": self.url})


def _flags(args: SandboxRouterArgs) -> list[str]:
    timeout = args.get("proxy_timeout", "180s")
    flags = [
        "--http-bind-address=:8080",
        "--metrics-bind-address=:9090",
        "--health-probe-bind-address=:8081",
        f"--proxy-timeout={timeout}",
        # A command answers when it ends: upstream's 30s to the first header would cut off longer ones.
        f"--response-header-timeout={timeout}",
        "--cache-enabled=true",  # members of a warm pool have no Service, so nothing else leads to them
    ]
    if "sandbox_namespace" in args:
        flags.append(f"--cache-namespace={args['sandbox_namespace']}")
    if args.get("authorizer", "tokenreview") == "tokenreview":
        return [*flags, "--authz-mode=tokenreview", "--authz-tokenreview-require-token=true"]
    return [*flags, "--authz-mode=allow-all"]


def _deployment(args: SandboxRouterArgs) -> Manifest:
    container = {
        "name": ROLE,
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "args": _flags(args),
        "ports": [
            {"name": "proxy", "containerPort": 8080},
            {"name": "metrics", "containerPort": 9090},
            {"name": "healthz", "containerPort": 8081},
        ],
        "startupProbe": {
            "httpGet": {"path": "/healthz", "port": "healthz"},
            "periodSeconds": 2,
            "failureThreshold": 30,
        },
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "healthz"}, "periodSeconds": 10},
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "healthz"},
            "periodSeconds": 5,
            "failureThreshold": 2,
        },
        "resources": {"requests": args.get("requests", REQUESTS), "limits": args.get("limits", LIMITS)},
        "securityContext": restricted_container(),
    }
    pod = {
        "serviceAccountName": ROLE,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": restricted_pod(),
        "topologySpreadConstraints": spread(SELECTOR),
        "terminationGracePeriodSeconds": 45,  # 30s in which the router drains, and a little more
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "replicas": args.get("replicas", 2),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": SELECTOR},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        },
    }


def _service() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "annotations": NO_WAIT},
        "spec": {"selector": SELECTOR, "ports": [{"name": "proxy", "port": 8080, "targetPort": "proxy"}]},
    }


def _rights(args: SandboxRouterArgs, namespace: str) -> dict[str, Manifest]:
    """To read pods for its cache, in one namespace or all; to review tokens if it authorizes by them."""
    subject = [{"kind": "ServiceAccount", "name": ROLE, "namespace": namespace}]
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    where: dict[str, Any] = {"namespace": args["sandbox_namespace"]} if "sandbox_namespace" in args else {}
    scope = "" if where else "Cluster"
    rights = {
        "role": _rbac(f"{scope}Role", where, rules=rules),
        "role-binding": _rbac(f"{scope}RoleBinding", where, roleRef=_role(f"{scope}Role", ROLE), subjects=subject),
    }
    if args.get("authorizer", "tokenreview") == "tokenreview":
        delegator = _role("ClusterRole", "system:auth-delegator")
        named = {"name": f"{ROLE}-auth-delegator"}
        rights["token-review"] = _rbac("ClusterRoleBinding", named, roleRef=delegator, subjects=subject)
    return rights


def _rbac(kind: str, metadata: Manifest, **content: Any) -> Manifest:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **content}


def _role(kind: str, name: str) -> Manifest:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _network_policy() -> Manifest:
    """In: anybody inside the cluster to the proxy, whom the authorizer judges. Out: DNS, the API server, sandboxes."""
    sandboxes = {
        "namespaceSelector": {},
        "podSelector": {"matchExpressions": [{"key": SANDBOX_LABEL, "operator": "Exists"}]},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "spec": {
            "podSelector": {"matchLabels": SELECTOR},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"namespaceSelector": {}}], "ports": [{"port": "proxy"}, {"port": "metrics"}]},
                {"ports": [{"port": "healthz"}]},
            ],
            "egress": [dns_egress(), kubernetes_api_egress(), {"to": [sandboxes]}],
        },
    }

"""What the router may do, and who may speak to it: its RBAC and its NetworkPolicy."""

from collections.abc import Iterable, Mapping
from typing import Any

from components import _router_flags
from components._kubernetes import Manifest, dns_egress, kubernetes_api_egress, scraper_ingress
from components._telemetry import otlp_egress

Args = Mapping[str, Any]

SANDBOX_LABEL = "agents.x-k8s.io/sandbox-name-hash"


def rights(name: str, args: Args, namespace: str) -> dict[str, Manifest]:
    """To read pods for its cache, in one namespace or all; to review tokens if it authorizes by them."""
    subject = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
    granted = {}
    if _router_flags.uses_pod_cache(args):
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        where: dict[str, Any] = {"namespace": args["sandbox_namespace"]} if "sandbox_namespace" in args else {}
        scope = "" if where else "Cluster"
        role = _role(f"{scope}Role", name)
        granted["role"] = _rbac(f"{scope}Role", where, rules=rules)
        granted["role-binding"] = _rbac(f"{scope}RoleBinding", where, roleRef=role, subjects=subject)
    if args.get("authorizer", "tokenreview") == "tokenreview":
        delegator = _role("ClusterRole", "system:auth-delegator")
        named = {"name": f"{name}-auth-delegator"}
        granted["token-review"] = _rbac("ClusterRoleBinding", named, roleRef=delegator, subjects=subject)
    return granted


def _rbac(kind: str, metadata: Manifest, **content: Any) -> Manifest:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **content}


def _role(kind: str, name: str) -> Manifest:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def network_policy(selector: Mapping[str, str], ports: Iterable[str], args: Args) -> Manifest:
    """In: its clients, scrapers, the kubelet's probes. Out: DNS, sandboxes, and the API server where it asks that."""
    sandboxes = {
        "namespaceSelector": {},
        "podSelector": {"matchExpressions": [{"key": SANDBOX_LABEL, "operator": "Exists"}]},
    }
    asks = _router_flags.uses_pod_cache(args) or args.get("authorizer", "tokenreview") == "tokenreview"
    egress = [dns_egress(), *([kubernetes_api_egress()] if asks else []), {"to": [sandboxes]}]
    if "otlp_endpoint" in args:
        egress.append(otlp_egress(args["otlp_endpoint"]))
    entrances = [{"port": name} for name in ports]
    ranges = [{"cidr": each} for each in args.get("load_balancers", ())]
    clients = [_peer(client) for client in [*args.get("clients", [{}]), *ranges]]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "spec": {
            "podSelector": {"matchLabels": dict(selector)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                *([{"from": clients, "ports": entrances}] if clients else []),
                scraper_ingress(args.get("scraped_from")),
                {"ports": [{"port": "healthz"}]},
            ],
            "egress": egress,
        },
    }


def _peer(client: Mapping[str, Any]) -> dict[str, Any]:
    """A client as a NetworkPolicy names it. The code in a sandbox is nobody's client unless its labels are named."""
    if "cidr" in client:
        return {"ipBlock": {"cidr": client["cidr"]}}
    name = {"kubernetes.io/metadata.name": client["namespace"]} if "namespace" in client else {}
    no_sandbox = {"matchExpressions": [{"key": SANDBOX_LABEL, "operator": "DoesNotExist"}]}
    pods = {"matchLabels": client["pod_labels"]} if "pod_labels" in client else no_sandbox
    return {"namespaceSelector": {"matchLabels": name} if name else {}, "podSelector": pods}

"""The Kubernetes objects that the router's arguments come to, by their role."""

from collections.abc import Mapping
from typing import Any

from components import _router_flags
from components._images import chosen_image
from components._kubernetes import (
    MANAGED_BY,
    NO_WAIT,
    Manifest,
    disruption_budget,
    dns_egress,
    kubernetes_api_egress,
    restricted_container,
    restricted_pod,
    scraper_ingress,
    spread,
)
from components._router_parts import RouterTlsArgs
from components._telemetry import otlp_egress, otlp_environment

Args = Mapping[str, Any]

NAME = "sandbox-router"
SERVICE = "sandbox-router-svc"
LABELS = {
    "app": NAME,  # what the network policies of upstream's templates admit, in agent-sandbox-system
    "app.kubernetes.io/name": NAME,
    "app.kubernetes.io/component": NAME,
}
SELECTOR = {"app.kubernetes.io/name": NAME}
SANDBOX_LABEL = "agents.x-k8s.io/sandbox-name-hash"
CERTIFICATE_SECRET = f"{NAME}-tls"
SCOPED_TOKEN_SECRET = f"{NAME}-scoped-token"
REQUESTS = {"cpu": "250m", "memory": "256Mi"}
LIMITS = {"cpu": "2", "memory": "1Gi"}


def manifests(args: Args, namespace: str) -> dict[str, Manifest]:
    """Every object, in the order in which they may be made."""
    objects: dict[str, Manifest] = {"account": {"apiVersion": "v1", "kind": "ServiceAccount"}}
    objects |= _rights(args, namespace)
    if "issuer" in args.get("tls", {}):
        objects["certificate"] = _certificate(args["tls"], namespace)
    if "value" in args.get("scoped_token", {}):
        objects["scoped-token"] = _scoped_token(args["scoped_token"])
    objects["network-policy"] = _network_policy(args)
    objects["budget"] = disruption_budget(NAME, namespace, SELECTOR)
    objects["deployment"] = _deployment(args)
    objects["service"] = _service(args)
    if "autoscaler" in args:
        objects["autoscaler"] = _autoscaler(args["autoscaler"])
    return {role: _placed(manifest, namespace) for role, manifest in objects.items()}


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    metadata: dict[str, Any] = {"name": NAME, "labels": {**MANAGED_BY, **LABELS}}
    if not manifest["kind"].startswith("Cluster"):
        metadata["namespace"] = namespace
    return {**manifest, "metadata": {**metadata, **manifest.get("metadata", {})}}


def ports(args: Args) -> dict[str, int]:
    """The ports that requests come in by, by name."""
    plain = {"proxy": 8080} if _router_flags.serves_plain_http(args) else {}
    return {**plain, "proxy-tls": 8443} if "tls" in args else plain


def _deployment(args: Args) -> Manifest:
    named = {**ports(args), "metrics": 9090, "healthz": 8081}
    mounts = _secrets(args)
    container: dict[str, Any] = {
        "name": NAME,
        "image": chosen_image(args),
        "imagePullPolicy": "IfNotPresent",
        "args": _router_flags.flags(args),
        "ports": [{"name": name, "containerPort": port} for name, port in named.items()],
        "startupProbe": _probe("/healthz", periodSeconds=2, failureThreshold=30),
        "livenessProbe": _probe("/healthz", periodSeconds=10),
        "readinessProbe": _probe("/readyz", periodSeconds=5, failureThreshold=2),
        "resources": {"requests": args.get("requests", REQUESTS), "limits": args.get("limits", LIMITS)},
        "securityContext": restricted_container(),
    }
    pod: dict[str, Any] = {
        "serviceAccountName": NAME,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": restricted_pod(),
        "topologySpreadConstraints": spread(SELECTOR),
        "terminationGracePeriodSeconds": _router_flags.grace_period(args),
        "containers": [container],
    }
    if "otlp_endpoint" in args:
        container["env"] = otlp_environment(args["otlp_endpoint"])
    if mounts:
        container["volumeMounts"] = [
            {"name": name, "mountPath": folder, "readOnly": True} for name, (folder, _) in mounts.items()
        ]
        pod["volumes"] = [
            {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}
            for name, (_, secret) in mounts.items()
        ]
    if "priority_class" in args:
        pod["priorityClassName"] = args["priority_class"]
    spec = {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": SELECTOR},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    replicas = {} if "autoscaler" in args else {"replicas": args.get("replicas", 2)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {**replicas, **spec}}


def _probe(path: str, **settings: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "healthz"}, **settings}


def _secrets(args: Args) -> dict[str, tuple[str, str]]:
    """For each volume its folder and the Secret in it."""
    tls, token = args.get("tls", {}), args.get("scoped_token")
    mounts = {}
    if tls:
        mounts["tls"] = (_router_flags.TLS_FOLDER, tls.get("secret", CERTIFICATE_SECRET))
    if "client_ca_secret" in tls:
        mounts["client-ca"] = (_router_flags.CLIENT_CA_FOLDER, tls["client_ca_secret"])
    if token is not None:
        mounts["scoped-token"] = (_router_flags.SCOPED_TOKEN_FOLDER, token.get("secret", SCOPED_TOKEN_SECRET))
    return mounts


def _service(args: Args) -> Manifest:
    listed = [
        {
            "name": name,
            "port": port,
            "targetPort": name,
            # What tells a load balancer, GKE's among them, how to talk to this port.
            **({"appProtocol": "HTTPS"} if name == "proxy-tls" else {}),
        }
        for name, port in ports(args).items()
    ]
    metadata = {"name": SERVICE, "annotations": NO_WAIT}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": SELECTOR, "ports": listed},
    }


def _certificate(tls: RouterTlsArgs, namespace: str) -> Manifest:
    issuer = tls["issuer"]
    own = [f"{SERVICE}.{namespace}.svc", f"{SERVICE}.{namespace}", SERVICE]
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "spec": {
            "secretName": CERTIFICATE_SECRET,
            "dnsNames": [*own, *tls.get("dns_names", ())],
            "usages": ["server auth"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "issuerRef": {
                "group": "cert-manager.io",
                "kind": issuer.get("kind", "ClusterIssuer"),
                "name": issuer["name"],
            },
        },
    }


def _scoped_token(token: Mapping[str, Any]) -> Manifest:
    content = {"type": "Opaque", "stringData": {token.get("key", "secret"): token["value"]}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SCOPED_TOKEN_SECRET}, **content}


def _autoscaler(scaling: Mapping[str, Any]) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": scaling.get("cpu_utilization", 70)}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"annotations": NO_WAIT},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": scaling["min_replicas"],
            "maxReplicas": scaling["max_replicas"],
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }


def _rights(args: Args, namespace: str) -> dict[str, Manifest]:
    """To read pods for its cache, in one namespace or all; to review tokens if it authorizes by them."""
    subject = [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}]
    rights = {}
    if _router_flags.uses_pod_cache(args):
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        where: dict[str, Any] = {"namespace": args["sandbox_namespace"]} if "sandbox_namespace" in args else {}
        scope = "" if where else "Cluster"
        role = _role(f"{scope}Role", NAME)
        rights["role"] = _rbac(f"{scope}Role", where, rules=rules)
        rights["role-binding"] = _rbac(f"{scope}RoleBinding", where, roleRef=role, subjects=subject)
    if args.get("authorizer", "tokenreview") == "tokenreview":
        delegator = _role("ClusterRole", "system:auth-delegator")
        named = {"name": f"{NAME}-auth-delegator"}
        rights["token-review"] = _rbac("ClusterRoleBinding", named, roleRef=delegator, subjects=subject)
    return rights


def _rbac(kind: str, metadata: Manifest, **content: Any) -> Manifest:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **content}


def _role(kind: str, name: str) -> Manifest:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _network_policy(args: Args) -> Manifest:
    """In: its clients, scrapers, the kubelet's probes. Out: DNS, sandboxes, and the API server where it asks that."""
    sandboxes = {
        "namespaceSelector": {},
        "podSelector": {"matchExpressions": [{"key": SANDBOX_LABEL, "operator": "Exists"}]},
    }
    asks = _router_flags.uses_pod_cache(args) or args.get("authorizer", "tokenreview") == "tokenreview"
    egress = [dns_egress(), *([kubernetes_api_egress()] if asks else []), {"to": [sandboxes]}]
    if "otlp_endpoint" in args:
        egress.append(otlp_egress(args["otlp_endpoint"]))
    entrances = [{"port": name} for name in ports(args)]
    ranges = [{"cidr": each} for each in args.get("load_balancers", ())]
    clients = [_peer(client) for client in [*args.get("clients", [{}]), *ranges]]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "spec": {
            "podSelector": {"matchLabels": SELECTOR},
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

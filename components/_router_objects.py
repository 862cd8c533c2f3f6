"""The Kubernetes objects that the router's arguments come to, by their role."""

from collections.abc import Mapping
from typing import Any

from components import _router_access, _router_flags
from components._images import chosen_image
from components._kubernetes import (
    MANAGED_BY,
    NO_WAIT,
    Manifest,
    disruption_budget,
    restricted_container,
    restricted_pod,
    spread,
)
from components._router_parts import RouterTlsArgs
from components._telemetry import otlp_environment

Args = Mapping[str, Any]

NAME = "sandbox-router"
SERVICE = "sandbox-router-svc"
LABELS = {
    "app": NAME,  # what the network policies of upstream's templates admit, in agent-sandbox-system
    "app.kubernetes.io/name": NAME,
    "app.kubernetes.io/component": NAME,
}
SELECTOR = {"app.kubernetes.io/name": NAME}
CERTIFICATE_SECRET = f"{NAME}-tls"
SCOPED_TOKEN_SECRET = f"{NAME}-scoped-token"
REQUESTS = {"cpu": "250m", "memory": "256Mi"}
LIMITS = {"cpu": "2", "memory": "1Gi"}


def manifests(args: Args, namespace: str) -> dict[str, Manifest]:
    """Every object, in the order in which they may be made."""
    objects: dict[str, Manifest] = {"account": {"apiVersion": "v1", "kind": "ServiceAccount"}}
    objects |= _router_access.rights(NAME, args, namespace)
    if "issuer" in args.get("tls", {}):
        objects["certificate"] = _certificate(args["tls"], namespace)
    if "value" in args.get("scoped_token", {}):
        objects["scoped-token"] = _scoped_token(args["scoped_token"])
    objects["network-policy"] = _router_access.network_policy(SELECTOR, ports(args), args)
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

"""What GKE's Gateway controller reads beside the Gateway API: its own policies, by their role."""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

from components._arguments import arguments
from components._checks import between, dns_name
from components._kubernetes import Manifest

API = "networking.gke.io/v1"
CLASSES = {"internal": "gke-l7-rilb", "external": "gke-l7-global-external-managed"}
"""The class that stands for an exposure. Others of GKE's are chosen by `gateway_class`."""
CROSS_REGIONAL = "gke-l7-cross-regional-internal-managed-mc"
OVER_CLUSTERS = {"internal": CROSS_REGIONAL, "external": "gke-l7-global-external-managed-mc"}
"""The same for a Gateway over several clusters of a fleet."""

PREFIX = "gke-l7-"
REGIONAL = ("gke-l7-rilb", "gke-l7-regional-external-managed")
LOAD_BALANCERS = ("130.211.0.0/22", "35.191.0.0/16")
"""Where health checks, and the requests of global external load balancers, come from."""


def is_gke(gateway_class: str) -> bool:
    return gateway_class.startswith(PREFIX)


def is_global(gateway_class: str) -> bool:
    """Whether Google's own front ends are the load balancer: certificates in a map, no proxies in a subnet."""
    return (
        is_gke(gateway_class) and gateway_class.removesuffix("-mc") not in REGIONAL and gateway_class != CROSS_REGIONAL
    )


def is_over_clusters(gateway_class: str) -> bool:
    """Whether it leads to ServiceImports of a fleet."""
    return is_gke(gateway_class) and gateway_class.endswith("-mc")


@arguments(secret=dns_name)
class IapArgs(TypedDict):
    """Identity-Aware Proxy: Google asks callers who they are before they reach the router."""

    client_id: NotRequired[str]
    """The OAuth client. Default the one that Google manages."""
    secret: NotRequired[str]
    """A Secret in the Gateway's namespace that holds that client's secret under `key`; required with client_id."""


@arguments(
    draining_seconds=between(0, 3600, "GKE would refuse it."),
    log_percent=between(0, 100, "It is a percentage of the requests."),
    timeout_seconds=between(1, 2**31 - 1, "GKE would refuse it."),
)
class GkeBackendArgs(TypedDict):
    """How GKE's load balancer treats the router."""

    timeout_seconds: NotRequired[int]
    """The longest that one request may take; not below the router's own. Default the router's; GKE's is 30."""
    draining_seconds: NotRequired[int]
    """How long requests may go on when a router pod ends. Default 30, what the router itself takes; GKE's is 0."""
    log_percent: NotRequired[int]
    """Percentage of the requests that are logged. Default 100, since the log is who used which sandbox; GKE's is 0."""
    security_policy: NotRequired[str]
    """The name of a Cloud Armor security policy. Default none."""
    iap: NotRequired[IapArgs]
    """Identity-Aware Proxy. Default none."""


def backend_policy(args: GkeBackendArgs, backend: Mapping[str, str], timeout: int) -> Manifest:
    """GCPBackendPolicy: what the load balancer does with requests."""
    percent = args.get("log_percent", 100)
    default: dict[str, Any] = {
        "timeoutSec": args.get("timeout_seconds", timeout),
        "connectionDraining": {"drainingTimeoutSec": args.get("draining_seconds", 30)},
        "logging": {"enabled": True, "sampleRate": percent * 10_000} if percent else {"enabled": False},
    }
    if "security_policy" in args:
        default["securityPolicy"] = args["security_policy"]
    if "iap" in args:
        default["iap"] = _iap(args["iap"])
    return _policy("GCPBackendPolicy", default, backend)


def _iap(args: IapArgs) -> dict[str, Any]:
    if "client_id" not in args:
        return {"enabled": True}
    return {"enabled": True, "clientID": args["client_id"], "oauth2ClientSecret": {"name": args.get("secret")}}


def health_check(backend: Mapping[str, str], tls: bool) -> Manifest:
    """HealthCheckPolicy: GKE would otherwise ask for /, which the router answers with an error."""
    kind = "HTTPS" if tls else "HTTP"
    check = {"requestPath": "/healthz", "portSpecification": "USE_SERVING_PORT"}
    default = {
        "checkIntervalSec": 5,
        "timeoutSec": 5,
        "healthyThreshold": 1,
        "unhealthyThreshold": 2,
        "config": {"type": kind, f"{kind.lower()}HealthCheck": check},
    }
    return _policy("HealthCheckPolicy", default, backend)


def gateway_policy(settings: Mapping[str, Any], gateway: str) -> Manifest:
    """GCPGatewayPolicy: what the load balancer does with connections."""
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": gateway}
    return _policy("GCPGatewayPolicy", dict(settings), target)


def _policy(kind: str, default: dict[str, Any], target: Mapping[str, str]) -> Manifest:
    return {"apiVersion": API, "kind": kind, "spec": {"default": default, "targetRef": target}}

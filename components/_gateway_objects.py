"""The Kubernetes objects that a gateway's arguments come to, by their role."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pulumi

from components._formats import seconds
from components._gke_policies import backend_policy, gateway_policy, health_check, is_gke
from components._kubernetes import MANAGED_BY, Manifest, wait_for

Args = Mapping[str, Any]

API = "gateway.networking.k8s.io/v1"
CLUSTER_HEADER = "Agent-Sandbox-Cluster"
"""Says which cluster of a fleet a request is for. Clients may set it: upstream's keep X-Sandbox-* to themselves."""
EVERY_PATH = {"path": {"type": "PathPrefix", "value": "/"}}
CERTIFICATE_MAP = "networking.gke.io/certmap"
CERTIFICATES = "networking.gke.io/cert-manager-certs"
PROGRAMMED = json.dumps(["condition=Programmed", "jsonpath={.status.addresses[0].value}"])
"""What a Gateway is waited for: its listeners serve, and it says where."""


def manifests(name: str, args: Args, gateway_class: str, namespace: str) -> dict[str, Manifest]:
    """Every object, the Gateway last."""
    service = args.get("service", "sandbox-router-svc")
    tls = args.get("router_tls", False)
    objects: dict[str, Manifest] = {"route": _route(name, args, service)}
    if args.get("redirect_http"):
        objects["redirect"] = _redirect(name, args)
    if is_gke(gateway_class):
        timeout = math.ceil(seconds(args.get("router_timeout", "180s")))
        for cluster, backend in _backends(args, service).items():
            called = {"metadata": {"name": of_cluster(name, cluster)}}
            policy = backend_policy(args.get("backend", {}), backend, timeout)
            objects[of_cluster("health-check", cluster)] = {**health_check(backend, tls), **called}
            objects[of_cluster("backend-policy", cluster)] = {**policy, **called}
        connection = {"sslPolicy": args.get("ssl_policy"), "allowGlobalAccess": args.get("global_access")}
        if chosen := {field: value for field, value in connection.items() if value is not None}:
            objects["gateway-policy"] = gateway_policy(chosen, name)
    objects["gateway"] = _gateway(args, gateway_class)
    return {role: _placed(manifest, name, namespace) for role, manifest in objects.items()}


def first_address(status: Mapping[str, Any] | None) -> str:
    """The first address in a Gateway's status, or an empty text."""
    addresses = (status or {}).get("addresses") or [{}]
    return str(addresses[0].get("value", ""))


def of_cluster(name: str, cluster: str) -> str:
    """What is called `name` for one cluster of a fleet; where there is one cluster only, it has no name."""
    return f"{name}-{cluster}" if cluster else name


def _backends(args: Args, service: str) -> dict[str, dict[str, str]]:
    """What requests go to, by the cluster's name: an import of each cluster's Service, or the one Service there is."""
    if "clusters" not in args:
        return {"": {"group": "", "kind": "Service", "name": service}}
    group = {"group": "net.gke.io", "kind": "ServiceImport"}
    return {cluster: {**group, "name": of_cluster(service, cluster)} for cluster in args["clusters"]}


def _placed(manifest: Manifest, name: str, namespace: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": MANAGED_BY}
    return {**manifest, "metadata": {**metadata, **manifest.get("metadata", {})}}


def _gateway(args: Args, gateway_class: str) -> Manifest:
    annotations: dict[str, str] = {}
    if args.get("await_address", is_gke(gateway_class)):
        annotations |= wait_for(PROGRAMMED)
        annotations["pulumi.com/timeoutSeconds"] = str(args.get("await_seconds", 900))
    if "certificate_map" in args.get("tls", {}):
        annotations[CERTIFICATE_MAP] = args["tls"]["certificate_map"]
    spec: dict[str, Any] = {"gatewayClassName": gateway_class, "listeners": _listeners(args)}
    if "regions" in args:
        spec["addresses"] = pulumi.Output.from_input(args["regions"]).apply(_an_address_in_each)
    elif "static_address" in args:
        spec["addresses"] = [{"type": "NamedAddress", "value": args["static_address"]}]
    elif "address" in args:
        spec["addresses"] = [{"type": "IPAddress", "value": args["address"]}]
    return {"apiVersion": API, "kind": "Gateway", "metadata": {"annotations": annotations}, "spec": spec}


def _an_address_in_each(regions: list[str]) -> list[dict[str, str]]:
    return [{"type": f"networking.gke.io/ephemeral-ipv4-address/{region}", "value": region} for region in regions]


def _listeners(args: Args) -> list[dict[str, Any]]:
    routes = {"namespaces": {"from": "Same"}, "kinds": [{"group": API.partition("/")[0], "kind": "HTTPRoute"}]}
    plain = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": routes}
    if "tls" not in args:
        return [plain]
    secured = {
        "name": "https",
        "protocol": "HTTPS",
        "port": 443,
        "allowedRoutes": routes,
        **_listener_tls(args["tls"]),
    }
    return [secured, plain] if args.get("redirect_http") else [secured]


def _listener_tls(tls: Args) -> dict[str, Any]:
    if "certificate_map" in tls:
        return {}  # GKE takes it from the Gateway's annotation, and refuses a listener that names another
    settings: dict[str, Any] = {"mode": "Terminate"}
    if "secrets" in tls:
        settings["certificateRefs"] = [{"group": "", "kind": "Secret", "name": name} for name in tls["secrets"]]
    else:
        settings["options"] = {CERTIFICATES: ",".join(tls["certificates"])}
    return {"tls": settings}


def _route(name: str, args: Args, service: str) -> Manifest:
    port = args.get("port", 8443 if args.get("router_tls") else 8080)
    rules = []
    for cluster, backend in _backends(args, service).items():
        rule: dict[str, Any] = {"backendRefs": [{**backend, "port": port, "weight": 1}]}
        if cluster:
            rule["matches"] = [{**EVERY_PATH, "headers": [{"type": "Exact", "name": CLUSTER_HEADER, "value": cluster}]}]
        rules.append(rule)
    return _http_route({}, name, "https" if "tls" in args else "http", args, rules)


def _redirect(name: str, args: Args) -> Manifest:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    return _http_route({"name": f"{name}-redirect"}, name, "http", args, [{"filters": [redirect]}])


def _http_route(metadata: Manifest, gateway: str, listener: str, args: Args, rules: list[dict[str, Any]]) -> Manifest:
    parent = {"group": API.partition("/")[0], "kind": "Gateway", "name": gateway, "sectionName": listener}
    spec: dict[str, Any] = {
        "parentRefs": [parent],
        # Written out as the API server would fill it in, so that a second update finds nothing to change.
        "rules": [{"matches": [EVERY_PATH], **rule} for rule in rules],
    }
    if "hostnames" in args:
        spec["hostnames"] = args["hostnames"]
    return {"apiVersion": API, "kind": "HTTPRoute", "metadata": metadata, "spec": spec}

"""Google's controllers that work on clusters from outside: the Gateway controller, and multi-cluster Services.

Here they work for as long as an engine is at it, which is as long as somebody waits for what they do. A fleet's stack
has those for several clusters, every other stack the one for its own.
"""

import hashlib
import ipaddress
import json
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components._gke_policies import CROSS_REGIONAL, is_gke, is_global, is_over_clusters
from local.api import Api, ApiError
from local.standin_gcp import addon, clusters
from local.standin_gcp.api import FEATURE, SUBNETWORK
from local.standin_gcp.cloud import Cloud, Json, Refused
from local.standin_gcp.validation import at

GATEWAYS = "/apis/gateway.networking.k8s.io/v1"
SERVICES = "/apis/net.gke.io/v1"
PAUSE = 1.0
"""Seconds between two looks; a load balancer takes GKE minutes."""


def start(cloud: Cloud, ended: threading.Event) -> None:
    """Look after every cluster that is up until `ended`."""
    if files := clusters.kubeconfigs():
        threading.Thread(target=_look_after, args=(cloud, files, ended), daemon=True).start()


def _look_after(cloud: Cloud, files: list[Path], ended: threading.Event) -> None:
    joined = clusters.are_joined()
    while not ended.wait(PAUSE):
        try:
            apis = {file: Api(file) for file in files}
            while not ended.wait(PAUSE):
                if joined:
                    _import_services(list(apis.values()))
                for file, api in apis.items():
                    _program_gateways(file, api, cloud, joined)
        except (ApiError, Refused):  # a cluster that does not answer is asked again
            continue


def _import_services(apis: list[Api]) -> None:
    """What one cluster of a fleet exports, all import."""
    exports = {_key(each): api for api in apis for each in api.items(f"{SERVICES}/serviceexports")}
    for api in apis:
        imports = {_key(each) for each in api.items(f"{SERVICES}/serviceimports")}
        for namespace, name in imports - set(exports):
            api.delete(f"{SERVICES}/namespaces/{namespace}/serviceimports/{name}")
        for namespace, name in set(exports) - imports:
            service = exports[namespace, name].find(f"/api/v1/namespaces/{namespace}/services/{name}")
            if service is None:
                continue  # nothing to import until it is there
            ports = [{key: port[key] for key in ("name", "port", "protocol")} for port in service["spec"]["ports"]]
            body = {
                "apiVersion": "net.gke.io/v1",
                "kind": "ServiceImport",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"type": "ClusterSetIP", "ports": ports},
            }
            api.create(f"{SERVICES}/namespaces/{namespace}/serviceimports", body)


def _key(item: Json) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _program_gateways(kubeconfig: Path, api: Api, cloud: Cloud, joined: bool) -> None:
    for gateway in api.items(f"{GATEWAYS}/gateways"):
        name = gateway["spec"]["gatewayClassName"]
        if not is_gke(name) or is_over_clusters(name) != joined:
            continue
        wanted = status(gateway, cloud, list(_lost(gateway, api)) if joined else [])
        if _said(gateway.get("status", {})) == _said(wanted):
            continue
        where = f"--namespace={gateway['metadata']['namespace']}"
        patch = ["--subresource=status", "--type=merge", f"--patch={json.dumps({'status': wanted})}"]
        addon.run_kubectl(kubeconfig, "patch", "gateway", gateway["metadata"]["name"], where, *patch)


def _lost(gateway: Json, api: Api) -> Iterator[str]:
    """The ServiceImports that a Gateway's routes lead to, and that are not there."""
    namespace, name = _key(gateway)
    there = {_key(each) for each in api.items(f"{SERVICES}/serviceimports")}
    for route in api.items(f"{GATEWAYS}/namespaces/{namespace}/httproutes"):
        if name in [parent["name"] for parent in route["spec"]["parentRefs"]]:
            for rule in route["spec"]["rules"]:
                backends = [each for each in rule.get("backendRefs", ()) if each["kind"] == "ServiceImport"]
                yield from (each["name"] for each in backends if (namespace, each["name"]) not in there)


def status(gateway: Json, cloud: Cloud, lost: Iterable[str] = ()) -> Json:
    """What GKE reports of a Gateway, whose routes lead to backends that are `lost`."""
    generation, now = gateway["metadata"]["generation"], datetime.now(UTC).isoformat(timespec="seconds")

    def condition(kind: str, reason: str, message: str = "") -> Json:
        return {
            "type": kind,
            "status": "False" if message else "True",
            "reason": reason,
            "message": message,
            "observedGeneration": generation,
            "lastTransitionTime": now.replace("+00:00", "Z"),
        }

    regions = [each["value"] for each in gateway["spec"].get("addresses", ()) if "ephemeral" in each["type"]]
    missing = [*_missing(gateway["spec"]["gatewayClassName"], regions, cloud), *(f"no ServiceImport {e}" for e in lost)]
    if missing:
        conditions = [condition("Accepted", "Accepted"), condition("Programmed", "Invalid", "; ".join(missing))]
        return {"addresses": [], "conditions": conditions}
    addresses = [{"type": "IPAddress", "value": _address(gateway, region, cloud)} for region in regions or [""]]
    return {"addresses": addresses, "conditions": [condition(each, each) for each in ("Accepted", "Programmed")]}


def _missing(gateway_class: str, regions: list[str], cloud: Cloud) -> Iterator[str]:
    """Why no load balancer can be made: Google's guides to proxy-only subnets and multi-cluster Gateways."""
    on = {each.inputs["name"] for each in cloud.all(FEATURE)}
    if is_over_clusters(gateway_class) and not {"multiclusteringress", "multiclusterservicediscovery"} <= on:
        yield "multi-cluster Gateways are not enabled in the fleet"
    purpose = "GLOBAL_MANAGED_PROXY" if gateway_class == CROSS_REGIONAL else "REGIONAL_MANAGED_PROXY"
    there = {each.inputs["region"] for each in cloud.all(SUBNETWORK) if each.inputs.get("purpose") == purpose}
    if not is_global(gateway_class) and not (set(regions) <= there and there):
        yield "An active proxy-only subnetwork is required in the same region and VPC as the forwarding rule."


def _address(gateway: Json, region: str, cloud: Cloud) -> str:
    """One of the nodes' subnet, or for an external Gateway a documentation address (RFC 5737); always the same."""
    number = int(hashlib.sha256(gateway["metadata"]["name"].encode()).hexdigest(), 16) % 200
    subnets = [each.inputs for each in cloud.all(SUBNETWORK) if at(each.inputs, "purpose") is None]
    nodes = [each["ipCidrRange"] for each in subnets if region in ("", each.get("region"))]
    inside = "external" not in gateway["spec"]["gatewayClassName"]
    network = ipaddress.IPv4Network(nodes[0] if inside and nodes else "203.0.113.0/24")
    return str(network[-3 - number])


def _said(found: Json) -> Any:
    """A status without its times."""
    conditions = [{k: v for k, v in each.items() if k != "lastTransitionTime"} for each in found.get("conditions", [])]
    return found.get("addresses", []), sorted(conditions, key=lambda each: str(each["type"]))

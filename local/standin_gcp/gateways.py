"""GKE's Gateway controller: gives a Gateway of GKE's classes an address once its load balancer can be made.

GKE's runs outside the cluster, and so does this one: for as long as an engine is at work, which is as long as
somebody waits for an address.
"""

import contextlib
import hashlib
import ipaddress
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components._gke_policies import is_gke, is_global
from local.api import Api, ApiError
from local.standin_gcp import addon
from local.standin_gcp.api import SUBNETWORK
from local.standin_gcp.cloud import Cloud, Json, Refused

PATH = "/apis/gateway.networking.k8s.io/v1/gateways"
PAUSE = 1.0
"""Seconds between two looks; a load balancer takes GKE minutes."""


class GatewayController(threading.Thread):
    """Looks after one cluster's Gateways until `ended`."""

    def __init__(self, cloud: Cloud, kubeconfig: Path, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.cloud, self.kubeconfig, self.ended = cloud, kubeconfig, ended

    def run(self) -> None:
        while not self.ended.is_set():
            with contextlib.suppress(ApiError, Refused):  # a cluster that does not answer is asked again
                api = Api(self.kubeconfig)
                while not self.ended.wait(PAUSE):
                    for gateway in api.items(PATH):
                        self._look_after(gateway)
            self.ended.wait(PAUSE)

    def _look_after(self, gateway: Json) -> None:
        if not is_gke(gateway["spec"]["gatewayClassName"]):
            return
        wanted = status(gateway, self.cloud)
        if _said(gateway.get("status", {})) == _said(wanted):
            return
        metadata = gateway["metadata"]
        addon.run_kubectl(
            self.kubeconfig,
            "patch",
            "gateway",
            metadata["name"],
            f"--namespace={metadata['namespace']}",
            "--subresource=status",
            "--type=merge",
            f"--patch={json.dumps({'status': wanted})}",
        )


def status(gateway: Json, cloud: Cloud) -> Json:
    """What GKE reports of a Gateway."""
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

    if missing := _missing(gateway["spec"]["gatewayClassName"], cloud):
        conditions = [condition("Accepted", "Accepted"), condition("Programmed", "Invalid", missing)]
        return {"addresses": [], "conditions": conditions}
    address = {"type": "IPAddress", "value": _address(gateway, cloud)}
    return {"addresses": [address], "conditions": [condition(each, each) for each in ("Accepted", "Programmed")]}


def _missing(gateway_class: str, cloud: Cloud) -> str:
    """Why no load balancer can be made (Cloud Load Balancing's guide to proxy-only subnets); else an empty text."""
    purpose = "" if is_global(gateway_class) else "REGIONAL_MANAGED_PROXY"
    there = any(each.inputs.get("purpose") == purpose for each in cloud.all(SUBNETWORK))
    if purpose and not there:
        return "An active proxy-only subnetwork is required in the same region and VPC as the forwarding rule."
    return ""


def _address(gateway: Json, cloud: Cloud) -> str:
    """One of the nodes' subnet, or for an external Gateway a documentation address (RFC 5737); always the same."""
    number = int(hashlib.sha256(gateway["metadata"]["name"].encode()).hexdigest(), 16) % 200
    nodes = [each.inputs["ipCidrRange"] for each in cloud.all(SUBNETWORK) if "purpose" not in each.inputs]
    inside = "external" not in gateway["spec"]["gatewayClassName"]
    network = ipaddress.IPv4Network(nodes[0] if inside and nodes else "203.0.113.0/24")
    return str(network[-3 - number])


def _said(found: Json) -> Any:
    """A status without its times."""
    conditions = [{k: v for k, v in each.items() if k != "lastTransitionTime"} for each in found.get("conditions", [])]
    return found.get("addresses", []), sorted(conditions, key=lambda each: str(each["type"]))

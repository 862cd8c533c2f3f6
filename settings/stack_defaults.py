"""What the platform's components are told of each other, so that a stack file says it once.

Over the plain values of a stack file, wrong ones included: those are left for the check to report.
"""

from collections.abc import Mapping
from typing import Any

import releases
from components import Problem
from components._arguments import show
from components._gke_policies import CLASSES, LOAD_BALANCERS, OVER_CLUSTERS, is_gke, is_global
from components._upstream import PRIORITY_CLASS
from settings import fleet as fleet_settings

ON_GKE = ("autopilot", "standard", "fleet")
"""Targets whose networks the project makes."""


def router_defaults(values: Mapping[str, Any], release: releases.Release) -> dict[str, Any]:
    defaults: dict[str, Any] = {"image": release.router_image}
    controller = _map(values, "controller")
    if controller.get("source") != "managed":
        defaults["priorityClass"] = controller.get("priorityClass", PRIORITY_CLASS)
    if is_gke(gateway_class_of(values)) or _map(values, "cluster").get("fleetProject"):
        defaults["loadBalancers"] = [*LOAD_BALANCERS, *_proxies(values)]
    return defaults


def gateway_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the gateway must know of the router; and nobody gives a simulated cluster an address."""
    router = _map(values, "router")
    passed_on = {"namespace": "namespace", "proxyTimeout": "routerTimeout"}
    defaults = {ours: router[theirs] for theirs, ours in passed_on.items() if theirs in router}
    if values["target"] == "fleet":
        defaults |= fleet_settings.gateway_defaults(values)
    return {
        **defaults,
        **({"routerTls": True} if "tls" in router else {}),
        **({"awaitAddress": False} if values["target"] == "local" else {}),
    }


def observability_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's pools, which its alerts then watch."""
    if _map(values, "observability").get("alerts") is False:
        return {}
    pools = [
        {"namespace": pool["namespace"], "template": pool["template"], "replicas": least}
        for pool in _map(values, "warmPools").values()
        if isinstance(pool, Mapping) and isinstance(pool.get("template"), str) and (least := _least(pool))
    ]
    return {"pools": pools} if pools else {}


def _least(pool: Mapping[str, Any]) -> Any:
    """Sandboxes that a pool never has fewer of."""
    return _map(pool, "autoscaling").get("minReplicas", pool.get("replicas", 1))


def regional_gateway(values: Mapping[str, Any], project: str) -> list[Problem]:
    """A regional load balancer's proxies are in a subnet that only its owner knows, where the stack does not make it.

    Where the stack makes the network, a subnet that is missing is preflight.py's to tell.
    """
    name, proxies = gateway_class_of(values), _proxies(values)
    ranges = _map(values, "router").get("loadBalancers")
    if not is_gke(name) or is_global(name) or not isinstance(ranges, list):
        return []
    if proxies and not set(proxies) <= set(ranges):
        missing = ", ".join(each for each in proxies if each not in ranges)
        remedy = f"The router's network policy would drop what {name} sends. Add {missing}, or leave it out."
        return [Problem(f"{project}:router.loadBalancers", show(ranges), "lacks the network's proxies", remedy)]
    if ranges != list(LOAD_BALANCERS) or values["target"] in ON_GKE:
        return []
    remedy = (
        f"The class {name} sends requests from the proxy-only subnet of its region, which the router's network policy"
        f" would drop. Add that subnet's range to: {', '.join(LOAD_BALANCERS)}."
    )
    return [Problem(f"{project}:router.loadBalancers", "nothing", "is given, though the gateway is regional", remedy)]


def _proxies(values: Mapping[str, Any]) -> list[str]:
    """The ranges that the stack's own network has for proxies, of its Gateway unless that is a global one, and of its
    fleet's.
    """
    network = _map(values, "network")
    own = [] if is_global(gateway_class_of(values)) else [network.get("proxies")]
    return [each for each in [*own, *_map(network, "fleetProxies").values()] if isinstance(each, str)]


def gateway_class_of(values: Mapping[str, Any]) -> str:
    """The class of the stack's gateway, or an empty text if it has none, or a wrong one."""
    gateway = _map(values, "gateway")
    exposure = gateway.get("exposure", "internal")
    classes = OVER_CLUSTERS if values.get("target") == "fleet" else CLASSES
    return (
        str(gateway.get("gatewayClass", classes.get(exposure, "") if isinstance(exposure, str) else ""))
        if gateway
        else ""
    )


def _map(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The map at `key`, or an empty one where there is none, or something else that the check will report."""
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}

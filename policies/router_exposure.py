"""The sandbox router: who may use it, whether requests are bounded, and that nothing leads to it in the clear."""

import re
from collections.abc import Iterator
from typing import Any

from policies.controls import Hit, Parameters, Topic, untold
from policies.objects import Object
from policies.pods import Pod, pods
from policies.stacks import Stack
from policies.values import UNKNOWN, get, mappings

TOPIC = Topic(
    "router-exposure",
    "The router asks callers who they are, bounds their requests, and is reached through TLS",
    "stack",
    framework="Agent Sandbox threat model",
    url="https://github.com/kubernetes-sigs/agent-sandbox/tree/main/sandbox-router",
    parameters={
        "loopbackStacks": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["local"],
            "description": "Names of Pulumi stacks whose router only the machine that runs it can reach; there "
            "--authz-mode=allow-all is let through. Plain manifests belong to no stack.",
        },
        "mostSeconds": {
            "type": "integer",
            "default": 3600,
            "description": "Seconds that --proxy-timeout may be at most.",
        },
    },
)

SERVICE = "sandbox-router-svc"
MODES = ("tokenreview", "scoped-token")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Router = tuple[Object, str, Any, dict[str, str]]
"""A router's object, its container's path, its args as they are, and its flags by name."""


def _routers(stack: Stack) -> Iterator[Router]:
    for one in stack.all("Deployment"):
        for pod in pods(one):
            for path, container in pod.containers:
                if container is not UNKNOWN and _is_router(pod, container):
                    given = get(container, "args"), get(container, "command")
                    words = [each for part in given if isinstance(part, list) for each in part]
                    args = UNKNOWN if UNKNOWN in given or UNKNOWN in words else words
                    yield one, f"{path}.args", args, {} if args is UNKNOWN else _flags(words)


def _is_router(pod: Pod, container: Any) -> bool:
    image = get(container, "image")
    if isinstance(image, str) and "sandbox-router" in image.rpartition("/")[2]:
        return True
    labels = get(pod.metadata, "labels")
    names = {get(labels, "app"), get(labels, "app.kubernetes.io/name")}
    return "sandbox-router" in names and get(container, "name") in ("sandbox-router", "router", None)


def _flags(words: list[Any]) -> dict[str, str]:
    """Go's flags: one dash or two, the value after = or in the next word."""
    flags: dict[str, str] = {}
    texts = [each for each in words if isinstance(each, str)]
    for index, word in enumerate(texts):
        if word.startswith("-"):
            name, equals, value = word.lstrip("-").partition("=")
            following = texts[index + 1] if index + 1 < len(texts) else ""
            flags[name] = value if equals else "true" if following.startswith("-") or not following else following
    return flags


@TOPIC.control(
    "authorizer",
    severity="critical",
    risk="Whoever reaches the router runs commands in any sandbox of the cluster.",
    fix="Set --authz-mode=tokenreview or scoped-token; the default is allow-all.",
)
def authorizer(stack: Stack, parameters: Parameters) -> Iterator[Hit]:
    """The router's authorizer is tokenreview or scoped-token, but for stacks that only their own machine reaches."""
    for one, path, args, flags in _routers(stack):
        if one.stack and one.stack in parameters["loopbackStacks"]:
            continue
        if args is UNKNOWN:
            yield untold(path, one)
        elif flags.get("authz-mode") not in MODES:
            missing = "authz-mode" not in flags
            problem = "does not hold --authz-mode, whose default lets everybody in" if missing else "lets everybody in"
            yield Hit(path, problem, subject=one)


@TOPIC.control(
    "tokenRequired",
    severity="critical",
    risk="A caller who sends no token at all is let through.",
    fix="Add --authz-tokenreview-require-token=true.",
)
def token_required(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """A router that reviews tokens refuses requests without one."""
    for one, path, _args, flags in _routers(stack):
        required = flags.get("authz-tokenreview-require-token", "false").lower()
        if flags.get("authz-mode") == "tokenreview" and required not in ("true", "1", "t"):
            yield Hit(path, "does not require a token for --authz-mode=tokenreview", subject=one)


@TOPIC.control(
    "boundedRequests",
    severity="medium",
    risk="Requests that never end hold the router's memory and the sandbox's connections.",
    fix="Set --proxy-timeout to what the longest command needs; upstream's default is 180s.",
)
def bounded_requests(stack: Stack, parameters: Parameters) -> Iterator[Hit]:
    """The router ends a request after a time that is bounded."""
    for one, path, _args, flags in _routers(stack):
        if "proxy-timeout" in flags:
            seconds = _duration(flags["proxy-timeout"])
            if seconds is None or not 0 < seconds <= parameters["mostSeconds"]:
                yield Hit(path, "holds a --proxy-timeout that is not a bounded duration", subject=one)


def _duration(text: str) -> float | None:
    matches = list(_DURATION.finditer(text))
    if "".join(match[0] for match in matches) != text or not matches:
        return None
    return sum(float(match["number"]) * _SECONDS[match["unit"]] for match in matches)


@TOPIC.control(
    "directExposure",
    severity="critical",
    risk="The router's plain HTTP is open to everybody who reaches the nodes or the load balancer.",
    fix="Leave the Service a ClusterIP; put a Gateway with TLS before it.",
)
def direct_exposure(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """The router's Service is reachable inside the cluster only."""
    for one in stack.all("Service"):
        if _is_routers(one.name):
            kind = get(one.data, "spec", "type")
            if kind is UNKNOWN:
                yield untold("spec.type", one)
            elif kind in ("LoadBalancer", "NodePort"):
                yield Hit("spec.type", "exposes the router itself", subject=one)


@TOPIC.control(
    "tlsTermination",
    severity="critical",
    risk="Tokens, commands and their results cross the network in the clear.",
    fix="Serve the route on a listener with protocol HTTPS and a certificate; for an Ingress set spec.tls.",
)
def tls_termination(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """Every Gateway listener and Ingress that leads to the router ends TLS."""
    for route in stack.all("HTTPRoute", "GRPCRoute"):
        if _routers_behind(route.data):
            yield from _clear_listeners(stack, route)
    for one in stack.all("Ingress"):
        if _routers_behind(one.data) and not get(one.data, "spec", "tls"):
            yield Hit("spec.tls", "is absent, though the Ingress leads to the router", subject=one)


def _is_routers(name: Any) -> bool:
    """Whether a Service is the router's; where a fleet has several, each bears its cluster's name besides."""
    return isinstance(name, str) and (name == SERVICE or name.startswith(f"{SERVICE}-"))


def _routers_behind(value: Any) -> set[str]:
    """The names of the routers' Services that a route or an Ingress leads to."""
    return {name for name in _backends(value) if _is_routers(name)}


def _backends(value: Any) -> set[Any]:
    """The names of all Services that a route or an Ingress leads to."""
    rules = mappings(get(value, "spec", "rules"), "")
    found: set[Any] = {get(value, "spec", "defaultBackend", "service", "name")}
    for _, rule in rules:
        found |= {get(each, "name") for _, each in mappings(get(rule, "backendRefs"), "")}
        paths = mappings(get(rule, "http", "paths"), "")
        found |= {get(each, "backend", "service", "name") for _, each in paths}
    return found


def _clear_listeners(stack: Stack, route: Object) -> Iterator[Hit]:
    for _, parent in mappings(get(route.data, "spec", "parentRefs"), ""):
        namespace = get(parent, "namespace") or route.namespace
        gateway = stack.find("Gateway", namespace, get(parent, "name"))
        if gateway is None:
            continue
        for path, listener in mappings(get(gateway.data, "spec", "listeners"), "spec.listeners"):
            section = get(parent, "sectionName")
            if section not in (None, UNKNOWN) and section != get(listener, "name"):
                continue
            protocol = get(listener, "protocol")
            if protocol is UNKNOWN:
                yield untold(path, gateway)
            elif protocol not in ("HTTPS", "TLS"):
                yield Hit(f"{path}.protocol", "carries the router's requests without TLS", subject=gateway)


@TOPIC.control(
    "backendTimeout",
    severity="medium",
    risk="Google's load balancer cuts off every command after its default of 30 seconds.",
    fix="Add a GCPBackendPolicy for sandbox-router-svc with spec.default.timeoutSec of at least --proxy-timeout.",
)
def backend_timeout(stack: Stack, _: Parameters) -> Iterator[Hit]:
    """Behind a GKE Gateway, the router's backend timeout is no shorter than the router's own."""
    longest = max([_duration(flags.get("proxy-timeout", "180s")) or 180.0 for *_, flags in _routers(stack)], default=0)
    gateways = {
        (one.namespace, one.name)
        for one in stack.all("Gateway")
        if str(get(one.data, "spec", "gatewayClassName")).startswith("gke-")
    }
    for route in stack.all("HTTPRoute"):
        parents = {
            (get(each, "namespace") or route.namespace, get(each, "name"))
            for _, each in mappings(get(route.data, "spec", "parentRefs"), "")
        }
        services = _routers_behind(route.data)
        if not services or not parents & gateways:
            continue
        timeouts = [_timeouts(stack, service) for service in sorted(services)]
        if any(UNKNOWN in known for known in timeouts):
            yield untold("spec.rules", route)
        elif not all(any(isinstance(each, (int, float)) and each >= longest for each in known) for known in timeouts):
            yield Hit("spec.rules", "leads to the router with a shorter backend timeout than its own", subject=route)


def _timeouts(stack: Stack, service: str) -> list[Any]:
    """What the policies for a Service, or for its import from another cluster, say of its timeout."""
    return [
        get(one.data, "spec", "default", "timeoutSec")
        for one in stack.all("GCPBackendPolicy")
        if get(one.data, "spec", "targetRef", "name") == service
    ]

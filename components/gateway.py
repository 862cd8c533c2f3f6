"""The sandbox gateway: the way to the router from outside the cluster, through the Gateway API.

Owns a Gateway, its routes and, on GKE, the policies of its load balancer. The GatewayClass and its
controller are the cluster's; the router's Service, the certificates, the static address and the Cloud
Armor policy exist already. The router's network policy must name the load balancer as a client.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components import _gateway_objects
from components._arguments import arguments, require_valid
from components._checks import between, dns_label, dns_name, matches, one_of, some_dns_labels
from components._formats import positive_duration, seconds
from components._gke_policies import (
    CLASSES,
    CROSS_REGIONAL,
    OVER_CLUSTERS,
    GkeBackendArgs,
    is_gke,
    is_global,
    is_over_clusters,
)
from components._kubernetes import SYSTEM_NAMESPACE, KubernetesObject

EXPOSURES = ("internal", "external")
CERTIFICATES = ("secrets", "certificate_map", "certificates")
Problems = Iterator[tuple[str, str, str]]

_hostname = matches(
    r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+",
    "is not a host name",
    "The API server would refuse it. Write it as in sandboxes.example.com or *.example.com.",
)


def _hostnames(value: list[str]) -> tuple[str, str] | None:
    return next((found for each in value if (found := _hostname(each))), None)


def _one_kind(values: Mapping[str, Any]) -> Problems:
    given = [field for field in CERTIFICATES if field in values]
    if len(given) != 1:
        remedy = f"It says where the certificate is. Give exactly one of {', '.join(CERTIFICATES)}."
        yield "secrets", f"comes with {len(given)} kinds of certificate", remedy


@arguments(together=_one_kind, secrets=some_dns_labels, certificates=some_dns_labels, certificate_map=dns_label)
class GatewayTlsArgs(TypedDict):
    """Where the Gateway's certificate is; exactly one of the three."""

    secrets: NotRequired[list[str]]
    """Secrets of type kubernetes.io/tls in the Gateway's namespace; any class takes them."""
    certificate_map: NotRequired[str]
    """A map of Google's Certificate Manager, for GKE's global classes."""
    certificates: NotRequired[list[str]]
    """Certificates of Google's Certificate Manager in the Gateway's region, for GKE's regional classes."""


def chosen_class(args: Mapping[str, Any]) -> str:
    """The GatewayClass that the arguments name, or that stands for their exposure on GKE."""
    classes = OVER_CLUSTERS if "clusters" in args else CLASSES
    return str(args.get("gateway_class", classes[args.get("exposure", "internal")]))


def _consistent(values: Mapping[str, Any]) -> Problems:
    yield from _encrypted(values)
    name = chosen_class(values)
    exposure = values.get("exposure", "internal")
    if is_gke(name) and (exposure == "internal") != ("rilb" in name or "internal" in name):
        remedy = "Who reaches it would not be who you think. Correct one of the two."
        yield "gateway_class", f"does not fit the exposure {exposure}", remedy
    yield from _over_clusters(values, name)
    for field in ("backend", "ssl_policy", "global_access", "static_address"):
        if field in values and not is_gke(name):
            remedy = f"The class {name} is not GKE's and would not read it. Remove it."
            yield field, "is given, though it is for GKE's classes", remedy
    if "address" in values and "static_address" in values:
        yield "address", "is given beside static_address", "A Gateway has one address. Remove one of the two."
    if values.get("global_access") and (exposure == "external" or is_global(name) or name == CROSS_REGIONAL):
        yield (
            "global_access",
            "is given, though only a regional internal address is limited to its region",
            "Remove it.",
        )
    backend, timeout = values.get("backend", {}), values.get("router_timeout", "180s")
    if "timeout_seconds" in backend and backend["timeout_seconds"] < seconds(timeout):
        remedy = f"Requests that the router allows {timeout} would be cut off earlier. Raise timeout_seconds."
        yield "backend", f"has a timeout_seconds below the router's {timeout}", remedy
    iap = backend.get("iap", {})
    if ("client_id" in iap) != ("secret" in iap):
        yield "backend", "has an iap with client_id or secret alone", "GKE needs both, or neither. Add the other."


def _over_clusters(values: Mapping[str, Any], name: str) -> Problems:
    if is_over_clusters(name) and "clusters" not in values:
        remedy = "It leads to ServiceImports of a fleet. Choose it without -mc, or name the clusters."
        yield "gateway_class", "is for several clusters", remedy
    if "clusters" in values and not is_over_clusters(name):
        remedy = "It leads to one cluster's Services. Choose one that ends with -mc, or leave it out."
        yield "gateway_class", "is for one cluster, though clusters are named", remedy
    if "regions" in values and name != CROSS_REGIONAL:
        yield "regions", "is given, though the Gateway has one address", "Only cross-regional Gateways have several."
    if name == CROSS_REGIONAL and "regions" not in values:
        yield (
            "regions",
            "is given, though the Gateway is cross-regional",
            "It would have no address. Name at least one.",
        )
    for field in ("address", "static_address"):
        if field in values and name == CROSS_REGIONAL:
            yield field, "is given, though the Gateway has an address in each region", "Remove it."


def _encrypted(values: Mapping[str, Any]) -> Problems:
    tls, plain = values.get("tls"), values.get("unsafe_plain_http", False)
    name = chosen_class(values)
    if tls and plain:
        yield "unsafe_plain_http", "is given beside tls", "It would have no effect. Remove one of the two."
    if values.get("exposure") == "external" and not tls and not plain:
        remedy = "Tokens and code would cross the internet in the clear. Add tls, or say unsafe_plain_http: true."
        yield "tls", "is given, though the exposure is external", remedy
    if "iap" in values.get("backend", {}) and not tls:
        yield "backend", "has an iap, though there is no tls", "Google signs callers in over HTTPS only. Add tls."
    if "ssl_policy" in values and not tls:
        yield "ssl_policy", "is given without tls", "It would have no effect. Add tls, or remove it."
    if values.get("redirect_http") and not tls:
        yield "redirect_http", "is given without tls", "There is nothing to redirect to. Add tls, or remove it."
    if tls and "certificate_map" in tls and not is_global(name):
        yield "tls", f"names a certificate_map, which the class {name} does not read", "Use certificates or secrets."
    if tls and "secrets" in tls and name == CROSS_REGIONAL:
        yield "tls", f"names secrets, which the class {name} does not read", "Use certificates, for all regions."
    if tls and "certificates" in tls and (is_global(name) or not is_gke(name)):
        yield "tls", f"names certificates, which the class {name} does not read", "Use certificate_map or secrets."


@arguments(
    together=_consistent,
    namespace=dns_label,
    exposure=one_of(EXPOSURES, "It says who can reach the Gateway."),
    gateway_class=dns_name,
    hostnames=_hostnames,
    static_address=dns_label,
    clusters=some_dns_labels,
    service=dns_label,
    port=between(1, 65535, "Nothing can listen there."),
    router_timeout=positive_duration,
    await_seconds=between(1, 3600, "The update would not wait at all, or for hours."),
)
class SandboxGatewayArgs(TypedDict):
    """Arguments of SandboxGateway."""

    namespace: NotRequired[str]
    """The router's namespace; the Gateway and its routes are made there. Default agent-sandbox-system."""
    exposure: NotRequired[str]
    """Who can reach it: `internal`, the VPC, or `external`, everybody. Default internal."""
    gateway_class: NotRequired[str]
    """The GatewayClass. Default GKE's for the exposure: gke-l7-rilb, or gke-l7-global-external-managed."""
    hostnames: NotRequired[list[str]]
    """Host names that are served; a leading *. stands for one label or more. Default every name."""
    tls: NotRequired[GatewayTlsArgs]
    """The certificate; required when external. Default none: plain HTTP inside the VPC."""
    unsafe_plain_http: NotRequired[bool]
    """Whether an external Gateway serves plain HTTP, so that tokens cross the internet in the clear. Default false."""
    redirect_http: NotRequired[bool]
    """Whether port 80 redirects to HTTPS. Default false: port 80 is closed."""
    static_address: NotRequired[str]
    """The name of an address reserved in Google Cloud, global or in the region as the class is. Default none."""
    address: NotRequired[pulumi.Input[str]]
    """An IP address that the Gateway asks for. Default whichever it gets."""
    clusters: NotRequired[list[str]]
    """The clusters of a fleet, as their RouterExports name them: a request goes to the one that its header
    Agent-Sandbox-Cluster names. Default none: the Gateway leads to its own cluster's router."""
    regions: NotRequired[pulumi.Input[list[str]]]
    """The regions in which a cross-regional Gateway has an address each; required for that class alone."""
    service: NotRequired[str]
    """The router's Service. Default sandbox-router-svc; with clusters, what their exports' names begin with."""
    port: NotRequired[int]
    """The Service's port. Default 8080, or 8443 with router_tls."""
    router_tls: NotRequired[bool]
    """Whether the router itself serves HTTPS on that port. Default false."""
    router_timeout: NotRequired[str]
    """The router's proxy_timeout, as a Go duration. Default 180s, the router's own default."""
    backend: NotRequired[GkeBackendArgs]
    """How GKE's load balancer treats the router. Default what each field says."""
    ssl_policy: NotRequired[str]
    """The name of a Google Cloud SSL policy: least TLS version and ciphers. Default none, Google's."""
    global_access: NotRequired[bool]
    """Whether an internal Gateway is reached from every region of the VPC. Default false, GKE's."""
    await_address: NotRequired[bool]
    """Whether an update waits until the Gateway is programmed and has an address. Default true for GKE's classes,
    whose controller comes with the cluster, and false for others, whose controller may not be there."""
    await_seconds: NotRequired[int]
    """How long it waits at most. Default 900; GKE's load balancers take minutes."""


class SandboxGateway(pulumi.ComponentResource):
    """A Gateway, of the component's own name, that leads to the router."""

    address: pulumi.Output[str]
    """Its IP address or host name; empty if the update did not wait for one and there was none yet."""

    def __init__(self, name: str, args: SandboxGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxGatewayArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxGateway", name, {**args}, opts)
        namespace = args.get("namespace", SYSTEM_NAMESPACE)
        made: dict[str, KubernetesObject] = {}
        for role, manifest in _gateway_objects.manifests(name, args, chosen_class(args), namespace).items():
            # Policies and routes come first: a load balancer is never programmed without them.
            before = list(made.values()) if role == "gateway" else None
            options = pulumi.ResourceOptions(parent=self, depends_on=before)
            made[role] = KubernetesObject(f"{name}-{role}", manifest, options)
        self.address = made["gateway"].status.apply(_gateway_objects.first_address)
        self.register_outputs({"address": self.address})

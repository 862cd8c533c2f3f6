"""What the router's arguments are made of: its clients, its certificate, its key, its autoscaler."""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components._arguments import arguments
from components._checks import Finding, between, dns_label, dns_name, one_of
from components._formats import cidr

MTLS_MODES = ("off", "optional", "required")
LEAST_SECRET = 32
"""Bytes; upstream's router refuses a shorter one, since any token seen would let it be guessed."""

Problems = Iterator[tuple[str, str, str]]


def _one_peer(values: Mapping[str, Any]) -> Problems:
    if ("namespace" in values) == ("cidr" in values):
        yield "namespace", "must be given, or else a cidr, and not both", "It says who this client is."
    if "cidr" in values and "pod_labels" in values:
        yield "pod_labels", "is given beside a cidr", "An address range has no labels. Remove one of the two."


@arguments(together=_one_peer, namespace=dns_label, cidr=cidr)
class RouterClientArgs(TypedDict):
    """Somebody who may open connections to the router: pods of a namespace, or an address range."""

    namespace: NotRequired[str]
    """The namespace of the pods."""
    pod_labels: NotRequired[dict[str, str]]
    """Labels that the pods carry. Default none: all pods of the namespace but sandboxes."""
    cidr: NotRequired[str]
    """An address range, as in 10.0.0.0/8."""


def _one_secret(values: Mapping[str, Any]) -> Problems:
    if ("secret" in values) == ("value" in values):
        yield "secret", "must be given, or else a value, and not both", "The router verifies tokens with it."


def _long_enough(value: str) -> Finding:
    if len(value.strip()) >= LEAST_SECRET:
        return None
    return "is too short", f"The router would not start. Use at least {LEAST_SECRET} random bytes."


@arguments(together=_one_secret, secret=dns_label, value=_long_enough)
class ScopedTokenArgs(TypedDict):
    """The key that scoped tokens are signed with, by whoever mints them, and verified with, by the router."""

    secret: NotRequired[str]
    """A Secret in the router's namespace that exists already."""
    key: NotRequired[str]
    """The key in it. Default secret."""
    value: NotRequired[pulumi.Input[str]]
    """The key itself, from which this component makes the Secret; pass a Pulumi secret. At least 32 bytes."""


@arguments(name=dns_name, kind=one_of(("Issuer", "ClusterIssuer"), "It says where cert-manager looks for it."))
class IssuerArgs(TypedDict):
    """A cert-manager issuer that exists already."""

    name: str
    """Its name."""
    kind: NotRequired[str]
    """`Issuer`, in the router's namespace, or `ClusterIssuer`. Default ClusterIssuer."""


def _one_certificate(values: Mapping[str, Any]) -> Problems:
    if ("secret" in values) == ("issuer" in values):
        yield "secret", "must be given, or else an issuer, and not both", "The router serves with its certificate."
    if "dns_names" in values and "issuer" not in values:
        remedy = "The names in a Secret's certificate are as they are. Remove it, or give an issuer."
        yield "dns_names", "is given without an issuer", remedy
    mode = values.get("mtls_mode", "off")
    if mode != "off" and "client_ca_secret" not in values:
        remedy = f"mTLS mode {mode} has nothing to check client certificates with. Name the Secret with ca.crt."
        yield "client_ca_secret", "is given", remedy
    if mode == "off" and "client_ca_secret" in values:
        remedy = "No client certificate would be asked for. Set mtls_mode to required, or remove it."
        yield "client_ca_secret", "is given though mtls_mode is off", remedy


@arguments(
    together=_one_certificate,
    secret=dns_name,
    client_ca_secret=dns_name,
    mtls_mode=one_of(MTLS_MODES, "It says whether callers need a certificate."),
)
class RouterTlsArgs(TypedDict):
    """HTTPS for the router, on port 8443; its certificate is read again whenever it changes."""

    secret: NotRequired[str]
    """A Secret of type kubernetes.io/tls in the router's namespace that exists already."""
    issuer: NotRequired[IssuerArgs]
    """The cert-manager issuer that this component asks for a certificate."""
    dns_names: NotRequired[list[str]]
    """Further names in that certificate. Default only the Service's own."""
    mtls_mode: NotRequired[str]
    """Whether callers need a certificate: `off`, `optional` or `required`. Default off, upstream's."""
    client_ca_secret: NotRequired[str]
    """A Secret in the router's namespace whose ca.crt signs the callers' certificates; required with mTLS."""
    unsafe_plain_http: NotRequired[bool]
    """Whether port 8080 serves plain HTTP too, so that tokens may cross the network in the clear. Default false."""


def _bounds(values: Mapping[str, Any]) -> Problems:
    if values["min_replicas"] > values["max_replicas"]:
        yield "max_replicas", "is below min_replicas", "The API server would refuse it. Raise it."


@arguments(
    together=_bounds,
    min_replicas=between(2, 100, "One router is an outage for every sandbox whenever its node goes."),
    max_replicas=between(2, 1000, "Each watches every sandbox's pod."),
    cpu_utilization=between(1, 100, "It is a percentage of the CPU request."),
)
class RouterAutoscalerArgs(TypedDict):
    """A HorizontalPodAutoscaler over the CPU that the routers use."""

    min_replicas: int
    """Never fewer."""
    max_replicas: int
    """Never more."""
    cpu_utilization: NotRequired[int]
    """Percentage of the CPU request that it aims at. Default 70."""

"""The sandbox router: sends an HTTP client's requests to the sandbox that a header names.

Owns the router's Deployment, its Service `sandbox-router-svc` (the name that clients know), service
account, rights, budget, autoscaler, certificate and network policy. The namespace is the caller's to
make, and whatever issues certificates.
"""

from typing import NotRequired, TypedDict

import pulumi

from components import _router_objects
from components._arguments import arguments, require_valid
from components._checks import at_least, between, dns_label, dns_name, one_of, some_dns_labels
from components._formats import cidrs, duration, pinned_image, positive_duration, quantities
from components._images import image_digest, image_registry
from components._kubernetes import SYSTEM_NAMESPACE, KubernetesObject
from components._router_flags import consistent
from components._router_parts import RouterAutoscalerArgs, RouterClientArgs, RouterTlsArgs, ScopedTokenArgs
from components._telemetry import otlp_endpoint

AUTHORIZERS = ("tokenreview", "scoped-token", "unsafe-allow-all")


@arguments(
    together=consistent,
    image=pinned_image,
    image_registry=image_registry,
    image_digest=image_digest,
    namespace=dns_label,
    sandbox_namespace=dns_label,
    replicas=between(2, 100, "One router is an outage for every sandbox whenever its node goes."),
    authorizer=one_of(AUTHORIZERS, "It decides who may use a sandbox."),
    token_review_ttl=positive_duration,
    token_review_cache_size=between(1, 1_000_000, "The router would not start."),
    proxy_timeout=positive_duration,
    response_header_timeout=positive_duration,
    shutdown_timeout=duration,
    max_retries=between(0, 100, "The router would not start, or keep callers waiting for hours."),
    retry_initial_delay=duration,
    retry_max_delay=duration,
    max_request_bytes=at_least(0, "The router would not start."),
    cluster_domain=dns_name,
    otlp_endpoint=otlp_endpoint,
    log_level=one_of(("debug", "info", "error"), "It says how much the router logs."),
    priority_class=dns_label,
    load_balancers=cidrs,
    scraped_from=some_dns_labels,
    requests=quantities,
    limits=quantities,
)
class SandboxRouterArgs(TypedDict):
    """Arguments of SandboxRouter."""

    image: pulumi.Input[str]
    """The router's image, with a release's tag or a digest."""
    image_registry: NotRequired[str]
    """A mirror that holds the image under its own name. Default the registry in `image`."""
    image_digest: NotRequired[str]
    """The digest that the image must have, sha256:... . Default none: the tag in `image` is trusted."""
    namespace: NotRequired[str]
    """Where the router runs; it must exist. Default agent-sandbox-system, the only one that the controller's
    default network policies admit."""
    replicas: NotRequired[int]
    """Router pods, spread over zones and hosts. Default 2, upstream's least for high availability."""
    autoscaler: NotRequired[RouterAutoscalerArgs]
    """Scales the pods in place of `replicas`, which is then left to it. Default none. Where an earlier update has set
    `replicas`, the API server starts again from 1 until the autoscaler acts, within seconds."""
    authorizer: NotRequired[str]
    """Who may use sandboxes: `tokenreview`, callers with a token that the cluster issued, for every sandbox;
    `scoped-token`, callers with a token for that one sandbox; or `unsafe-allow-all`, everybody who reaches the
    router. Default tokenreview; upstream's is allow-all."""
    token_audiences: NotRequired[list[str]]
    """Audiences of which a reviewed token must name one. Default none: any token of the cluster is good."""
    token_review_ttl: NotRequired[str]
    """How long the answer to a review is kept, as a Go duration; a revoked token works as long. Default 30s,
    upstream's."""
    token_review_cache_size: NotRequired[int]
    """Answers kept at most. Default 2048, upstream's."""
    unsafe_optional_token: NotRequired[bool]
    """Whether callers without any token are let in, to move clients over one by one. Default false; upstream's is
    true."""
    scoped_token: NotRequired[ScopedTokenArgs]
    """The key for scoped tokens; required with that authorizer."""
    tls: NotRequired[RouterTlsArgs]
    """HTTPS, and client certificates. Default none: plain HTTP inside the cluster."""
    pod_cache: NotRequired[bool]
    """Whether the router watches sandboxes' pods, which takes the right to read pods. Without it only sandboxes with
    a Service are reached by name, and members of a warm pool have none. Default true, but with scoped tokens, which
    rule it out, false; upstream's is false."""
    sandbox_namespace: NotRequired[str]
    """The one namespace whose sandboxes it serves; its right to read pods ends there. Default all namespaces."""
    proxy_timeout: NotRequired[str]
    """The longest that one request may take, as a Go duration. Default 180s, upstream's."""
    response_header_timeout: NotRequired[str]
    """The longest until a sandbox begins to answer, as a Go duration. Default proxy_timeout, since a command answers
    when it ends; upstream's is 30s."""
    shutdown_timeout: NotRequired[str]
    """How long requests may go on when a pod ends, as a Go duration; the pod has 15 s more. Default 30s,
    upstream's."""
    max_retries: NotRequired[int]
    """Attempts after the first to reach a sandbox. Default 3, upstream's."""
    retry_initial_delay: NotRequired[str]
    """The pause before the second attempt, as a Go duration; it doubles from there. Default 200ms, upstream's."""
    retry_max_delay: NotRequired[str]
    """The longest such pause. Default 800ms, upstream's."""
    max_request_bytes: NotRequired[int]
    """The largest request body. Default 0, upstream's: no limit, since agents upload files."""
    access_log: NotRequired[bool]
    """Whether each request is logged. Default true, upstream's."""
    log_level: NotRequired[str]
    """`debug`, `info` or `error`. Default info, upstream's."""
    cluster_domain: NotRequired[str]
    """The cluster's DNS domain. Default cluster.local, upstream's."""
    unsafe_loopback_targets: NotRequired[bool]
    """Whether a caller may have the router connect to its own loopback; for a sandbox in the router's own pod.
    Default false, upstream's."""
    otlp_endpoint: NotRequired[str]
    """Address of the OTLP gRPC collector that traces go to, as in http://collector.observability:4317. Default
    none."""
    otlp_metrics: NotRequired[bool]
    """Whether metrics go there too, beside being served for scraping. Default false."""
    clients: NotRequired[list[RouterClientArgs]]
    """Who may open connections to the router. Default every pod of the cluster but sandboxes."""
    load_balancers: NotRequired[list[str]]
    """Address ranges that may do so too, in CIDR notation. GKE's Gateways come from 130.211.0.0/22 and 35.191.0.0/16,
    regional and internal ones also from the proxy-only subnet. Default none."""
    scraped_from: NotRequired[list[str]]
    """Namespaces whose pods may read the metrics. Default every namespace of the cluster."""
    priority_class: NotRequired[str]
    """A PriorityClass that exists already. Default none, the cluster's default priority."""
    requests: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that each pod is sure of, as Kubernetes quantities. Default 250m CPU, 256Mi memory, upstream's."""
    limits: NotRequired[dict[str, pulumi.Input[str]]]
    """Resources that no pod exceeds, as Kubernetes quantities. Default 2 CPU, 1Gi memory, upstream's."""
    extra_args: NotRequired[list[str]]
    """More flags for the router, after those that the arguments above come to. Default none."""


class SandboxRouter(pulumi.ComponentResource):
    """The router, at `sandbox-router-svc` in its namespace: port 8080, or 8443 with TLS."""

    url: pulumi.Output[str]
    """Its address inside the cluster."""

    def __init__(self, name: str, args: SandboxRouterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(SandboxRouterArgs, name, args)
        super().__init__("agent-sandbox:index:SandboxRouter", name, {**args}, opts)
        namespace = args.get("namespace", SYSTEM_NAMESPACE)
        before: list[pulumi.Resource] = []
        for role, manifest in _router_objects.manifests(args, namespace).items():
            options = pulumi.ResourceOptions(parent=self, depends_on=before if role == "deployment" else None)
            made = KubernetesObject(f"{name}-{role}", manifest, options)
            if role in _BEFORE_THE_PODS:
                before.append(made)
        scheme, port = ("https", 8443) if "tls" in args else ("http", 8080)
        self.url = pulumi.Output.from_input(f"{scheme}://{_router_objects.SERVICE}.{namespace}.svc:{port}")
        self.register_outputs({"url": self.url})


_BEFORE_THE_PODS = ("account", "role", "role-binding", "token-review", "scoped-token", "certificate")
"""What a pod cannot start without."""

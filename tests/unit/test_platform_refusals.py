"""Wrong uses of controller, router, gateway and observability: each refused with its reason, nothing registered."""

from typing import Any

import pytest

import components
from components import ArgumentError

IMAGE = "registry.example/agents/program:v1"
RELEASE: dict[str, Any] = {"manifest": "release.yaml", "sha256": "0" * 64, "image": IMAGE}
ROUTER: dict[str, Any] = {"image": IMAGE}
SCOPED: dict[str, Any] = {**ROUTER, "authorizer": "scoped-token", "scoped_token": {"secret": "key"}}
TLS: dict[str, Any] = {"secrets": ["certificate"]}
EXTERNAL: dict[str, Any] = {"exposure": "external", "tls": TLS}
OTHER: dict[str, Any] = {"gateway_class": "envoy"}
POOL: dict[str, Any] = {"namespace": "a", "template": "b", "replicas": 1}

WRONG: list[tuple[Any, dict[str, Any], str]] = [
    # controller: misspelt, mistyped, out of bounds
    (components.AgentSandboxController, {**RELEASE, "profil": "small"}, "Did you mean profile?"),
    (components.AgentSandboxController, {**RELEASE, "profile": "huge"}, "There are: default, high-throughput, small."),
    (components.AgentSandboxController, {**RELEASE, "replicas": 0}, "With none nothing is controlled"),
    (components.AgentSandboxController, {**RELEASE, "sha256": "abc"}, "Write 64 hexadecimal digits"),
    (components.AgentSandboxController, {**RELEASE, "image_registry": "https://mirror"}, "is not a registry"),
    (components.AgentSandboxController, {**RELEASE, "image_digest": "sha256:12"}, "is not a digest"),
    (components.AgentSandboxController, {**RELEASE, "otlp_endpoint": "collector"}, "is not a collector's address"),
    (components.AgentSandboxController, {**RELEASE, "scraped_from": []}, "It would let nobody in"),
    (components.AgentSandboxController, {**RELEASE, "api_fairness": {"shares": 1}}, "c.api_fairness.shares:"),
    (components.AgentSandboxController, {**RELEASE, "api_fairness": {"bulk_shares": 0}}, "is not between 1 and 1000"),
    (components.AgentSandboxController, {**RELEASE, "tuning": {"api_connection": 4}}, "Did you mean api_connections?"),
    (components.AgentSandboxController, {**RELEASE, "tuning": {"api_connections": 0}}, "every replica holds open"),
    (
        components.AgentSandboxController,
        {**RELEASE, "tuning": {"sandbox_warm_pool_max_refill_rate": float("nan")}},
        "is not 0 or more",
    ),
    (
        components.AgentSandboxController,
        {**RELEASE, "tuning": {"sandbox_warm_pool_readiness_grace_period": "0s"}},
        "is not above zero",
    ),
    # controller: contradictions
    (
        components.AgentSandboxController,
        {"image": IMAGE},
        "c.manifest: nothing is given, though the source is upstream",
    ),
    (components.AgentSandboxController, {"source": "managed", "replicas": 2}, "GKE's add-on sets all of it up"),
    (components.AgentSandboxController, {**RELEASE, "tuning": {"kube_api_burst": 9}}, "given without kube_api_qps"),
    (components.AgentSandboxController, {**RELEASE, "extra_args": ["--leader-elect=false"]}, "the component's own"),
    (
        components.AgentSandboxController,
        {**RELEASE, "extra_args": ["--api-connections=4"]},
        "Use tuning.api_connections.",
    ),
    (components.AgentSandboxController, {**RELEASE, "extra_args": ["enable-pprof"]}, "which is not a flag"),
    # router: values
    (components.SandboxRouter, {**ROUTER, "authorizer": "allow-all"}, "unsafe-allow-all"),
    (components.SandboxRouter, {**ROUTER, "proxy_timeout": "0s"}, "is not above zero"),
    (components.SandboxRouter, {**ROUTER, "max_retries": -1}, "is not between 0 and 100"),
    (components.SandboxRouter, {**ROUTER, "load_balancers": ["10.0.0.1/8"]}, "which is not an address range"),
    (components.SandboxRouter, {**ROUTER, "clients": [{"cidr": "everybody"}]}, "r.clients[0].cidr:"),
    (components.SandboxRouter, {**ROUTER, "clients": [{}]}, "must be given, or else a cidr"),
    (components.SandboxRouter, {**ROUTER, "clients": [{"cidr": "10.0.0.0/8", "pod_labels": {}}]}, "has no labels"),
    (
        components.SandboxRouter,
        {**SCOPED, "scoped_token": {"value": "short"}},
        "Use at least 32 random bytes",
    ),
    # router: contradictions
    (components.SandboxRouter, {**ROUTER, "authorizer": "scoped-token"}, "The router could verify no token"),
    (components.SandboxRouter, {**ROUTER, "scoped_token": {"secret": "a"}}, "though the authorizer is tokenreview"),
    (components.SandboxRouter, {**SCOPED, "token_audiences": ["a"]}, "though the authorizer is scoped-token"),
    (components.SandboxRouter, {**SCOPED, "unsafe_optional_token": True}, "though the authorizer is scoped-token"),
    (components.SandboxRouter, {**SCOPED, "pod_cache": True}, "It would never be used"),
    (components.SandboxRouter, {**SCOPED, "sandbox_namespace": "a"}, "there is no pod cache, which it narrows"),
    (components.SandboxRouter, {**SCOPED, "scoped_token": {"secret": "a", "value": "b" * 32}}, "and not both"),
    (
        components.SandboxRouter,
        {**ROUTER, "authorizer": "unsafe-allow-all", "token_review_ttl": "1m"},
        "though the authorizer is unsafe-allow-all",
    ),
    (components.SandboxRouter, {**ROUTER, "tls": {}}, "must be given, or else an issuer"),
    (components.SandboxRouter, {**ROUTER, "tls": {"secret": "a", "issuer": {"name": "b"}}}, "and not both"),
    (components.SandboxRouter, {**ROUTER, "tls": {"secret": "a", "dns_names": ["b"]}}, "is given without an issuer"),
    (components.SandboxRouter, {**ROUTER, "tls": {"secret": "a", "mtls_mode": "required"}}, "nothing to check client"),
    (components.SandboxRouter, {**ROUTER, "tls": {"secret": "a", "client_ca_secret": "b"}}, "though mtls_mode is off"),
    (
        components.SandboxRouter,
        {**ROUTER, "replicas": 2, "autoscaler": {"min_replicas": 2, "max_replicas": 3}},
        "The two would undo each other's work",
    ),
    (
        components.SandboxRouter,
        {**ROUTER, "autoscaler": {"min_replicas": 5, "max_replicas": 3}},
        "r.autoscaler.max_replicas: 3 is below min_replicas",
    ),
    (
        components.SandboxRouter,
        {**ROUTER, "proxy_timeout": "1m", "response_header_timeout": "2m"},
        "A request is over after 1m",
    ),
    (
        components.SandboxRouter,
        {**ROUTER, "retry_initial_delay": "1s"},
        "makes the first delay 1s and the longest 800ms",
    ),
    (components.SandboxRouter, {**ROUTER, "otlp_metrics": True}, "Metrics would go nowhere"),
    (components.SandboxRouter, {**ROUTER, "extra_args": ["--authz-mode=allow-all"]}, "Use authorizer."),
    # gateway
    (components.SandboxGateway, {"exposure": "public"}, "There are: external, internal."),
    (components.SandboxGateway, {"exposure": "external"}, "would cross the internet in the clear"),
    (components.SandboxGateway, {**EXTERNAL, "unsafe_plain_http": True}, "is given beside tls"),
    (components.SandboxGateway, {"redirect_http": True}, "There is nothing to redirect to"),
    (components.SandboxGateway, {"tls": {}}, "comes with 0 kinds of certificate"),
    (components.SandboxGateway, {"tls": {**TLS, "certificate_map": "m"}}, "comes with 2 kinds of certificate"),
    (components.SandboxGateway, {"tls": {"certificate_map": "m"}}, "the class gke-l7-rilb does not read"),
    (components.SandboxGateway, {**EXTERNAL, "tls": {"certificates": ["c"]}}, "Use certificate_map or secrets"),
    (
        components.SandboxGateway,
        {"gateway_class": "gke-l7-global-external-managed", "unsafe_plain_http": True},
        "does not fit the exposure internal",
    ),
    (components.SandboxGateway, {**OTHER, "static_address": "a"}, "The class envoy is not GKE's"),
    (components.SandboxGateway, {**OTHER, "backend": {"iap": {}}}, "The class envoy is not GKE's"),
    (components.SandboxGateway, {"address": "10.0.0.1", "static_address": "a"}, "A Gateway has one address"),
    (components.SandboxGateway, {**EXTERNAL, "global_access": True}, "only a regional internal address"),
    (
        components.SandboxGateway,
        {"router_timeout": "10m", "backend": {"timeout_seconds": 60}},
        "Requests that the router allows 10m would be cut off earlier",
    ),
    (components.SandboxGateway, {"tls": TLS, "backend": {"iap": {"client_id": "a"}}}, "GKE needs both, or neither"),
    (components.SandboxGateway, {"backend": {"iap": {}}}, "Google signs callers in over HTTPS only"),
    (components.SandboxGateway, {"ssl_policy": "modern"}, "is given without tls"),
    (components.SandboxGateway, {"gateway_class": "gke-l7-rilb-mc"}, "ServiceImports of a fleet"),
    (components.SandboxGateway, {"backend": {"log_percent": 101}}, "It is a percentage of the requests"),
    (components.SandboxGateway, {"hostnames": ["*"]}, "is not a host name"),
    # observability
    (components.Observability, {"collector": "gmp"}, "There are: google, prometheus-operator."),
    (components.Observability, {"labels": {"release": "a"}}, "though the collector is google"),
    (components.Observability, {"alerts": False, "pools": [POOL]}, "though there are no alerts"),
    (components.Observability, {"dashboard": False, "dashboard_labels": {"a": "b"}}, "though there is no dashboard"),
    (components.Observability, {"pools": [{**POOL, "replicas": 0}]}, "A pool of none cannot be short of any"),
    (components.Observability, {"thresholds": {"slow_claim_ms": 0}}, "Upstream's histogram ends at 240000"),
]
NAMES = {
    components.AgentSandboxController: "c",
    components.SandboxRouter: "r",
    components.SandboxGateway: "g",
    components.Observability: "o",
}


@pytest.mark.parametrize(("component", "args", "expected"), WRONG, ids=[text[:60] for _, _, text in WRONG])
def test_a_wrong_use_is_refused_with_its_reason_and_registers_nothing(
    component: Any, args: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[str] = []
    monkeypatch.setattr("pulumi.ComponentResource.__init__", lambda *_: registered.append("component"))
    monkeypatch.setattr("pulumi.CustomResource.__init__", lambda *_: registered.append("resource"))
    with pytest.raises(ArgumentError) as raised:
        component(NAMES[component], args)
    assert expected in str(raised.value)
    assert registered == []


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(ArgumentError) as raised:
        components.SandboxRouter("r", {"image": "x", "authorizer": "none", "replicas": 0})
    assert len(raised.value.problems) == 3

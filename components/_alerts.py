"""Alert rules in Prometheus' own form, which GKE's collector and the Prometheus operator share.

A scraper names a series' namespace after the pod that it comes from, and keeps the namespace that the
program reports as `exported_namespace`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from components._arguments import arguments
from components._checks import at_least, between, dns_label
from components._formats import duration

Rule = Mapping[str, Any]


@arguments(namespace=dns_label, replicas=between(1, 10_000, "A pool of none cannot be short of any."))
class ObservedPoolArgs(TypedDict):
    """A warm pool that is missed when it is short; no metric says how large a pool should be."""

    namespace: str
    """The pool's namespace."""
    template: str
    """The SandboxTemplate that its sandboxes are made from."""
    replicas: int
    """Sandboxes that it should hold ready; its least, if it is autoscaled."""


@arguments(
    pool_short_for=duration,
    slow_claim_ms=between(1, 240_000, "Upstream's histogram ends at 240000."),
    router_error_percent=at_least(0, "It is a percentage of the requests."),
    denials_per_second=at_least(0, "It is a rate."),
    certificate_days=between(1, 365, "It would come too late, or always."),
)
class AlertThresholdsArgs(TypedDict):
    """When an alert begins. The defaults are this project's own."""

    pool_short_for: NotRequired[str]
    """How long a pool may be below its size, as a Go duration. Default 10m: a burst of claims is made up for."""
    slow_claim_ms: NotRequired[int]
    """95 of 100 claims on a warm pool are ready faster, in milliseconds. Default 5000."""
    router_error_percent: NotRequired[float]
    """Percentage of requests that the router answers with 5xx. Default 5."""
    denials_per_second: NotRequired[float]
    """Requests a second that the router refuses for their token. Default 1."""
    certificate_days: NotRequired[int]
    """Days that the router's certificate is still good for. Default 14; cert-manager renews at a third of its life."""


def alert_groups(pools: Iterable[ObservedPoolArgs], thresholds: AlertThresholdsArgs) -> list[dict[str, Any]]:
    """Rule groups, one for each program."""
    groups = {
        "agent-sandbox-controller": [*_controller(thresholds), *_pools(pools, thresholds)],
        "sandbox-router": list(_router(thresholds)),
    }
    return [{"name": name, "interval": "30s", "rules": rules} for name, rules in groups.items()]


def _controller(thresholds: AlertThresholdsArgs) -> Iterator[Rule]:
    yield _alert(
        "AgentSandboxControllerGone",
        "absent(agent_sandbox_build_info)",
        "5m",
        "critical",
        "No Agent Sandbox controller reports metrics: no claim is bound and no sandbox ends.",
    )
    yield _alert(
        "AgentSandboxControllerFailing",
        "sum by (controller) (rate(controller_runtime_reconcile_errors_total[10m])) > 0.1",
        "15m",
        "warning",
        "The controller {{ $labels.controller }} fails again and again; its log says at what.",
    )
    slow = thresholds.get("slow_claim_ms", 5000)
    # Not agent_sandbox_claim_startup_latency_ms: it needs an annotation that nothing of upstream's sets.
    buckets = 'rate(agent_sandbox_claim_controller_startup_latency_ms_bucket{launch_type="warm"}[10m])'
    yield _alert(
        "SandboxClaimsSlow",
        f"histogram_quantile(0.95, sum by (le, sandbox_template) ({buckets})) > {slow}",
        "10m",
        "warning",
        f"Of the claims on warm sandboxes of {{{{ $labels.sandbox_template }}}}, 5 of 100 take above {slow} ms.",
    )
    waiting = 'agent_sandboxes{owned_by="SandboxClaim",ready_condition="false",expired="false"}'
    yield _alert(
        "SandboxClaimsNotReady",
        f"sum by (exported_namespace, sandbox_template) ({waiting}) > 0",
        "15m",
        "warning",
        "Claimed sandboxes of {{ $labels.sandbox_template }} in {{ $labels.exported_namespace }} do not get ready.",
    )


def _pools(pools: Iterable[ObservedPoolArgs], thresholds: AlertThresholdsArgs) -> Iterator[Rule]:
    for pool in pools:
        labels = {
            "exported_namespace": pool["namespace"],
            "sandbox_template": pool["template"],
            "owned_by": "SandboxWarmPool",
            "ready_condition": "true",
        }
        selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
        yield _alert(
            "SandboxWarmPoolShort",
            f"(sum(agent_sandboxes{{{selector}}}) or vector(0)) < {pool['replicas']}",
            thresholds.get("pool_short_for", "10m"),
            "warning",
            f"The warm pools of {pool['namespace']}/{pool['template']} hold {{{{ $value }}}} ready sandboxes of"
            f" {pool['replicas']}: claims will start cold.",
            template=pool["template"],
        )


def _router(thresholds: AlertThresholdsArgs) -> Iterator[Rule]:
    yield _alert(
        "SandboxRouterGone",
        "absent(sandbox_router_build_info)",
        "5m",
        "critical",
        "No sandbox router reports metrics: no client reaches a sandbox through it.",
    )
    percent = thresholds.get("router_error_percent", 5)
    failed = 'sum(rate(sandbox_router_requests_total{code=~"5.."}[5m]))'
    yield _alert(
        "SandboxRouterErrors",
        f"100 * {failed} / sum(rate(sandbox_router_requests_total[5m])) > {percent:g}",
        "10m",
        "warning",
        f"The router answers above {percent:g} % of the requests with 5xx.",
    )
    denials = thresholds.get("denials_per_second", 1)
    yield _alert(
        "SandboxRouterRefusals",
        f'sum(rate(sandbox_router_authz_decisions_total{{decision="deny"}}[5m])) > {denials:g}',
        "10m",
        "warning",
        f"The router refuses above {denials:g} requests a second: a client lost its token, or somebody tries some.",
    )
    yield _alert(
        "SandboxRouterCertificateUnreadable",
        'increase(sandbox_router_cert_reloads_total{outcome="failure"}[1h]) > 0',
        "0s",
        "critical",
        "A router cannot read its new certificate, and goes on with the old one until that ends.",
    )
    days = thresholds.get("certificate_days", 14)
    yield _alert(
        "SandboxRouterCertificateEnds",
        f'certmanager_certificate_expiration_timestamp_seconds{{name="sandbox-router"}} - time() < {days} * 86400',
        "1h",
        "warning",
        f"The router's certificate ends in under {days} days and was not renewed.",
    )


def _alert(name: str, expression: str, hold: str, severity: str, summary: str, **labels: str) -> Rule:
    return {
        "alert": name,
        "expr": expression,
        "for": hold,
        "labels": {"severity": severity, **labels},
        "annotations": {"summary": summary},
    }

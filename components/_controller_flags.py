"""The controller's flags as typed arguments, and the profiles that set several of them at once.

A field of ControllerTuning is the flag of the same name with dashes; a test compares the two against
the controller's own --help.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from components._arguments import arguments
from components._checks import at_least, between, dns_name, one_of
from components._flags import written
from components._formats import duration, positive_duration

OWN_FLAGS = (
    "leader-elect",
    "extensions",
    "enable-webhook",
    "metrics-bind-address",
    "health-probe-bind-address",
    "kubeconfig",
)
"""Flags that the Deployment's probes, ports and replicas depend on."""

LOG_LEVELS = ("debug", "info", "error")
_WORKERS = "The controller would not start."


def _consistent(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "kube_api_burst" in values and "kube_api_qps" not in values:
        remedy = "Without a rate there is no throttling, and a burst has no effect. Add kube_api_qps, or remove it."
        yield "kube_api_burst", "is given without kube_api_qps", remedy


@arguments(
    together=_consistent,
    sandbox_concurrent_workers=between(1, 1000, _WORKERS),
    sandbox_claim_concurrent_workers=between(1, 1000, _WORKERS),
    sandbox_warm_pool_concurrent_workers=between(1, 1000, _WORKERS),
    sandbox_template_concurrent_workers=between(1, 1000, _WORKERS),
    sandbox_warm_pool_max_batch_size=between(1, 10_000, _WORKERS),
    sandbox_warm_pool_readiness_grace_period=positive_duration,
    sandbox_warm_pool_unschedulable_recheck_interval=positive_duration,
    sandbox_warm_pool_replenish_delay=duration,
    sandbox_warm_pool_max_refill_rate=at_least(0, "The controller would not start."),
    sandbox_write_behind_window=duration,
    kube_api_qps=at_least(0.1, "The controller could hardly write at all."),
    kube_api_burst=between(1, 100_000, _WORKERS),
    api_connections=between(1, 64, "Each is a connection that every replica holds open."),
    cluster_domain=dns_name,
    zap_log_level=one_of(LOG_LEVELS, "It says how much the controller logs."),
)
class ControllerTuning(TypedDict):
    """How the controller uses its CPU, its memory and the API server. Defaults are the profile's."""

    sandbox_concurrent_workers: NotRequired[int]
    """Sandboxes reconciled at a time. Upstream's default is 100."""
    sandbox_claim_concurrent_workers: NotRequired[int]
    """Claims reconciled at a time. Upstream's default is 50."""
    sandbox_warm_pool_concurrent_workers: NotRequired[int]
    """Warm pools reconciled at a time. Upstream's default is 1."""
    sandbox_template_concurrent_workers: NotRequired[int]
    """Templates reconciled at a time. Upstream's default is 1."""
    sandbox_warm_pool_max_batch_size: NotRequired[int]
    """Sandboxes that a warm pool creates or deletes at a time. Upstream's default is 300."""
    sandbox_warm_pool_readiness_grace_period: NotRequired[str]
    """How long a pool's sandbox may take to be ready before it is replaced, as a Go duration. Upstream's default is
    5m; images that start slowly, or nodes that are made on demand, need more."""
    sandbox_warm_pool_unschedulable_recheck_interval: NotRequired[str]
    """How often a pool whose sandboxes find no node is looked at, as a Go duration. Upstream's default is 1m."""
    sandbox_warm_pool_replenish_delay: NotRequired[str]
    """How long a pool waits before it makes up for sandboxes that were claimed, as a Go duration, so that a burst of
    claims has the API server to itself. Upstream's default is 0s."""
    sandbox_warm_pool_max_refill_rate: NotRequired[float]
    """Sandboxes a second that a pool makes at most. Upstream's default is 0: as many as it can."""
    sandbox_write_behind_window: NotRequired[str]
    """How long writes of mere metadata are gathered into one, as a Go duration. Upstream's default is 0s: not."""
    enable_warm_pool_eviction: NotRequired[bool]
    """Whether the autoscaler may evict sandboxes that wait in a pool. Upstream's default is true."""
    kube_api_qps: NotRequired[float]
    """Requests a second that the controller sends the API server at most. Upstream's default is no limit."""
    kube_api_burst: NotRequired[int]
    """Requests above that rate that it may send at once. Upstream's default is 10."""
    api_connections: NotRequired[int]
    """HTTP/2 connections to the API server for all but watches, each good for about 100 requests at a time.
    Upstream's default is 1."""
    separate_watch_connection: NotRequired[bool]
    """Whether watches have a connection of their own. Upstream's default is false."""
    cache_label_selectors: NotRequired[bool]
    """Whether only Pods and Services of sandboxes are cached: memory then grows with the sandboxes, not with the
    cluster. Volumes and Pods made in advance must then carry upstream's tracking label to be adopted. Upstream's
    default is false."""
    disable_claim_events: NotRequired[bool]
    """Whether claims get no Kubernetes Events, which spares writes. Upstream's default is false."""
    disable_claim_observability_annotations: NotRequired[bool]
    """Whether claims get no annotations about their timing, which spares a write each. Upstream's default is
    false."""
    cluster_domain: NotRequired[str]
    """The cluster's DNS domain. Upstream's default is cluster.local."""
    zap_log_level: NotRequired[str]
    """`debug`, `info` or `error`. Upstream's default is info."""


@dataclass(frozen=True)
class Profile:
    """Flags and resources that go together."""

    requests: dict[str, str]
    limits: dict[str, str]
    tuning: dict[str, Any] = field(default_factory=dict)


PROFILES = {
    # A few sandboxes on a small cluster: fewer workers and a cache that does not grow with the cluster.
    "small": Profile(
        {"cpu": "100m", "memory": "128Mi"},
        {"cpu": "1", "memory": "512Mi"},
        {
            "sandbox_concurrent_workers": 10,
            "sandbox_claim_concurrent_workers": 10,
            "sandbox_warm_pool_max_batch_size": 30,
            "cache_label_selectors": True,
        },
    ),
    # Upstream's flags as they are.
    "default": Profile({"cpu": "250m", "memory": "256Mi"}, {"cpu": "2", "memory": "1Gi"}),
    # Bursts of hundreds of claims: the connections and the writes are what such a burst waits for.
    "high-throughput": Profile(
        {"cpu": "2", "memory": "1Gi"},
        {"cpu": "4", "memory": "4Gi"},
        {
            "sandbox_claim_concurrent_workers": 100,
            "sandbox_warm_pool_concurrent_workers": 4,
            "sandbox_warm_pool_replenish_delay": "10s",
            "api_connections": 4,
            "separate_watch_connection": True,
            "cache_label_selectors": True,
            "disable_claim_events": True,
            "disable_claim_observability_annotations": True,
        },
    ),
}
"""By the name that the argument `profile` gives."""


def flag_of(name: str) -> str:
    """The controller's flag for a field of ControllerTuning."""
    return "--" + name.replace("_", "-")


def flags(profile: str, tuning: Mapping[str, Any]) -> list[str]:
    """The flags that a profile and what is set beside it come to, in the order of the fields."""
    values = {**PROFILES[profile].tuning, **tuning}
    return [f"{flag_of(name)}={written(values[name])}" for name in ControllerTuning.__annotations__ if name in values]

"""Observability: scraping of the controller and the router, alert rules, a Grafana dashboard.

Owns the objects that a collector and Grafana read. The collector is the cluster's: Google's managed
Prometheus, which a GKE cluster has, or the Prometheus operator. Grafana's sidecar finds the dashboard by
its label. Who is told of an alert is the collector's to say.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components import _router_objects, _upstream
from components._alerts import AlertThresholdsArgs, ObservedPoolArgs, alert_groups
from components._arguments import arguments, require_valid
from components._checks import dns_label, one_of
from components._dashboard import dashboard
from components._formats import positive_duration
from components._kubernetes import MANAGED_BY, NO_WAIT, SYSTEM_NAMESPACE, KubernetesObject, Manifest

COLLECTORS = ("google", "prometheus-operator")
TARGETS = {_upstream.NAME: _upstream.LABELS, _router_objects.NAME: _router_objects.SELECTOR}
"""What is scraped, and the labels of its pods."""


def _consistent(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "labels" in values and values.get("collector", "google") != "prometheus-operator":
        remedy = "Google's collector reads every object of its kinds. Remove it."
        yield "labels", "is given, though the collector is google", remedy
    if not values.get("alerts", True):
        for field in ("pools", "thresholds"):
            if field in values:
                yield field, "is given, though there are no alerts", "It would have no effect. Remove one of the two."
    if "dashboard_labels" in values and not values.get("dashboard", True):
        yield "dashboard_labels", "is given, though there is no dashboard", "Remove one of the two."


@arguments(
    together=_consistent,
    collector=one_of(COLLECTORS, "It says what reads the objects made here."),
    namespace=dns_label,
    interval=positive_duration,
)
class ObservabilityArgs(TypedDict):
    """Arguments of Observability."""

    collector: NotRequired[str]
    """What collects metrics: `google`, Google Cloud Managed Service for Prometheus, or `prometheus-operator`.
    Default google."""
    namespace: NotRequired[str]
    """Where the controller and the router run. Default agent-sandbox-system."""
    interval: NotRequired[str]
    """How often they are scraped, as a Go duration. Default 30s."""
    labels: NotRequired[dict[str, str]]
    """Labels by which the operator's Prometheus selects monitors and rules, as in release: prometheus. Default
    none."""
    alerts: NotRequired[bool]
    """Whether alert rules are made. Default true."""
    pools: NotRequired[list[ObservedPoolArgs]]
    """Warm pools to be alarmed about when they are short. Default none."""
    thresholds: NotRequired[AlertThresholdsArgs]
    """When alerts begin. Default what each field says."""
    dashboard: NotRequired[bool]
    """Whether a Grafana dashboard is made. Default true."""
    dashboard_labels: NotRequired[dict[str, str]]
    """Labels by which Grafana's sidecar finds it. Default grafana_dashboard: "1", the Grafana chart's."""


class Observability(pulumi.ComponentResource):
    """Metrics, alerts and a dashboard for the platform."""

    def __init__(self, name: str, args: ObservabilityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(ObservabilityArgs, name, args)
        super().__init__("agent-sandbox:index:Observability", name, {**args}, opts)
        for role, manifest in observability_manifests(args).items():
            KubernetesObject(f"{name}-{role}", manifest, pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


def observability_manifests(args: ObservabilityArgs) -> dict[str, Manifest]:
    """Every object that checked arguments come to, by its role."""
    google = args.get("collector", "google") == "google"
    made = _google(args) if google else _operator(args)
    if args.get("dashboard", True):
        labels = args.get("dashboard_labels", {"grafana_dashboard": "1"})
        metadata = {"name": "agent-sandbox-dashboard", "labels": labels}
        data = {"agent-sandbox.json": dashboard()}
        made["dashboard"] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    return {role: _placed(manifest, args) for role, manifest in made.items()}


def _placed(manifest: Manifest, args: ObservabilityArgs) -> Manifest:
    metadata = dict(manifest["metadata"])
    metadata["labels"] = {**MANAGED_BY, **metadata.get("labels", {})}
    if manifest["kind"] != "ClusterRules":
        metadata["namespace"] = args.get("namespace", SYSTEM_NAMESPACE)
    return {**manifest, "metadata": metadata}


def _groups(args: ObservabilityArgs) -> dict[str, Any]:
    return {"groups": alert_groups(args.get("pools", []), args.get("thresholds", {}))}


def _google(args: ObservabilityArgs) -> dict[str, Manifest]:
    api = "monitoring.googleapis.com/v1"
    endpoint = {"port": "metrics", "path": "/metrics", "interval": args.get("interval", "30s")}
    made: dict[str, Manifest] = {
        f"scrape-{target}": {
            "apiVersion": api,
            "kind": "PodMonitoring",
            "metadata": {"name": target},
            "spec": {"selector": {"matchLabels": labels}, "endpoints": [endpoint]},
        }
        for target, labels in TARGETS.items()
    }
    if args.get("alerts", True):
        # Rules of a namespace see that namespace's series alone, and cert-manager's are in another.
        metadata = {"name": "agent-sandbox"}
        made["alerts"] = {"apiVersion": api, "kind": "ClusterRules", "metadata": metadata, "spec": _groups(args)}
    return made


def _operator(args: ObservabilityArgs) -> dict[str, Manifest]:
    api, labels = "monitoring.coreos.com/v1", args.get("labels", {})
    endpoint = {"port": "metrics", "path": "/metrics", "interval": args.get("interval", "30s")}
    # The controller's release has a Service for its metrics; the router's Service is for its clients alone.
    metrics = {"role": "metrics", **_router_objects.SELECTOR}
    made: dict[str, Manifest] = {"router-metrics": _router_metrics(metrics)}
    for target, selected in {_upstream.NAME: _upstream.LABELS, _router_objects.NAME: metrics}.items():
        spec = {"selector": {"matchLabels": selected}, "endpoints": [endpoint]}
        metadata = {"name": target, "labels": labels}
        made[f"scrape-{target}"] = {"apiVersion": api, "kind": "ServiceMonitor", "metadata": metadata, "spec": spec}
    if args.get("alerts", True):
        metadata = {"name": "agent-sandbox", "labels": labels}
        made["alerts"] = {"apiVersion": api, "kind": "PrometheusRule", "metadata": metadata, "spec": _groups(args)}
    return made


def _router_metrics(labels: dict[str, str]) -> Manifest:
    ports = [{"name": "metrics", "port": 9090, "targetPort": "metrics"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{_router_objects.NAME}-metrics", "labels": labels, "annotations": NO_WAIT},
        "spec": {"clusterIP": "None", "selector": _router_objects.SELECTOR, "ports": ports},
    }

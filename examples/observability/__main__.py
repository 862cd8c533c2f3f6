"""Metrics, alerts and a Grafana dashboard for a platform whose warm pool of 20 must never be short for long."""

import pulumi
import pulumi_kubernetes as kubernetes

import components

namespace = kubernetes.core.v1.Namespace("watched", metadata={"name": "sandbox-watched"})

components.Observability(
    "observability",
    {
        "namespace": "sandbox-watched",  # where the controller and the router run; default agent-sandbox-system
        "collector": "google",  # or prometheus-operator, with "labels": {"release": "prometheus"}
        "pools": [{"namespace": "agents", "template": "python", "replicas": 20}],
        "thresholds": {"pool_short_for": "5m", "slow_claim_ms": 2000},
    },
    pulumi.ResourceOptions(depends_on=namespace),
)

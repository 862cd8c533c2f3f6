"""The Grafana dashboard: what a pool holds, how long claims take, what the router does."""

import json
from typing import Any

WIDTH, HEIGHT = 8, 8
"""A panel's size on Grafana's grid, which is 24 wide."""


def _quantiles(metric: str, by: str) -> list[tuple[str, str]]:
    rates = f"sum by (le, {by}) (rate({metric}_bucket[$__rate_interval]))"
    return [(f"histogram_quantile({q}, {rates})", f"p{int(q * 100)} {{{{{by}}}}}") for q in (0.5, 0.95)]


def _rate(metric: str, by: str, selector: str = "") -> list[tuple[str, str]]:
    return [(f"sum by ({by}) (rate({metric}{selector}[$__rate_interval]))", f"{{{{{by}}}}}")]


PANELS: list[tuple[str, str, list[tuple[str, str]]]] = [
    (
        "Sandboxes",
        "short",
        [
            (
                "sum by (owned_by, ready_condition) (agent_sandboxes)",
                "{{owned_by}} ready={{ready_condition}}",
            )
        ],
    ),
    (
        "Ready in warm pools",
        "short",
        [
            (
                'sum by (exported_namespace, sandbox_template) (agent_sandboxes{owned_by="SandboxWarmPool",'
                'ready_condition="true"})',
                "{{exported_namespace}}/{{sandbox_template}}",
            )
        ],
    ),
    ("Claims a second", "ops", _rate("agent_sandbox_claim_creation_total", "launch_type")),
    ("Claim to ready", "ms", _quantiles("agent_sandbox_claim_controller_startup_latency_ms", "launch_type")),
    ("Sandbox to ready", "ms", _quantiles("agent_sandbox_creation_latency_ms", "launch_type")),
    ("Reconcile errors a second", "ops", _rate("controller_runtime_reconcile_errors_total", "controller")),
    ("Work waiting", "short", [("sum by (name) (workqueue_depth)", "{{name}}")]),
    ("Requests to the API server", "ops", _rate("rest_client_requests_total", "code")),
    ("Router: requests a second", "ops", _rate("sandbox_router_requests_total", "code")),
    ("Router: duration", "s", _quantiles("sandbox_router_request_duration_seconds", "sandbox_namespace")),
    ("Router: in flight", "short", [("sum(sandbox_router_inflight_requests)", "requests")]),
    ("Router: sandboxes not reached", "ops", _rate("sandbox_router_upstream_errors_total", "reason")),
    ("Router: authorization", "ops", _rate("sandbox_router_authz_decisions_total", "decision")),
    ("Router: retries a second", "ops", _rate("sandbox_router_upstream_retries_total", "sandbox_namespace")),
]
"""Each panel's title, unit, and expressions with their legends."""


def dashboard() -> str:
    """The dashboard as Grafana imports it."""
    source = {"type": "prometheus", "uid": "${datasource}"}
    variable = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    content = {
        "uid": "agent-sandbox",
        "title": "Agent Sandbox",
        "tags": ["agent-sandbox"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": [_panel(index, *panel, source=source) for index, panel in enumerate(PANELS)],
    }
    return json.dumps(content, indent=1)


def _panel(index: int, title: str, unit: str, targets: list[tuple[str, str]], source: dict[str, str]) -> dict[str, Any]:
    row, column = divmod(index, 24 // WIDTH)
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": source, "expr": expression, "legendFormat": legend}
            for number, (expression, legend) in enumerate(targets)
        ],
    }

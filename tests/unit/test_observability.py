"""Observability: what is scraped, and what an alert or a panel says."""

import json
import re
from typing import Any

import pytest

from components import Observability
from components._alerts import alert_groups
from components._dashboard import dashboard

POOL: Any = {"namespace": "agents", "template": "python", "replicas": 5}


def test_googles_collector_scrapes_the_pods_and_the_operators_the_services(build: Any) -> None:
    google = build(lambda: Observability("o", {}))
    assert google["o-scrape-sandbox-router"]["kind"] == "PodMonitoring"
    assert "namespace" not in google["o-alerts"]["metadata"], "cluster-wide, to see cert-manager's series too"
    operator = build(lambda: Observability("o", {"collector": "prometheus-operator", "labels": {"release": "p"}}))
    monitor = operator["o-scrape-sandbox-router"]
    assert monitor["metadata"]["labels"]["release"] == "p"
    assert (
        operator["o-router-metrics"]["metadata"]["labels"].items() >= monitor["spec"]["selector"]["matchLabels"].items()
    )


def test_a_pool_is_missed_when_it_is_short(build: Any) -> None:
    made = build(lambda: Observability("o", {"pools": [POOL], "thresholds": {"pool_short_for": "3m"}}))
    rules = [rule for group in made["o-alerts"]["spec"]["groups"] for rule in group["rules"]]
    (short,) = [rule for rule in rules if rule["alert"] == "SandboxWarmPoolShort"]
    assert short["for"] == "3m"
    assert 'exported_namespace="agents"' in short["expr"]
    assert short["expr"].endswith("< 5")


def test_alerts_and_dashboard_can_be_left_out(build: Any) -> None:
    made = build(lambda: Observability("o", {"alerts": False, "dashboard": False}))
    assert set(made) == {"o", "o-scrape-agent-sandbox-controller", "o-scrape-sandbox-router"}


@pytest.mark.parametrize("rule", [rule for group in alert_groups([POOL], {}) for rule in group["rules"]], ids=str)
def test_an_alert_says_what_follows_and_fills_in_what_it_knows(rule: Any) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"].endswith(".")
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = {label for group in re.findall(r"by \(([^)]*)\)", rule["expr"]) for label in group.split(", ")}
    assert named <= kept, "a label that the expression sums away is empty in the text"


def test_the_dashboards_panels_have_a_place_each_and_a_source() -> None:
    board = json.loads(dashboard())
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert all(
        target["datasource"]["uid"] == "${datasource}" for panel in board["panels"] for target in panel["targets"]
    )

"""The router: it asks for a token by default, and may read no more than it has to."""

from typing import Any

import pytest

from components import ArgumentError, SandboxRouter, SandboxRouterArgs

IMAGE = "registry.example/router:v1"


def flags(made: dict[str, Any]) -> list[str]:
    found: list[str] = made["r-deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


def test_it_requires_a_token_by_default_and_may_review_it(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE}))
    assert "--authz-mode=tokenreview" in flags(made)
    assert "--authz-tokenreview-require-token=true" in flags(made)
    assert made["r-token-review"]["roleRef"]["name"] == "system:auth-delegator"


def test_letting_everybody_in_takes_a_word_that_says_so_and_gives_no_right_to_review(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE, "authorizer": "unsafe-allow-all"}))
    assert "--authz-mode=allow-all" in flags(made)
    assert "r-token-review" not in made


def test_it_reads_pods_everywhere_or_in_the_one_namespace_that_it_serves(build: Any) -> None:
    everywhere = build(lambda: SandboxRouter("r", {"image": IMAGE}))
    assert everywhere["r-role"]["kind"] == "ClusterRole"
    assert "namespace" not in everywhere["r-role"]["metadata"]
    one = build(lambda: SandboxRouter("r", {"image": IMAGE, "sandbox_namespace": "agents"}))
    assert one["r-role"]["kind"] == "Role"
    assert one["r-role"]["metadata"]["namespace"] == one["r-role-binding"]["metadata"]["namespace"] == "agents"
    assert "--cache-namespace=agents" in flags(one)
    for made in (everywhere, one):
        assert made["r-role"]["rules"] == [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
        ]


def test_a_long_command_is_cut_off_by_neither_timeout(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE, "proxy_timeout": "10m"}))
    assert {"--proxy-timeout=10m", "--response-header-timeout=10m"} <= set(flags(made))


def test_the_service_has_the_name_and_port_that_clients_know(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE}))
    assert made["r-service"]["metadata"]["name"] == "sandbox-router-svc"
    assert made["r-service"]["metadata"]["namespace"] == "agent-sandbox-system"
    assert made["r-service"]["spec"]["ports"][0]["port"] == 8080


def test_upstreams_default_network_policy_lets_its_pods_through(build: Any) -> None:
    """That policy admits pods labelled app=sandbox-router in agent-sandbox-system, and upstream's own lack it."""
    made = build(lambda: SandboxRouter("r", {"image": IMAGE}))
    assert made["r-deployment"]["spec"]["template"]["metadata"]["labels"]["app"] == "sandbox-router"
    assert made["r-deployment"]["metadata"]["namespace"] == "agent-sandbox-system"


def test_it_runs_restricted_spread_and_behind_a_budget(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE}))
    pod = made["r-deployment"]["spec"]["template"]["spec"]
    assert made["r-deployment"]["spec"]["replicas"] == 2
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert {each["topologyKey"] for each in pod["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    assert made["r-budget"]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"replicas": 1}, "One router is an outage"),
        ({"image": "router"}, "has neither a tag nor a digest"),
        ({"authorizer": "none"}, "It decides who may use a sandbox"),
        ({"proxy_timeout": "forever"}, "is not a duration"),
        ({"timeout": "1s"}, "is not a key that is known here"),
    ],
)
def test_wrong_arguments_are_refused(build: Any, wrong: dict[str, Any], expected: str) -> None:
    args: SandboxRouterArgs = {"image": IMAGE, **wrong}  # type: ignore[typeddict-item]
    with pytest.raises(ArgumentError, match=expected):
        build(lambda: SandboxRouter("r", args))

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


def pod(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["r-deployment"]["spec"]["template"]["spec"]
    return found


def test_tls_closes_plain_http_and_reads_its_files_from_the_secrets(build: Any) -> None:
    tls: Any = {"secret": "cert", "mtls_mode": "required", "client_ca_secret": "ca"}
    made = build(lambda: SandboxRouter("r", {"image": IMAGE, "tls": tls}))
    assert {"--http-bind-address=", "--https-bind-address=:8443", "--mtls-mode=required"} <= set(flags(made))
    mounted = {each["name"]: each["mountPath"] for each in pod(made)["containers"][0]["volumeMounts"]}
    secrets = {each["name"]: each["secret"]["secretName"] for each in pod(made)["volumes"]}
    assert secrets == {"tls": "cert", "client-ca": "ca"}
    assert f"--tls-key-file={mounted['tls']}/tls.key" in flags(made)
    assert f"--tls-client-ca-file={mounted['client-ca']}/ca.crt" in flags(made)
    assert [port["port"] for port in made["r-service"]["spec"]["ports"]] == [8443]
    (entrance, *_) = made["r-network-policy"]["spec"]["ingress"]
    assert entrance["ports"] == [{"port": "proxy-tls"}]


def test_plain_http_beside_tls_takes_a_word_that_says_so(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE, "tls": {"secret": "c", "unsafe_plain_http": True}}))
    assert [port["port"] for port in made["r-service"]["spec"]["ports"]] == [8080, 8443]


def test_a_certificate_is_asked_of_cert_manager_for_the_services_names(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE, "tls": {"issuer": {"name": "ca"}}}))
    spec = made["r-certificate"]["spec"]
    assert "sandbox-router-svc.agent-sandbox-system.svc" in spec["dnsNames"]
    assert spec["secretName"] == pod(made)["volumes"][0]["secret"]["secretName"]


def test_scoped_tokens_need_no_right_at_all(build: Any) -> None:
    made = build(
        lambda: SandboxRouter("r", {"image": IMAGE, "authorizer": "scoped-token", "scoped_token": {"secret": "k"}})
    )
    assert {"--authz-mode=scoped-token", "--cache-enabled=false"} <= set(flags(made))
    assert not {"r-role", "r-role-binding", "r-token-review", "r-scoped-token"} & set(made)
    assert len(made["r-network-policy"]["spec"]["egress"]) == 2, "DNS and sandboxes, and not the API server"


def test_an_autoscaler_is_the_only_one_to_say_how_many(build: Any) -> None:
    scaling: Any = {"min_replicas": 3, "max_replicas": 9}
    made = build(lambda: SandboxRouter("r", {"image": IMAGE, "autoscaler": scaling}))
    assert "replicas" not in made["r-deployment"]["spec"]
    assert made["r-autoscaler"]["spec"]["minReplicas"] == 3


def test_sandboxes_are_nobodys_clients_and_clients_can_be_named(build: Any) -> None:
    (entrance, *_) = build(lambda: SandboxRouter("r", {"image": IMAGE}))["r-network-policy"]["spec"]["ingress"]
    (anybody,) = entrance["from"]
    assert anybody["podSelector"]["matchExpressions"][0]["operator"] == "DoesNotExist"
    args: SandboxRouterArgs = {"image": IMAGE, "clients": [{"namespace": "apps"}], "load_balancers": ["35.191.0.0/16"]}
    (entrance, *_) = build(lambda: SandboxRouter("r", args))["r-network-policy"]["spec"]["ingress"]
    named, balancer = entrance["from"]
    assert named["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "apps"}
    assert balancer == {"ipBlock": {"cidr": "35.191.0.0/16"}}
    args["clients"], args["load_balancers"] = [], []
    rules = build(lambda: SandboxRouter("r", args))["r-network-policy"]["spec"]["ingress"]
    assert [rule["ports"] for rule in rules] == [[{"port": "metrics"}], [{"port": "healthz"}]], "nobody comes in"


def test_a_pod_has_as_long_to_end_as_its_requests_and_a_little_more(build: Any) -> None:
    made = build(lambda: SandboxRouter("r", {"image": IMAGE, "shutdown_timeout": "2m"}))
    assert pod(made)["terminationGracePeriodSeconds"] == 135


def test_every_argument_that_is_a_flag_becomes_one(build: Any) -> None:
    args: SandboxRouterArgs = {
        "image": IMAGE,
        "token_audiences": ["sandboxes", "agents"],
        "token_review_ttl": "10s",
        "max_retries": 0,
        "access_log": False,
        "otlp_endpoint": "http://collector:4317",
        "extra_args": ["--zap-encoder=json"],
    }
    assert {
        "--authz-tokenreview-audiences=sandboxes,agents",
        "--authz-tokenreview-ttl=10s",
        "--upstream-max-retries=0",
        "--access-log=false",
        "--enable-tracing=true",
        "--enable-otel-metrics=false",
        "--zap-encoder=json",
    } <= set(flags(build(lambda: SandboxRouter("r", args))))


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

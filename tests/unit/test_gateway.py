"""The gateway: closed and encrypted by default, with what GKE's load balancer needs, and nothing of it elsewhere."""

from typing import Any

from components import SandboxGateway


def test_it_is_internal_by_default_and_waits_for_its_address(build: Any) -> None:
    made = build(lambda: SandboxGateway("g", {}))
    gateway = made["g-gateway"]
    assert gateway["spec"]["gatewayClassName"] == "gke-l7-rilb"
    assert gateway["metadata"]["namespace"] == "agent-sandbox-system"
    assert gateway["metadata"]["annotations"]["pulumi.com/timeoutSeconds"] == "900"
    assert "condition=Programmed" in gateway["metadata"]["annotations"]["pulumi.com/waitFor"]


def test_another_classes_controller_may_not_be_there_so_nothing_hangs(build: Any) -> None:
    made = build(lambda: SandboxGateway("g", {"gateway_class": "envoy"}))
    assert "pulumi.com/waitFor" not in made["g-gateway"]["metadata"]["annotations"]
    assert set(made) == {"g", "g-gateway", "g-route"}, "and GKE's policies are for GKE's classes"


def test_the_load_balancer_outlasts_the_router_and_asks_the_right_path(build: Any) -> None:
    made = build(lambda: SandboxGateway("g", {"router_timeout": "1500ms", "router_tls": True}))
    assert made["g-backend-policy"]["spec"]["default"]["timeoutSec"] == 2
    config = made["g-health-check"]["spec"]["default"]["config"]
    assert config["type"] == "HTTPS"
    assert config["httpsHealthCheck"]["requestPath"] == "/healthz"
    (backend,) = made["g-route"]["spec"]["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == ("sandbox-router-svc", 8443)


def test_a_certificate_map_is_an_annotation_and_certificates_are_an_option(build: Any) -> None:
    made = build(lambda: SandboxGateway("g", {"exposure": "external", "tls": {"certificate_map": "m"}}))
    assert made["g-gateway"]["metadata"]["annotations"]["networking.gke.io/certmap"] == "m"
    assert "tls" not in made["g-gateway"]["spec"]["listeners"][0]
    made = build(lambda: SandboxGateway("g", {"tls": {"certificates": ["a", "b"]}}))
    (listener,) = made["g-gateway"]["spec"]["listeners"]
    assert listener["tls"] == {"mode": "Terminate", "options": {"networking.gke.io/cert-manager-certs": "a,b"}}


def test_external_and_unencrypted_takes_a_word_that_says_so(build: Any) -> None:
    made = build(lambda: SandboxGateway("g", {"exposure": "external", "unsafe_plain_http": True}))
    assert [each["protocol"] for each in made["g-gateway"]["spec"]["listeners"]] == ["HTTP"]


def test_plain_http_redirects_and_leads_nowhere_else(build: Any) -> None:
    made = build(lambda: SandboxGateway("g", {"tls": {"secrets": ["s"]}, "redirect_http": True}))
    assert made["g-route"]["spec"]["parentRefs"][0]["sectionName"] == "https"
    assert made["g-redirect"]["spec"]["parentRefs"][0]["sectionName"] == "http"
    (rule,) = made["g-redirect"]["spec"]["rules"]
    assert "backendRefs" not in rule


def test_what_is_not_asked_for_is_not_declared(build: Any) -> None:
    made = build(lambda: SandboxGateway("g", {"backend": {"log_percent": 0}}))
    assert "g-gateway-policy" not in made
    default = made["g-backend-policy"]["spec"]["default"]
    assert default["logging"] == {"enabled": False}
    assert {"iap", "securityPolicy"}.isdisjoint(default)

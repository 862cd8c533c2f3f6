"""Controller, router, gateway and observability as a library: deployed alone and together, by real programs."""

import base64
import http.server
import json
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

import components
import releases
from components import _alerts, _controller_flags, _dashboard, _router_flags
from components._kubernetes import KubernetesObject
from local import building, toolchain
from local.api import EXTENSIONS, Api, ApiError
from local.cluster import bring_up_cluster
from local.supervisor import free_port
from local.tools import SOURCES
from tests.engine.asking import (
    SYSTEM,
    Router,
    allowed,
    answers,
    crds,
    flags_of,
    is_ready,
    kubectl,
    metrics_of,
    namespace,
    scraped,
    token_for,
)
from tests.engine.conftest import Deployment, eventually
from tests.engine.inline import Inline
from tests.layouts import without_webhook

pytestmark = pytest.mark.engine

POLICIES = f"/apis/networking.gke.io/v1/namespaces/{SYSTEM}"
GATEWAYS = f"/apis/gateway.networking.k8s.io/v1/namespaces/{SYSTEM}"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A control plane with nothing on it yet but the kinds of others: the operator's, cert-manager's."""
    made = Deployment(tmp_path_factory.mktemp("components"))
    tools = toolchain.ensure()
    control_plane = bring_up_cluster(made.state, tools)
    for module, files in FOREIGN_KINDS.items():
        folder = building.module_folder(SOURCES / "foreign-kinds", module)
        for file in files:
            control_plane.kubectl("apply", "--server-side", f"--filename={folder / file}")
    yield made
    made.run("down", expect=None)


FOREIGN_KINDS = {
    "github.com/prometheus-operator/prometheus-operator": [
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ],
    "github.com/cert-manager/cert-manager": ["deploy/crds/cert-manager.io_certificates.yaml"],
}


@pytest.fixture(scope="module")
def inline(cluster: Deployment) -> Inline:
    return Inline(cluster, toolchain.ensure())


# Alone


def test_a_gateway_alone_comes_changes_and_goes(cluster: Deployment, inline: Inline) -> None:
    namespace(cluster.api, "alone")
    base = f"{GATEWAYS.replace(SYSTEM, 'alone')}"

    def program(**more: Any) -> Any:
        args = {"namespace": "alone", "await_address": False, **more}
        return lambda: pulumi.export("address", components.SandboxGateway("edge", args).address)  # type: ignore[arg-type]

    external = program(
        exposure="external",
        tls={"secrets": ["edge-tls"]},
        redirect_http=True,
        hostnames=["sandboxes.example.com"],
        static_address="edge",
        ssl_policy="modern",
        backend={"security_policy": "armor", "iap": {}, "log_percent": 10},
        router_timeout="10m",
    )
    assert inline.up("gateway", external) == {"address": ""}
    spec = cluster.api.get(f"{base}/gateways/edge")["spec"]
    assert spec["gatewayClassName"] == "gke-l7-global-external-managed"
    assert [listener["port"] for listener in spec["listeners"]] == [443, 80]
    assert spec["addresses"] == [{"type": "NamedAddress", "value": "edge"}]
    policy = cluster.api.get(f"{POLICIES.replace(SYSTEM, 'alone')}/gcpbackendpolicies/edge")["spec"]
    assert policy["default"] == {
        "timeoutSec": 600,
        "connectionDraining": {"drainingTimeoutSec": 30},
        "logging": {"enabled": True, "sampleRate": 100_000},
        "securityPolicy": "armor",
        "iap": {"enabled": True},
    }
    assert inline.changes("gateway", external) == {}

    internal = program(exposure="internal", global_access=True, tls={"certificates": ["edge"]})
    inline.up("gateway", internal)
    spec = cluster.api.get(f"{base}/gateways/edge")["spec"]
    assert spec["gatewayClassName"] == "gke-l7-rilb"
    assert "addresses" not in spec
    assert [route["metadata"]["name"] for route in cluster.api.items(f"{base}/httproutes")] == ["edge"]
    inline.destroy("gateway")
    assert cluster.api.items(f"{base}/gateways") == cluster.api.items(f"{base}/httproutes") == []


def test_a_gateway_that_is_waited_for_tells_its_address(cluster: Deployment, inline: Inline) -> None:
    """No gateway controller runs here: the test gives the address, as one would."""
    namespace(cluster.api, "alone")
    path = f"{GATEWAYS.replace(SYSTEM, 'alone')}/gateways/waiting"
    args: components.SandboxGatewayArgs = {"namespace": "alone", "await_seconds": 120}

    def program() -> None:
        pulumi.export("address", components.SandboxGateway("waiting", args).address)

    outputs: dict[str, Any] = {}
    update = threading.Thread(target=lambda: outputs.update(inline.up("waiting", program)))
    update.start()
    eventually(lambda: cluster.api.find(path) is not None, 90, "the Gateway is declared")
    assert not outputs
    now = "2030-01-01T00:00:00Z"
    condition = {
        "type": "Programmed",
        "status": "True",
        "reason": "Programmed",
        "message": "",
        "lastTransitionTime": now,
    }
    status = {"addresses": [{"type": "IPAddress", "value": "10.1.2.3"}], "conditions": [condition]}
    patch = ["--subresource=status", "--type=merge", f"--patch={json.dumps({'status': status})}"]
    kubectl(cluster, "patch", "gateway", "waiting", "--namespace=alone", *patch)
    update.join(90)
    assert outputs == {"address": "10.1.2.3"}
    inline.destroy("waiting")


@pytest.mark.parametrize("collector", ["google", "prometheus-operator"])
def test_observability_alone_comes_changes_and_goes(cluster: Deployment, inline: Inline, collector: str) -> None:
    namespace(cluster.api, "alone")
    kinds = {
        "google": ("monitoring.googleapis.com/v1", "podmonitorings", "clusterrules"),
        "prometheus-operator": ("monitoring.coreos.com/v1", "servicemonitors", "prometheusrules"),
    }
    group, scraped, rules = kinds[collector]

    def program(**more: Any) -> Any:
        args = {"namespace": "alone", "collector": collector, **more}
        return lambda: components.Observability("watch", args)  # type: ignore[arg-type]

    pool = {"namespace": "sandboxes", "template": "python", "replicas": 3}
    first = program(pools=[pool])
    inline.up(collector, first)
    assert len(cluster.api.items(f"/apis/{group}/namespaces/alone/{scraped}")) == 2
    (rule,) = cluster.api.items(f"/apis/{group}/{rules}")
    alerts = {each["alert"]: each for group in rule["spec"]["groups"] for each in group["rules"]}
    assert alerts["SandboxWarmPoolShort"]["expr"].endswith("< 3")
    board = cluster.api.get("/api/v1/namespaces/alone/configmaps/agent-sandbox-dashboard")
    assert json.loads(board["data"]["agent-sandbox.json"])["title"] == "Agent Sandbox"
    assert inline.changes(collector, first) == {}
    inline.up(collector, program(dashboard=False, interval="10s"))
    assert cluster.api.find("/api/v1/namespaces/alone/configmaps/agent-sandbox-dashboard") is None
    inline.destroy(collector)
    assert cluster.api.items(f"/apis/{group}/{scraped}") == cluster.api.items(f"/apis/{group}/{rules}") == []


def test_a_router_alone_serves_one_namespace_and_goes(cluster: Deployment, inline: Inline) -> None:
    namespace(cluster.api, "alone")
    base: components.SandboxRouterArgs = {
        "image": "registry.example/router:v1",  # no image of the toolchain's: nothing runs on the host for it
        "namespace": "alone",
        "tls": {"issuer": {"name": "cluster-ca"}, "dns_names": ["router.example.com"]},
        "sandbox_namespace": "alone",
    }
    inline.up("router", lambda: (components.SandboxRouter("router", base), None)[1])
    certificate = cluster.api.get("/apis/cert-manager.io/v1/namespaces/alone/certificates/sandbox-router")
    assert certificate["spec"]["issuerRef"]["kind"] == "ClusterIssuer"
    account = "system:serviceaccount:alone:sandbox-router"
    assert allowed(cluster.api, account, "list", "", "pods", "alone")
    assert not allowed(cluster.api, account, "list", "", "pods", "default")
    secret = "0123456789" * 4

    def scoped() -> None:
        token: Any = {"value": pulumi.Output.secret(secret)}
        args: components.SandboxRouterArgs = {"image": base["image"], "namespace": "alone", "scoped_token": token}
        components.SandboxRouter("router", {**args, "authorizer": "scoped-token"})

    inline.up("router", scoped)
    stored = cluster.api.get("/api/v1/namespaces/alone/secrets/sandbox-router-scoped-token")
    assert base64.b64decode(stored["data"]["secret"]).decode() == secret
    assert secret not in (cluster.state.backend / ".pulumi" / "stacks" / "inline" / "router.json").read_text()
    assert not allowed(cluster.api, account, "list", "", "pods", "alone")
    assert not allowed(cluster.api, account, "create", "authentication.k8s.io", "tokenreviews", "")
    inline.destroy("router")
    assert cluster.api.items("/apis/apps/v1/namespaces/alone/deployments") == []


def test_a_release_without_v1alpha1_and_webhook_installs_by_its_checksum_and_goes(
    cluster: Deployment, inline: Inline, release: components.AgentSandboxControllerArgs
) -> None:
    """Upstream's layout since v1.0.0."""
    newer = cluster.folder / "sandbox-with-extensions.yaml"
    newer.write_text(without_webhook(Path(release["manifest"]).read_text()))
    args: components.AgentSandboxControllerArgs = {
        "manifest": str(newer),
        "sha256": releases.checksum(newer.read_bytes()),
        "image": "registry.k8s.io/agent-sandbox/agent-sandbox-controller:v1.0.2",
        "image_registry": "mirror.example/agents",
        "image_digest": f"sha256:{'a' * 64}",
        "profile": "small",
    }
    # Another name than the toolchain's: its controller, which is older, must not be started with this layout.
    args["image"] = "registry.k8s.io/agent-sandbox/newer-controller:v1.0.2"
    inline.up("controller", lambda: (components.AgentSandboxController("controller", args), None)[1])
    (deployment,) = cluster.api.items(DEPLOYMENTS)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"mirror.example/agents/newer-controller:v1.0.2@sha256:{'a' * 64}"
    assert not [flag for flag in container["args"] if "webhook" in flag]
    assert "--sandbox-concurrent-workers=10" in container["args"]
    inline.destroy("controller")
    assert cluster.api.find(f"/api/v1/namespaces/{SYSTEM}") is None
    assert [each for each in crds(cluster.api) if each.endswith("agents.x-k8s.io")] == []


# Together


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    """Stands for the server in a sandbox; returns its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from the sandbox")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.fixture(scope="module")
def together(cluster: Deployment, inline: Inline, release: components.AgentSandboxControllerArgs) -> Iterator[Inline]:
    """All four on one cluster, the router with TLS and client certificates."""
    outputs = inline.up("together", lambda: everything(cluster, release))
    assert outputs == {"url": f"https://sandbox-router-svc.{SYSTEM}.svc:8443"}
    yield inline
    inline.destroy("together")
    assert cluster.api.find(f"/api/v1/namespaces/{SYSTEM}") is None
    assert cluster.api.items(f"{GATEWAYS}/gateways") == []
    assert cluster.api.items("/apis/monitoring.googleapis.com/v1/clusterrules") == []
    ours = [each for each in everywhere(cluster.api) if "agent-sandbox" in each or "sandbox-router" in each]
    assert ours == []


def everything(cluster: Deployment, release: components.AgentSandboxControllerArgs, **router: Any) -> None:
    """The program: production's shape, and the one thing that a test needs, a sandbox on loopback."""
    keys = cluster.state.kwok / "clusters" / "agent-sandbox" / "pki"  # the control plane's own: good for 127.0.0.1
    controller = components.AgentSandboxController(
        "controller", {**release, "profile": "high-throughput", "api_fairness": {}}
    )
    after = pulumi.ResourceOptions(depends_on=controller)

    def secret(name: str, **files: str) -> pulumi.Resource:
        data = {key: base64.b64encode((keys / file).read_bytes()).decode() for key, file in files.items()}
        metadata = {"name": name, "namespace": SYSTEM}
        return KubernetesObject(name, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, after)

    certificate = secret("router-certificate", **{"tls.crt": "admin.crt", "tls.key": "admin.key"})
    authority = secret("clients-ca", **{"ca.crt": "ca.crt"})
    args: Any = {
        "image": releases.default().router_image,
        "autoscaler": {"min_replicas": 2, "max_replicas": 5},
        "priority_class": "agent-sandbox-system",
        "unsafe_loopback_targets": True,
        "tls": {"secret": "router-certificate", "mtls_mode": "required", "client_ca_secret": "clients-ca"},
        **router,
    }
    routing = components.SandboxRouter("router", args, pulumi.ResourceOptions(depends_on=[certificate, authority]))
    components.Observability("observability", {}, after)
    gateway: components.SandboxGatewayArgs = {
        "await_address": False,
        "router_tls": True,
        "tls": {"certificates": ["gateway"]},
    }
    components.SandboxGateway("gateway", gateway, pulumi.ResourceOptions(depends_on=routing))
    pulumi.export("url", routing.url)


def everywhere(api: Api) -> list[str]:
    """The names of cluster-wide objects that the components make."""
    paths = (
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
        "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
        "/apis/scheduling.k8s.io/v1/priorityclasses",
    )
    return [each["metadata"]["name"] for path in paths for each in api.items(path)]


def test_pods_are_admitted_where_restricted_pod_security_is_enforced(cluster: Deployment, together: Inline) -> None:
    del together
    labels = cluster.api.get(f"/api/v1/namespaces/{SYSTEM}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = cluster.api.items(f"/api/v1/namespaces/{SYSTEM}/pods")
    running = {pod["metadata"]["labels"]["app"] for pod in pods if pod["status"]["phase"] == "Running"}
    assert running == {"agent-sandbox-controller", "sandbox-router"}
    assert {pod["spec"]["priorityClassName"] for pod in pods} == {"agent-sandbox-system"}
    privileged = {"name": "x", "image": "registry.example/x:v1", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [privileged]}}
    with pytest.raises(ApiError, match="violates PodSecurity"):
        cluster.api.create(f"/api/v1/namespaces/{SYSTEM}/pods", pod)


def test_the_autoscaler_owns_the_routers_replicas(cluster: Deployment, together: Inline, release: Any) -> None:
    def replicas() -> int:
        found: int = cluster.api.get(f"{DEPLOYMENTS}/sandbox-router")["spec"]["replicas"]
        return found

    eventually(lambda: replicas() == 2, 60, "the autoscaler has raised the replicas to its least")
    kubectl(cluster, "scale", "deployment/sandbox-router", f"--namespace={SYSTEM}", "--replicas=4")
    assert together.changes("together", lambda: everything(cluster, release)) == {}
    assert replicas() == 4


def test_a_second_update_changes_nothing(cluster: Deployment, together: Inline, release: Any) -> None:
    assert together.changes("together", lambda: everything(cluster, release)) == {}


CONTROLLER = f"system:serviceaccount:{SYSTEM}:agent-sandbox-controller"
ROUTER = f"system:serviceaccount:{SYSTEM}:sandbox-router"
EXTENSION = "extensions.agents.x-k8s.io"
RIGHTS = [
    # who, verb, group, resource, namespace, name, whether
    (CONTROLLER, "create", "", "pods", "sandboxes", "", True),
    (CONTROLLER, "delete", "", "persistentvolumeclaims", "sandboxes", "", True),
    (CONTROLLER, "create", "agents.x-k8s.io", "sandboxes", "sandboxes", "", True),
    (CONTROLLER, "update", EXTENSION, "sandboxclaims/status", "sandboxes", "", True),
    (CONTROLLER, "watch", EXTENSION, "sandboxtemplates", "", "", True),
    (CONTROLLER, "create", "networking.k8s.io", "networkpolicies", "sandboxes", "", True),
    (CONTROLLER, "update", "coordination.k8s.io", "leases", SYSTEM, "", True),
    (CONTROLLER, "update", "coordination.k8s.io", "leases", "kube-system", "", False),
    (CONTROLLER, "get", "", "secrets", SYSTEM, "", False),
    (CONTROLLER, "get", "", "secrets", "sandboxes", "", False),
    (CONTROLLER, "patch", "apiextensions.k8s.io", "customresourcedefinitions", "", "sandboxes.agents.x-k8s.io", False),
    (CONTROLLER, "create", "rbac.authorization.k8s.io", "rolebindings", "sandboxes", "", False),
    (CONTROLLER, "create", "", "pods/exec", "sandboxes", "", False),
    (CONTROLLER, "create", "apps", "deployments", SYSTEM, "", False),
    (CONTROLLER, "impersonate", "", "serviceaccounts", "sandboxes", "", False),
    (ROUTER, "list", "", "pods", "", "", True),
    (ROUTER, "watch", "", "pods", "sandboxes", "", True),
    (ROUTER, "create", "authentication.k8s.io", "tokenreviews", "", "", True),
    (ROUTER, "create", "authorization.k8s.io", "subjectaccessreviews", "", "", True),  # comes with auth-delegator
    (ROUTER, "delete", "", "pods", "sandboxes", "", False),
    (ROUTER, "create", "", "pods/exec", "sandboxes", "", False),
    (ROUTER, "create", "", "pods/portforward", "sandboxes", "", False),
    (ROUTER, "get", "", "secrets", SYSTEM, "", False),
    (ROUTER, "get", "agents.x-k8s.io", "sandboxes", "sandboxes", "", False),
    (ROUTER, "create", EXTENSION, "sandboxclaims", "sandboxes", "", False),
    (ROUTER, "get", "", "nodes", "", "", False),
]


def test_the_api_server_allows_what_each_needs_and_refuses_the_rest(cluster: Deployment, together: Inline) -> None:
    del together
    wrong = [row for row in RIGHTS if allowed(cluster.api, *row[:6]) is not row[6]]
    assert wrong == []


def test_the_controllers_requests_have_seats_of_their_own(cluster: Deployment, together: Inline) -> None:
    del together
    path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
    schemas = {each["metadata"]["name"]: each for each in cluster.api.items(path)}
    for name in ("agent-sandbox-critical", "agent-sandbox-bulk", "agent-sandbox-events"):
        conditions = {each["type"]: each["status"] for each in schemas[name]["status"]["conditions"]}
        assert conditions["Dangling"] == "False", f"{name} names a level that is not there"
    uid = schemas["agent-sandbox-bulk"]["metadata"]["uid"]
    answered = schema_of_a_request(cluster, CONTROLLER)
    assert answered == uid, "the API server put the controller's request into another schema"


def schema_of_a_request(cluster: Deployment, user: str) -> str:
    """What the API server itself answers to a request of `user`: the schema that it was put into."""
    printed = kubectl(cluster, "get", "--raw", "/debug/api_priority_and_fairness/dump_priority_levels")
    assert "agent-sandbox-critical" in printed
    command = [str(toolchain.ensure().path("kubectl")), f"--kubeconfig={cluster.state.kubeconfig}"]
    asked = [*command, "get", "pods", "--all-namespaces", f"--as={user}", "-v=8"]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    match = re.search(r"X-Kubernetes-Pf-Flowschema-Uid: (\S+)", ended.stderr, re.IGNORECASE)
    assert match is not None, ended.stderr[-2000:]
    return match[1]


def test_the_router_serves_a_caller_with_certificate_and_token_and_nobody_else(
    cluster: Deployment, together: Inline, backend: int
) -> None:
    del together
    router = Router(cluster)
    token = token_for(cluster, "default")
    assert router.ask(backend, token) == (200, "from the sandbox")
    assert router.ask(backend, None)[0] == 401
    assert router.ask(backend, f"{token}x")[0] == 401
    with pytest.raises((ssl.SSLError, ConnectionError)):
        router.ask(backend, token, certificate=False)
    assert not answers(router.ports["http"], "/healthz"), "plain HTTP is closed"
    closed = free_port()
    assert router.ask(closed, token)[0] == 502


def test_every_metric_of_alerts_and_dashboard_is_one_that_the_programs_expose(
    cluster: Deployment, together: Inline, backend: int
) -> None:
    del together
    router = Router(cluster)
    token = token_for(cluster, "default")
    router.ask(backend, token)
    router.ask(free_port(), token)  # some series begin with the first request that fails
    make_a_claim(cluster)
    used = metrics_of([each["expr"] for group in _alerts.alert_groups([POOL], {}) for each in group["rules"]])
    used |= metrics_of([expression for _, _, targets in _dashboard.PANELS for expression, _ in targets])
    assert len(used) > 15

    def missing() -> set[str]:
        return used - scraped(cluster, "agent-sandbox-controller") - scraped(cluster, "sandbox-router")

    # The controller loses the time of a claim that is ready before its first look at it is written down: another one.
    for number in range(10):
        if missing() == CERT_MANAGERS:
            break
        claim_one(cluster, f"again-{number}")
        time.sleep(1)
    assert missing() == CERT_MANAGERS
    for metric in CERT_MANAGERS:
        assert metric.removeprefix("certmanager_") in cert_managers_source()


POOL: _alerts.ObservedPoolArgs = {"namespace": "claims", "template": "python", "replicas": 1}
CERT_MANAGERS = {"certmanager_certificate_expiration_timestamp_seconds"}


def cert_managers_source() -> str:
    folder = building.module_folder(SOURCES / "foreign-kinds", "github.com/cert-manager/cert-manager")
    return "".join(file.read_text() for file in (folder / "pkg" / "metrics").rglob("*.go"))


def claim_one(cluster: Deployment, name: str) -> None:
    """A claim on the pool of make_a_claim, until it is ready."""
    path = f"{EXTENSIONS}/namespaces/claims/sandboxclaims"
    body = {"apiVersion": f"{EXTENSION}/v1beta1", "kind": "SandboxClaim", "metadata": {"name": name}}
    cluster.api.create(path, {**body, "spec": {"warmPoolRef": {"name": "python"}}})
    eventually(lambda: is_ready(cluster.api.get(f"{path}/{name}")), 60, f"the claim {name} is ready")


def make_a_claim(cluster: Deployment) -> None:
    """From a template of one container, a pool of one and a claim, until the claim is ready."""
    namespace(cluster.api, "claims")
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    pod = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "image": "registry.example/a:v1", "securityContext": context}],
    }
    objects = {
        "sandboxtemplates": ("SandboxTemplate", "python", {"podTemplate": {"spec": pod}}),
        "sandboxwarmpools": ("SandboxWarmPool", "python", {"replicas": 1, "sandboxTemplateRef": {"name": "python"}}),
        "sandboxclaims": ("SandboxClaim", "one", {"warmPoolRef": {"name": "python"}}),
    }
    for plural, (kind, name, spec) in objects.items():
        path = f"{EXTENSIONS}/namespaces/claims/{plural}"
        body = {"apiVersion": f"{EXTENSION}/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        cluster.api.create(path, body)
    pool, claim = (
        f"{EXTENSIONS}/namespaces/claims/{name}" for name in ("sandboxwarmpools/python", "sandboxclaims/one")
    )
    eventually(lambda: bool(cluster.api.get(pool).get("status", {}).get("readyReplicas")), 60, "the pool is full")
    eventually(lambda: is_ready(cluster.api.get(claim)), 60, "the claim is ready")


def test_flags_are_the_programs_own_and_every_flag_of_the_router_has_an_argument() -> None:
    tools = toolchain.ensure()
    controller = flags_of(tools.path("agent-sandbox-controller"))
    ours = {
        _controller_flags.flag_of(name).lstrip("-")
        for name in components._controller_flags.ControllerTuning.__annotations__
    }
    assert ours | {"enable-tracing"} <= controller
    assert controller - ours - UNTYPED_CONTROLLER == {"enable-tracing"}
    router = flags_of(tools.path("sandbox-router"))
    typed = {*_router_flags.FLAGS.values(), *_router_flags.DERIVED, *_router_flags.OWN}
    assert typed <= router
    assert {flag for flag in router - typed if not flag.startswith("zap-")} == {"version"}


UNTYPED_CONTROLLER = {
    # the component's own, by what it declares
    *("leader-elect", "extensions", "metrics-bind-address", "health-probe-bind-address", "kubeconfig"),
    # of the webhook, which is off and which newer releases lack
    *("enable-webhook", "manage-webhook-certs", "webhook-cert-dir", "webhook-cert-name", "webhook-key-name"),
    *("webhook-namespace", "webhook-port", "webhook-service-name"),
    # for somebody who debugs upstream itself, through extra_args
    *("enable-pprof", "enable-pprof-debug", "pprof-block-profile-rate", "pprof-mutex-profile-fraction"),
    *("leader-election-namespace", "version", "zap-devel", "zap-encoder", "zap-stacktrace-level", "zap-time-encoding"),
}


def test_an_update_moves_the_router_to_plain_http_and_one_namespace(
    cluster: Deployment, together: Inline, release: components.AgentSandboxControllerArgs
) -> None:
    """The last one: it leaves the stack otherwise than it was."""
    secured = Router(cluster).ports
    args: components.SandboxRouterArgs = {
        "image": releases.default().router_image,
        "sandbox_namespace": "claims",
        "replicas": 3,
        "clients": [{"namespace": "claims", "pod_labels": {"app": "agent"}}],
    }

    single: components.AgentSandboxControllerArgs = {**release, "replicas": 1}

    def program() -> None:
        components.AgentSandboxController("controller", single)
        components.SandboxRouter("router", args)

    together.up("together", program)
    namespace(cluster.api, "claims")
    assert allowed(cluster.api, ROUTER, "list", "", "pods", "claims")
    assert not allowed(cluster.api, ROUTER, "list", "", "pods", "")
    deployment = cluster.api.get(f"{DEPLOYMENTS}/sandbox-router")["spec"]
    assert deployment["replicas"] == 3
    assert "volumes" not in deployment["template"]["spec"]
    policies = f"/apis/networking.k8s.io/v1/namespaces/{SYSTEM}/networkpolicies"
    (ingress, *_) = cluster.api.get(f"{policies}/sandbox-router")["spec"]["ingress"]
    assert ingress["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "claims"}},
            "podSelector": {"matchLabels": {"app": "agent"}},
        }
    ]
    assert not [each for each in everywhere(cluster.api) if each.startswith("agent-sandbox-critical")]
    changed = Router(cluster).ports
    assert changed != secured or not answers(changed["https"], "/healthz")
    assert answers(changed["http"], "/healthz")
    assert cluster.api.get(f"{DEPLOYMENTS}/agent-sandbox-controller")["spec"]["replicas"] == 1


def test_a_stack_file_adds_and_takes_away_gateway_and_observability(platform: Deployment) -> None:
    """By the keys of the stack, on the deployment that other tests share: it is left as it was found."""
    changed = platform.with_config(
        controller={"profile": "small", "apiFairness": {}},
        router={"authorizer": "unsafe-allow-all", "proxyTimeout": "10m"},
        gateway={"exposure": "external", "tls": {"certificateMap": "sandboxes"}},
        observability={"collector": "google"},
    )
    platform.run("up", *changed)
    assert "All is well." in platform.run("status").stdout
    policy = platform.api.get(f"{POLICIES}/gcpbackendpolicies/sandbox-gateway")
    assert policy["spec"]["default"]["timeoutSec"] == 600
    (rules,) = platform.api.items("/apis/monitoring.googleapis.com/v1/clusterrules")
    assert '"SandboxWarmPoolShort"' in json.dumps(rules), "for the stack's own pool"
    networks = f"/apis/networking.k8s.io/v1/namespaces/{SYSTEM}/networkpolicies"
    (entrance, *_) = platform.api.get(f"{networks}/sandbox-router")["spec"]["ingress"]
    assert {"ipBlock": {"cidr": "35.191.0.0/16"}} in entrance["from"]
    assert "nothing to change" in platform.run("up", *changed).stderr
    platform.run("up")
    assert platform.api.items("/apis/gateway.networking.k8s.io/v1/gateways") == []
    assert platform.api.items("/apis/monitoring.googleapis.com/v1/podmonitorings") == []

"""What tests ask: the API server who may do what, the programs on the host what they answer and expose."""

import http.client
import re
import ssl
import subprocess
import urllib.request
from pathlib import Path

from local import toolchain
from local.api import Api, Json
from local.supervisor import reported
from tests.engine.conftest import Deployment, eventually

SYSTEM = "agent-sandbox-system"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def namespace(api: Api, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    if api.find(f"/api/v1/namespaces/{name}") is None:
        api.create("/api/v1/namespaces", body)


def kubectl(cluster: Deployment, *arguments: str) -> str:
    command = [str(toolchain.ensure().path("kubectl")), f"--kubeconfig={cluster.state.kubeconfig}", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def crds(api: Api) -> list[str]:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    return [each["metadata"]["name"] for each in api.items(path)]


def allowed(api: Api, user: str, verb: str, group: str, resource: str, where: str, name: str = "") -> bool:
    """Ask the API server itself."""
    resource, _, subresource = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "namespace": where,
        "name": name,
    }
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{user.split(':')[2]}", "system:authenticated"]
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
    }
    answer = api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


def token_for(cluster: Deployment, account: str) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    path = f"/api/v1/namespaces/default/serviceaccounts/{account}/token"
    return str(cluster.api.create(path, body)["status"]["token"])


class Router:
    """The router's own process, asked over HTTPS."""

    def __init__(self, cluster: Deployment) -> None:
        self.keys = cluster.state.kwok / "clusters" / "agent-sandbox" / "pki"
        eventually(lambda: self._ready(cluster), 60, "the router runs")
        self.ports = reported(cluster.state)[f"{SYSTEM}/sandbox-router"]["ports"]

    @staticmethod
    def _ready(cluster: Deployment) -> bool:
        entry = reported(cluster.state).get(f"{SYSTEM}/sandbox-router")
        return entry is not None and entry["pid"] is not None and answers(entry["ports"]["health"], "/readyz")

    def ask(self, port: int, token: str | None, certificate: bool = True) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(self.keys / "ca.crt"))
        if certificate:
            context.load_cert_chain(self.keys / "admin.crt", self.keys / "admin.key")
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports["https"], context=context, timeout=20)
        headers = {"X-Sandbox-ID": "any", "X-Sandbox-Pod-IP": "127.0.0.1", "X-Sandbox-Port": str(port)}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def scraped(cluster: Deployment, name: str) -> set[str]:
    """The names of a program's series."""
    port = reported(cluster.state)[f"{SYSTEM}/{name}"]["ports"]["metrics"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        text = response.read().decode()
    return set(re.findall(r"^([a-z_:][a-z0-9_:]*)", text, re.MULTILINE | re.IGNORECASE))


def metrics_of(expressions: list[str]) -> set[str]:
    """The names in PromQL expressions that are followed by a selector, a range, or nothing of a function's."""
    found = set()
    for text in expressions:
        bare = re.sub(r"\b(by|without)\s*\([^)]*\)", "", re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", text))
        found |= {word for word in re.findall(r"\b[a-z][a-z0-9_]*\b(?!\s*\()", bare) if "_" in word}
    return found


def flags_of(program: Path) -> set[str]:
    ended = subprocess.run([str(program), "--help"], capture_output=True, text=True, check=False)
    return set(re.findall(r"^  -([a-z0-9-]+)", ended.stdout + ended.stderr, re.MULTILINE))


def is_ready(item: Json) -> bool:
    return any(
        each["type"] == "Ready" and each["status"] == "True" for each in item.get("status", {}).get("conditions", [])
    )

"""What the supervisor makes of a Deployment: the command that a pod would run, brought to loopback."""

from typing import Any

from local.supervisor import _moved, addresses, overrides, workloads

PORTS = {"http": 1, "https": 2, "metrics": 3, "health": 4}


def deployment(*arguments: str, **pod: Any) -> dict[str, Any]:
    container = {"name": "a", "image": "registry.example/sandbox-router-go:v1@sha256:0", "args": list(arguments)}
    mounts = [{"name": name, "mountPath": f"/etc/{name}"} for name in ("tls", "scratch")]
    spec = {"serviceAccountName": "router", "containers": [{**container, "volumeMounts": mounts}], **pod}
    return {"metadata": {"namespace": "n", "name": "d"}, "spec": {"template": {"spec": spec}}}


def test_a_listener_that_is_not_declared_stays_closed() -> None:
    plain = workloads([deployment("--http-bind-address=:8080")])["n/d"]
    assert [text for text in overrides(plain, PORTS) if "http" in text] == ["--http-bind-address=127.0.0.1:1"]
    assert addresses(plain, PORTS) == ["http://127.0.0.1:1"]
    secured = workloads([deployment("--http-bind-address=", "--https-bind-address=:8443")])["n/d"]
    assert [text for text in overrides(secured, PORTS) if "http" in text] == ["--https-bind-address=127.0.0.1:2"]
    assert addresses(secured, PORTS) == ["https://127.0.0.1:2"]


def test_a_file_of_a_mounted_secret_is_read_where_it_lies_on_the_host() -> None:
    volumes = [{"name": "tls", "secret": {"secretName": "certificate"}}, {"name": "scratch", "emptyDir": {}}]
    workload = workloads([deployment("--tls-key-file=/etc/tls/tls.key", volumes=volumes)])["n/d"]
    assert workload.secrets == (("/etc/tls", "certificate"),)
    folders = {"/etc/tls": "/host/tls"}
    assert _moved("--tls-key-file=/etc/tls/tls.key", folders) == "--tls-key-file=/host/tls/tls.key"
    assert _moved("--other=/etc/tlsother/x", folders) == "--other=/etc/tlsother/x"
    assert _moved("--flag", folders) == "--flag"

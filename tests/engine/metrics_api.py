"""A metrics adapter for the autoscaler to ask: the external metrics API, served to the real API server.

The API server forwards the group to it through an APIService, as it does to GKE's adapter. What it
serves is a number that the test chooses.
"""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.api import Api, Json

GROUP = "/apis/external.metrics.k8s.io/v1beta1"
TIME = "2026-01-01T00:00:00Z"


class MetricsApi:
    """Serves one metric with one value in every namespace, until it is closed."""

    def __init__(self, api: Api, certificate: Path, key: Path, metric: str, value: int) -> None:
        self.api = api
        self.metric = metric
        self.value = value
        self.asked = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self._register()

    def close(self) -> None:
        for path in self._paths:
            self.api.delete(path)
        self.server.shutdown()

    def _register(self) -> None:
        service: Json = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "metrics-adapter"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }
        registration: Json = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
            "spec": {
                "group": "external.metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": "default", "name": "metrics-adapter", "port": self.server.server_port},
            },
        }
        self.api.create("/api/v1/namespaces/default/services", service)
        self.api.create("/apis/apiregistration.k8s.io/v1/apiservices", registration)
        self._paths = [
            "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io",
            "/api/v1/namespaces/default/services/metrics-adapter",
        ]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = json.dumps(outer.answer(self.path.partition("?")[0])).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        return Handler

    def answer(self, path: str) -> Json:
        if path.startswith(f"{GROUP}/namespaces/"):
            self.asked += 1
            item = {"metricName": self.metric, "metricLabels": {}, "timestamp": TIME, "value": str(self.value)}
            return {
                "kind": "ExternalMetricValueList",
                "apiVersion": "external.metrics.k8s.io/v1beta1",
                "metadata": {},
                "items": [item],
            }
        resource = {
            "name": self.metric,
            "singularName": "",
            "namespaced": True,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": "external.metrics.k8s.io/v1beta1",
            "resources": [resource],
        }

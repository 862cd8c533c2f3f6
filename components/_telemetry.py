"""Where traces are sent: one address, read from the environment by upstream's OpenTelemetry exporters."""

import re
from typing import Any

from components._checks import Finding

_ENDPOINT = re.compile(r"https?://[a-z0-9]([-a-z0-9.]*[a-z0-9])?:(?P<port>\d{1,5})")


def otlp_endpoint(value: str) -> Finding:
    """The address of an OTLP gRPC collector."""
    match = _ENDPOINT.fullmatch(value)
    if match and 0 < int(match["port"]) < 2**16:
        return None
    remedy = "No trace would arrive. Write scheme, host and port, as in http://collector.observability:4317."
    return "is not a collector's address", remedy


def otlp_environment(endpoint: str) -> list[dict[str, str]]:
    """The environment that leads upstream's exporters to `endpoint`."""
    return [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": endpoint}]


def otlp_egress(endpoint: str) -> dict[str, Any]:
    """A NetworkPolicy rule that lets traces out; a collector may be anywhere, so its port alone is named."""
    match = _ENDPOINT.fullmatch(endpoint)
    return {"ports": [{"port": int(match["port"]) if match else 4317, "protocol": "TCP"}]}

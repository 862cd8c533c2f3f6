"""The router's command line: what its arguments come to, and what must hold among them."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from components._flags import extra_flags_problem, written
from components._formats import seconds

PROXY_TIMEOUT = "180s"
TLS_FOLDER = "/etc/sandbox-router/tls"
CLIENT_CA_FOLDER = "/etc/sandbox-router/client-ca"
SCOPED_TOKEN_FOLDER = "/etc/sandbox-router/scoped-token"  # noqa: S105 - where it is mounted

FLAGS = {
    "token_review_ttl": "authz-tokenreview-ttl",
    "token_review_cache_size": "authz-tokenreview-cache-size",
    "sandbox_namespace": "cache-namespace",
    "shutdown_timeout": "shutdown-timeout",
    "max_retries": "upstream-max-retries",
    "retry_initial_delay": "upstream-retry-initial-delay",
    "retry_max_delay": "upstream-retry-max-delay",
    "max_request_bytes": "max-request-body-bytes",
    "access_log": "access-log",
    "log_level": "zap-log-level",
    "cluster_domain": "cluster-domain",
    "unsafe_loopback_targets": "allow-loopback-pod-ip",
}
"""The flag that an argument sets as it is, where it is given."""

DERIVED = {
    "http-bind-address": "tls",
    "https-bind-address": "tls",
    "tls-cert-file": "tls",
    "tls-key-file": "tls",
    "tls-client-ca-file": "tls",
    "mtls-mode": "tls",
    "proxy-timeout": "proxy_timeout",
    "response-header-timeout": "response_header_timeout",
    "cache-enabled": "pod_cache",
    "authz-mode": "authorizer",
    "authz-tokenreview-require-token": "unsafe_optional_token",
    "authz-tokenreview-audiences": "token_audiences",
    "authz-scoped-token-secret-file": "scoped_token",
    "enable-tracing": "otlp_endpoint",
    "enable-otel-metrics": "otlp_metrics",
}
"""The argument that decides a flag which the component always gives, or works out."""

OWN = ("metrics-bind-address", "health-probe-bind-address", "kubeconfig", "config")
"""Flags that the Deployment's ports and probes depend on."""

Problems = Iterator[tuple[str, str, str]]


def _only_with(values: Mapping[str, Any], fields: tuple[str, ...], holds: bool, condition: str) -> Problems:
    for field in fields:
        if field in values and not holds:
            yield field, f"is given, though {condition}", "It would have no effect. Remove one of the two."


def consistent(values: Mapping[str, Any]) -> Problems:
    authorizer = values.get("authorizer", "tokenreview")
    of_review = ("token_audiences", "token_review_ttl", "token_review_cache_size", "unsafe_optional_token")
    yield from _only_with(values, of_review, authorizer == "tokenreview", f"the authorizer is {authorizer}")
    yield from _only_with(values, ("scoped_token",), authorizer == "scoped-token", f"the authorizer is {authorizer}")
    if authorizer == "scoped-token" and "scoped_token" not in values:
        yield "scoped_token", "is given", "The router could verify no token. Add it, with a secret or a value."
    if authorizer == "scoped-token" and values.get("pod_cache", False):
        remedy = "It would never be used: scoped tokens are refused together with the headers it serves. Remove it."
        yield "pod_cache", "is given, though the authorizer is scoped-token", remedy
    cached = uses_pod_cache(values)
    yield from _only_with(values, ("sandbox_namespace",), cached, "there is no pod cache, which it narrows")
    if "replicas" in values and "autoscaler" in values:
        remedy = "The two would undo each other's work. Remove replicas; the autoscaler has min_replicas."
        yield "replicas", "is given beside an autoscaler", remedy
    timeout = values.get("proxy_timeout", PROXY_TIMEOUT)
    if "response_header_timeout" in values and seconds(values["response_header_timeout"]) > seconds(timeout):
        remedy = f"A request is over after {timeout}. Shorten it, or raise proxy_timeout."
        yield "response_header_timeout", "is longer than proxy_timeout", remedy
    first, last = values.get("retry_initial_delay", "200ms"), values.get("retry_max_delay", "800ms")
    if seconds(first) > seconds(last):
        field = "retry_initial_delay" if "retry_initial_delay" in values else "retry_max_delay"
        yield field, f"makes the first delay {first} and the longest {last}", "Raise retry_max_delay."
    if "otlp_metrics" in values and "otlp_endpoint" not in values:
        yield "otlp_metrics", "is given without otlp_endpoint", "Metrics would go nowhere. Add the collector's address."
    typed = {**{flag: argument for argument, flag in FLAGS.items()}, **DERIVED}
    if found := extra_flags_problem(values.get("extra_args", ()), OWN, typed):
        yield "extra_args", *found


def uses_pod_cache(args: Mapping[str, Any]) -> bool:
    """Whether the router watches pods. With scoped tokens it need not: they rule out what the cache is for."""
    return bool(args.get("pod_cache", args.get("authorizer") != "scoped-token"))


def serves_plain_http(args: Mapping[str, Any]) -> bool:
    return "tls" not in args or bool(args["tls"].get("unsafe_plain_http", False))


def grace_period(args: Mapping[str, Any]) -> int:
    """Seconds that a pod has to end: those in which it finishes requests, and a little more."""
    return math.ceil(seconds(args.get("shutdown_timeout", "30s"))) + 15


def flags(args: Mapping[str, Any]) -> list[str]:
    """The router's whole command line for checked arguments."""
    timeout = args.get("proxy_timeout", PROXY_TIMEOUT)
    values: dict[str, Any] = {
        "http-bind-address": ":8080" if serves_plain_http(args) else "",
        "metrics-bind-address": ":9090",
        "health-probe-bind-address": ":8081",
        "proxy-timeout": timeout,
        # A command answers when it ends: upstream's 30s to the first header would cut off longer ones.
        "response-header-timeout": args.get("response_header_timeout", timeout),
        "cache-enabled": uses_pod_cache(args),  # members of a warm pool have no Service: nothing else leads to them
        "enable-tracing": "otlp_endpoint" in args,  # said always, since upstream turns it on by an environment variable
        "enable-otel-metrics": args.get("otlp_metrics", False),
        **_authorizer(args),
        **(_tls(args["tls"]) if "tls" in args else {}),
        **{flag: args[argument] for argument, flag in FLAGS.items() if argument in args},
    }
    return [*(f"--{name}={written(value)}" for name, value in values.items()), *args.get("extra_args", ())]


def _authorizer(args: Mapping[str, Any]) -> dict[str, Any]:
    authorizer = args.get("authorizer", "tokenreview")
    if authorizer == "scoped-token":
        return {
            "authz-mode": authorizer,
            "authz-scoped-token-secret-file": f"{SCOPED_TOKEN_FOLDER}/{args['scoped_token'].get('key', 'secret')}",
        }
    if authorizer == "unsafe-allow-all":
        return {"authz-mode": "allow-all"}
    review = {
        "authz-mode": authorizer,
        "authz-tokenreview-require-token": not args.get("unsafe_optional_token", False),
    }
    audiences = args.get("token_audiences", ())
    return {**review, "authz-tokenreview-audiences": ",".join(audiences)} if audiences else review


def _tls(tls: Mapping[str, Any]) -> dict[str, Any]:
    files = {
        "https-bind-address": ":8443",
        "tls-cert-file": f"{TLS_FOLDER}/tls.crt",
        "tls-key-file": f"{TLS_FOLDER}/tls.key",
        "mtls-mode": tls.get("mtls_mode", "off"),
    }
    return {**files, "tls-client-ca-file": f"{CLIENT_CA_FOLDER}/ca.crt"} if "client_ca_secret" in tls else files

"""The way to the router from the internet, on GKE: HTTPS with a certificate map, Cloud Armor, a static address.

Before: the certificate map and the address `sandboxes`, and the security policy `sandboxes`. The router lets the load
balancer in with "load_balancers": ["130.211.0.0/22", "35.191.0.0/16"].
"""

import pulumi
import pulumi_kubernetes as kubernetes

import components

config = pulumi.Config()
namespace = kubernetes.core.v1.Namespace("entrance", metadata={"name": "sandbox-entrance"})

gateway = components.SandboxGateway(
    "sandboxes",
    {
        "namespace": "sandbox-entrance",  # the router's
        "exposure": "external",
        "hostnames": ["sandboxes.example.com"],
        "tls": {"certificate_map": "sandboxes"},
        "redirect_http": True,
        "static_address": "sandboxes",
        "router_timeout": "10m",
        "backend": {"security_policy": "sandboxes", "draining_seconds": 60},
        # On GKE leave it out: the update then ends when the load balancer serves. Elsewhere nobody gives an address.
        "await_address": config.get_bool("awaitAddress", False) or False,
    },
    pulumi.ResourceOptions(depends_on=namespace),
)
pulumi.export("address", gateway.address)

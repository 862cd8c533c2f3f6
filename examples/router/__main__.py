"""The sandbox router alone, for an application in the namespace agents: HTTPS, and a token from every caller.

Its pods start once sandbox-routing holds a Secret router-certificate of type kubernetes.io/tls.
"""

import pulumi
import pulumi_kubernetes as kubernetes

import components

# In production it runs in agent-sandbox-system, beside the controller, whose network policies admit it from there.
routing = kubernetes.core.v1.Namespace("routing", metadata={"name": "sandbox-routing"})
agents = kubernetes.core.v1.Namespace("agents", metadata={"name": "agents"})

router = components.SandboxRouter(
    "router",
    {
        "image": "registry.k8s.io/agent-sandbox/sandbox-router-go:v1.0.0",
        "namespace": "sandbox-routing",
        "sandbox_namespace": "agents",  # it may read pods there and nowhere else
        "tls": {"secret": "router-certificate"},  # or {"issuer": {"name": "internal-ca"}}, with cert-manager
        "token_audiences": ["sandboxes"],
        "clients": [{"namespace": "agents", "pod_labels": {"app": "planner"}}],
        "autoscaler": {"min_replicas": 2, "max_replicas": 10},
        "proxy_timeout": "10m",
    },
    pulumi.ResourceOptions(depends_on=[routing, agents]),
)
pulumi.export("url", router.url)

"""Three pools of one template: of a fixed size, moved by an autoscaler, and empty, for cold starts."""

import pulumi

import components

NAMESPACE = "pool-example"
IMAGE = "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6"

agents = components.SandboxNamespace(NAMESPACE, {})
template = components.SandboxTemplate(
    "python", {"namespace": NAMESPACE, "image": IMAGE}, pulumi.ResourceOptions(depends_on=[agents])
)
after = pulumi.ResourceOptions(depends_on=[template])

components.SandboxWarmPool("steady", {"namespace": NAMESPACE, "template": "python", "replicas": 2}, after)
components.SandboxWarmPool("cold", {"namespace": NAMESPACE, "template": "python", "replicas": 0}, after)
components.SandboxWarmPool(
    "busy",
    {
        "namespace": NAMESPACE,
        "template": "python",
        "update_strategy": "Recreate",
        # Ten sandboxes for each waiting agent, as a metrics adapter of the cluster counts them.
        "autoscaling": {
            "min_replicas": 1,
            "max_replicas": 50,
            "metric": {"name": "waiting_agents", "average_value": "100m"},
            "scale_down_seconds": 600,
        },
    },
    after,
)

"""A sandbox out of a warm pool that belongs to the stack; applications claim theirs at run time."""

import pulumi

import components

NAMESPACE = "claim-example"
IMAGE = "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6"

agents = components.SandboxNamespace(NAMESPACE, {})
template = components.SandboxTemplate(
    "python", {"namespace": NAMESPACE, "image": IMAGE}, pulumi.ResourceOptions(depends_on=[agents])
)
pool = components.SandboxWarmPool(
    "python",
    {"namespace": NAMESPACE, "template": template.template_name},
    pulumi.ResourceOptions(depends_on=[template]),
)
demo = components.SandboxClaim(
    "demo",
    {"namespace": NAMESPACE, "pool": pool.pool_name, "labels": {"sandbox.users.io/purpose": "demo"}},
    pulumi.ResourceOptions(depends_on=[pool]),
)

pulumi.export("sandbox", demo.sandbox_name)

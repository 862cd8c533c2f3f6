"""The cluster itself refuses softer sandboxes, whoever writes them, in every namespace labelled for sandboxes."""

import pulumi

import components

agents = components.SandboxNamespace("admission-example", {"labels": {"sandboxes": "true"}})
rules = components.SandboxAdmission(
    "sandbox-rules",
    {
        "namespace_labels": {"sandboxes": "true"},
        "runtime_classes": ["gvisor"],
        "required_limits": ["cpu", "memory", "ephemeral-storage"],
        "registries": ["registry.k8s.io/agent-sandbox"],
    },
)
components.SandboxTemplate(
    "python",
    {"namespace": "admission-example", "image": "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6"},
    pulumi.ResourceOptions(depends_on=[agents, rules]),
)

pulumi.export("policies", rules.policy_names)

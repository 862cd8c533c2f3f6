"""A tenant's namespace: at most forty sandboxes, none greater than four CPUs, scheduled before batch work."""

import pulumi

import components

team = components.SandboxNamespace(
    "team-a",
    {
        "labels": {"team": "a"},
        "quota": {"count/sandboxes.agents.x-k8s.io": "40", "limits.cpu": "40", "limits.memory": "80Gi"},
        "container_max": {"cpu": "4", "memory": "8Gi"},
        "priority": {"value": 1000},
    },
)

pulumi.export("namespace", team.namespace_name)
pulumi.export("priorityClass", team.priority_class)

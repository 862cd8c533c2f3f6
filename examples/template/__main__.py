"""Two templates: one in the short form, and one from a pod spec, which is hardened all the same."""

import pulumi

import components

IMAGE = "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6"

agents = components.SandboxNamespace("template-example", {})
inside = pulumi.ResourceOptions(depends_on=[agents])

components.SandboxTemplate(
    "short",
    {
        "namespace": "template-example",
        "image": IMAGE,
        "runtime": "gvisor",
        "limits": {"cpu": "1", "memory": "2Gi"},
        "read_only_root": True,
        "volumes": {"scratch": {"mount_path": "/scratch", "size_limit": "512Mi"}},
        # PyPI and the team's index, and nothing else: not the rest of the internet, and nothing private.
        "egress": {
            "cidrs": [{"cidr": "151.101.0.0/16", "ports": [443]}],
            "services": [{"namespace": "tools", "labels": {"app": "package-index"}, "ports": [8080]}],
            "dns": "cluster",
        },
    },
    inside,
)

components.SandboxTemplate(
    "whole",
    {
        "namespace": "template-example",
        "runtime": "kata-qemu",
        "pod": {
            "containers": [
                {"name": "agent", "image": IMAGE, "ports": [{"name": "http", "containerPort": 8888}]},
                {"name": "recorder", "image": IMAGE, "command": ["python3", "-m", "http.server", "9000"]},
            ]
        },
    },
    inside,
)

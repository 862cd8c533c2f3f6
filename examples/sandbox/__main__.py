"""A notebook with a disk of its own. `pulumi config set suspended true` ends its pod and keeps the disk."""

import pulumi

import components

NAMESPACE = "sandbox-example"

agents = components.SandboxNamespace(NAMESPACE, {})
notebook = components.Sandbox(
    "notebook",
    {
        "namespace": NAMESPACE,
        "image": "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6",
        "volume_claims": {"home": {"size": "5Gi", "mount_path": "/home/agent"}},
        "service": True,
        "suspended": pulumi.Config().get_bool("suspended") or False,
    },
    pulumi.ResourceOptions(depends_on=[agents]),
)

pulumi.export("address", notebook.service_fqdn)

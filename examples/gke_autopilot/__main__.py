"""From a project with nothing in it to an Autopilot cluster that takes sandboxes, with GKE's own controller.

Before the first `pulumi up`: `pulumi config set project YOUR-PROJECT`.
"""

import pulumi

import components

project = pulumi.Config().get("project", "my-project")
region = "europe-west4"

services = components.ProjectServices("services", {"project": project})
enabled = pulumi.ResourceOptions(depends_on=[services])
network = components.Network("agents", {"project": project, "region": region}, enabled)
nodes = components.NodeIdentity("agents-nodes", {"project": project}, enabled)
registry = components.ArtifactRegistry(
    "agents", {"project": project, "location": region, "readers": {"nodes": nodes.member}}, enabled
)
cluster = components.AutopilotCluster(
    "agents",
    {
        "project": project,
        "location": region,
        "network": network.network_id,
        "subnetwork": network.subnetwork_id,
        "pods_range": network.pods_range,
        "services_range": network.services_range,
        "node_service_account": nodes.email,
        "agent_sandbox": True,  # GKE installs and upgrades the controller
        "deletion_protection": False,  # an example goes as it came
    },
    pulumi.ResourceOptions(depends_on=[network, registry]),  # nodes need the way out, and the right to pull
)

on_cluster = pulumi.ResourceOptions(provider=cluster.kubernetes)
agents = components.SandboxNamespace("agents", {}, on_cluster)
mirror = registry.mirrors["registry-k8s-io"]
components.SandboxTemplate(
    "python",
    {
        "namespace": "agents",
        "image": pulumi.Output.concat(mirror, "/agent-sandbox/python-runtime-sandbox:v0.5.6"),
        "runtime": "gvisor",
    },
    pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=[agents]),
)

pulumi.export("registry", registry.address)
pulumi.export("kubeconfig", cluster.kubeconfig)

"""A fleet with one cluster in it, which offers its router to the clusters that join later.

Before the first `pulumi up`: `pulumi config set project YOUR-PROJECT`. A cluster of another stack joins with
`fleet_project` and a RouterExport of its own; docs/operations.md puts one Gateway before them all.
"""

import pulumi

import components
from components.gke.fleet import APIS

project = pulumi.Config().get("project", "my-project")
region = "europe-west4"

services = components.ProjectServices("services", {"project": project, "services": list(APIS)})
enabled = pulumi.ResourceOptions(depends_on=[services])
network = components.Network("agents", {"project": project, "region": region}, enabled)
nodes = components.NodeIdentity("agents-nodes", {"project": project}, enabled)
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
        "agent_sandbox": True,
        "fleet_project": project,
        "deletion_protection": False,  # an example goes as it came
    },
    pulumi.ResourceOptions(depends_on=[network]),
)
fleet = components.Fleet(
    "fleet",
    {
        "project": project,
        "project_number": services.project_number,
        "config_membership": cluster.membership,
    },
    enabled,
)
export = components.RouterExport(
    "agents",
    {"cluster": "agents", "namespace": "default"},
    pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=[fleet]),
)

pulumi.export("service", export.service)

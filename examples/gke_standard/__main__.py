"""A Standard cluster with gVisor and Kata nodes; sandboxes that read a bucket as themselves, and their snapshots.

Before the first `pulumi up`: `pulumi config set project YOUR-PROJECT`, and the names of two buckets that are yours.
"""

import pulumi

import components

config = pulumi.Config()
project = config.get("project", "my-project")
files = config.get("files", "my-files")  # a bucket that exists
region, zone = "europe-west4", "europe-west4-b"

services = components.ProjectServices("services", {"project": project})
enabled = pulumi.ResourceOptions(depends_on=[services])
network = components.Network("agents", {"project": project, "region": region}, enabled)
nodes = components.NodeIdentity("agents-nodes", {"project": project}, enabled)
cluster = components.StandardCluster(
    "agents",
    {
        "project": project,
        "location": zone,
        "network": network.network_id,
        "subnetwork": network.subnetwork_id,
        "pods_range": network.pods_range,
        "services_range": network.services_range,
        "node_service_account": nodes.email,
        "system_pool": {"machine_type": "e2-standard-2", "max_nodes": 2},
        "agent_sandbox": True,
        "pod_snapshots": True,
        "deletion_protection": False,  # an example goes as it came
    },
    pulumi.ResourceOptions(depends_on=[network]),
)
of_cluster = {
    "project": project,
    "location": zone,
    "cluster": cluster.cluster_name,
    "node_service_account": nodes.email,
}
on_cluster = pulumi.ResourceOptions(providers=[cluster.kubernetes])
gvisor = components.GvisorNodePool("gvisor", {**of_cluster, "snapshots": True, "max_nodes": 5})
components.KataNodePool("kata", {**of_cluster, "max_nodes": 2}, on_cluster)

agents = components.SandboxNamespace("agents", {}, pulumi.ResourceOptions(provider=cluster.kubernetes))
inside = pulumi.ResourceOptions(providers=[cluster.kubernetes], depends_on=[agents])
of_pool = {
    "project": project,
    "project_number": services.project_number,
    "workload_pool": cluster.workload_pool,
    "namespace": "agents",
}
reader = components.SandboxIdentity(
    "reader", {**of_pool, "rights": {"files": {"role": "roles/storage.objectViewer", "bucket": files}}}, inside
)
components.SandboxTemplate(
    "python",
    {
        "namespace": "agents",
        "image": "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.5.6",
        "service_account": reader.service_account,
        # On nodes with Workload Identity the server hands out the account's own tokens and no others.
        "egress": {"internet": True, "unsafe_metadata_server": True},
    },
    pulumi.ResourceOptions(provider=cluster.kubernetes, depends_on=[agents, gvisor]),
)
components.PodSnapshots(
    "snapshots",
    {
        **of_pool,
        "location": region,
        "bucket": config.get("snapshots", "my-snapshots"),
        "service_accounts": ["reader"],
        "delete_with_snapshots": True,
    },
    inside,
)

pulumi.export("kubeconfig", cluster.kubeconfig)
pulumi.export("principal", reader.principal)

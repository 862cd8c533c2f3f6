"""A fleet's features for one address over several clusters: multi-cluster Services and the multi-cluster Gateway.

Owns the two features and what their controllers may do. The clusters are members already (`fleet_project` of each);
Google runs both controllers and puts their kinds on the clusters.
"""

from typing import TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components.gke._checks import project_id
from components.gke._principals import principal

APIS = (
    "dns.googleapis.com",
    "gkehub.googleapis.com",
    "multiclusteringress.googleapis.com",
    "multiclusterservicediscovery.googleapis.com",
    "trafficdirector.googleapis.com",
)
"""What Google's guides to multi-cluster Services and Gateways have people enable, beside what every stack enables."""

IMPORTER = ("gke-mcs", "gke-mcs-importer")
"""The namespace and the account of multi-cluster Services' own pods in each member."""


@arguments(project=project_id)
class FleetArgs(TypedDict):
    """Arguments of Fleet."""

    project: str
    """The fleet's host project, which its members are in."""
    project_number: pulumi.Input[str]
    """Its number."""
    config_membership: pulumi.Input[str]
    """The membership whose cluster holds the Gateways, as in projects/P/locations/L/memberships/M."""


class Fleet(pulumi.ComponentResource):
    """The features; whatever needs the fleet's kinds on a cluster depends on this component."""

    config_membership: pulumi.Output[str]
    """The membership whose cluster holds the Gateways; known once the features are on."""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(FleetArgs, name, args)
        super().__init__("agent-sandbox:index:Fleet", name, {**args}, opts)
        project, number = args["project"], pulumi.Output.from_input(args["project_number"])
        services = gcp.gkehub.Feature(
            f"{name}-services",
            name="multiclusterservicediscovery",
            project=project,
            location="global",
            opts=pulumi.ResourceOptions(parent=self),
        )
        pool = {"project_number": number, "workload_pool": f"{project}.svc.id.goog"}
        importer = principal(pool, *IMPORTER)
        self._right(f"{name}-importer", project, "roles/compute.networkViewer", importer, services)
        gateways = gcp.gkehub.Feature(
            f"{name}-gateways",
            name="multiclusteringress",  # the Gateway controller goes by the older feature's name
            project=project,
            location="global",
            spec={"multiclusteringress": {"config_membership": args["config_membership"]}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
        agent = number.apply(
            lambda known: f"serviceAccount:service-{known}@gcp-sa-multiclusteringress.iam.gserviceaccount.com"
        )
        # All of container.admin is what Google's guide asks for: the controller reads and writes on every member.
        self._right(f"{name}-controller", project, "roles/container.admin", agent, gateways)
        chosen = pulumi.Output.from_input(args["config_membership"])
        self.config_membership = pulumi.Output.all(chosen, gateways.id).apply(lambda known: str(known[0]))
        self.register_outputs({"config_membership": self.config_membership})

    def _right(
        self, name: str, project: str, role: str, member: pulumi.Input[str], feature: "gcp.gkehub.Feature"
    ) -> None:
        """A right of an account that comes with its feature."""
        options = pulumi.ResourceOptions(parent=self, depends_on=[feature])
        gcp.projects.IAMMember(name, project=project, role=role, member=member, opts=options)

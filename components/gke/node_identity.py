"""The service account that nodes run as, with the rights that a node needs and no more.

Without one, nodes run as Compute Engine's default account, which may have the Editor role on the
whole project.
"""

from typing import TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components.gke._checks import project_id

ROLE = "roles/container.defaultNodeServiceAccount"
"""Writes logs and metrics; GKE's least for nodes."""


@arguments(project=project_id)
class NodeIdentityArgs(TypedDict):
    """Arguments of NodeIdentity."""

    project: str
    """The project's id."""


class NodeIdentity(pulumi.ComponentResource):
    """A service account of the component's own name, which has 6 to 30 characters."""

    email: pulumi.Output[str]
    """What node pools are told; known once its rights are there."""
    member: pulumi.Output[str]
    """What IAM bindings are told."""

    def __init__(self, name: str, args: NodeIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(NodeIdentityArgs, name, args)
        super().__init__("agent-sandbox:index:NodeIdentity", name, {**args}, opts)
        account = gcp.serviceaccount.Account(
            f"{name}-account",
            project=args["project"],
            account_id=name,
            display_name="Nodes of the Agent Sandbox",
            opts=pulumi.ResourceOptions(parent=self),
        )
        right = gcp.projects.IAMMember(
            f"{name}-right",
            project=args["project"],
            role=ROLE,
            member=account.member,
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Nodes that come up before their rights do log nowhere, and nobody sees why: so it waits for them. It is put
        # together from what a preview knows, so that policies can judge the nodes before there is an account.
        domain = f"{args['project']}.iam.gserviceaccount.com"
        self.email = pulumi.Output.all(account.account_id, right.role).apply(lambda known: f"{known[0]}@{domain}")
        self.member = account.member
        self.register_outputs({"email": self.email, "member": self.member})

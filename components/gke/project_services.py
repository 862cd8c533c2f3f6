"""The APIs of a project that a stack calls. They stay enabled when the stack goes: others may rely on them."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components.gke._checks import project_id

ALWAYS = (
    "artifactregistry.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "storage.googleapis.com",
)
"""What every stack on GKE calls."""


@arguments(project=project_id)
class ProjectServicesArgs(TypedDict):
    """Arguments of ProjectServices."""

    project: str
    """The project's id; it exists, with a billing account."""
    services: NotRequired[list[str]]
    """APIs beyond those that every stack on GKE calls, as in cloudkms.googleapis.com. Default none."""


class ProjectServices(pulumi.ComponentResource):
    """Enabled APIs. Whatever calls one depends on this component."""

    project_number: pulumi.Output[str]
    """The project's number, which service agents and identity pools are named by."""

    def __init__(self, name: str, args: ProjectServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(ProjectServicesArgs, name, args)
        super().__init__("agent-sandbox:index:ProjectServices", name, {**args}, opts)
        enabled = {
            service: gcp.projects.Service(
                f"{name}-{service.partition('.')[0]}",
                project=args["project"],
                service=service,
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for service in sorted({*ALWAYS, *args.get("services", [])})
        }
        # Waits for the one API that answers: with all of them, another API would make the number unknown for a
        # preview, and with it every binding that is named by it.
        answering = [enabled["cloudresourcemanager.googleapis.com"]]
        project = gcp.organizations.get_project_output(
            project_id=args["project"], opts=pulumi.InvokeOutputOptions(parent=self, depends_on=answering)
        )
        self.project_number = project.number
        self.register_outputs({"project_number": self.project_number})

"""Images close to the cluster: a repository for one's own, and mirrors of the registries that the stack uses.

A mirror keeps what was once pulled, so that neither an upstream outage nor its rate limit reaches a
node, and nodes need no way out for images.
"""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_gcp as gcp

from components._arguments import arguments, require_valid
from components.gke._checks import https_address, labels, project_id, region

MIRRORS = {"registry-k8s-io": "https://registry.k8s.io"}
"""Where upstream's controller, router and runtime images come from."""


@arguments(project=project_id, location=region, mirrors=https_address, labels=labels)
class ArtifactRegistryArgs(TypedDict):
    """Arguments of ArtifactRegistry."""

    project: str
    """The project's id."""
    location: str
    """The region, the cluster's."""
    mirrors: NotRequired[dict[str, str]]
    """Registries to mirror: an https address by the mirror's name. Default registry.k8s.io; {} for none."""
    readers: NotRequired[dict[str, pulumi.Input[str]]]
    """IAM members who may pull, by what they are called here, as in nodes: serviceAccount:.... Default none."""
    labels: NotRequired[dict[str, str]]
    """Labels on the repositories. Default none."""


class ArtifactRegistry(pulumi.ComponentResource):
    """A Docker repository of the component's own name, and one more for each mirror."""

    address: pulumi.Output[str]
    """What own images are pushed to and pulled from."""
    mirrors: dict[str, pulumi.Output[str]]
    """What stands for a mirrored registry's host in an image's name, by the mirror's name."""

    def __init__(self, name: str, args: ArtifactRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(ArtifactRegistryArgs, name, args)
        super().__init__("agent-sandbox:index:ArtifactRegistry", name, {**args}, opts)
        self.address = self._repository(name, name, args, None)
        self.mirrors = {
            mirror: self._repository(f"{name}-{mirror}", mirror, args, address)
            for mirror, address in args.get("mirrors", MIRRORS).items()
        }
        self.register_outputs({"address": self.address, "mirrors": self.mirrors})

    def _repository(
        self, child: str, identifier: str, args: ArtifactRegistryArgs, mirrored: str | None
    ) -> pulumi.Output[str]:
        repository = gcp.artifactregistry.Repository(
            f"{child}-repository",
            project=args["project"],
            location=args["location"],
            repository_id=identifier,
            format="DOCKER",
            mode="STANDARD_REPOSITORY" if mirrored is None else "REMOTE_REPOSITORY",
            remote_repository_config=None
            if mirrored is None
            else {"description": mirrored, "docker_repository": {"custom_repository": {"uri": mirrored}}},
            # A tag that is pushed once means the same image for ever; a mirror's tags are upstream's.
            docker_config={"immutable_tags": True} if mirrored is None else None,
            labels=args.get("labels"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for reader, member in args.get("readers", {}).items():
            gcp.artifactregistry.RepositoryIamMember(
                f"{child}-{reader}",
                project=args["project"],
                location=args["location"],
                repository=repository.repository_id,
                role="roles/artifactregistry.reader",
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        return repository.registry_uri

"""The stack that joins the clusters of other stacks: the fleet's features, and one Gateway before their routers."""

from dataclasses import dataclass
from typing import Any, cast

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

import components
from components.gke.fleet import APIS
from settings.fleet import CONFIG_REGION, READ, Fleet


class MemberError(pulumi.RunError):
    """A member's stack is not what a fleet can join."""


@dataclass
class Member:
    """A member's stack, through its outputs."""

    kubernetes: kubernetes.Provider
    membership: pulumi.Output[str]
    region: pulumi.Output[str]
    network: pulumi.Output[str]


def join(stack: Fleet, gateway: components.SandboxGatewayArgs) -> None:
    """Features first; then each cluster offers its router, and the config cluster gets the Gateway."""
    provider = gcp.Provider("gcp", project=stack.project)
    services: Any = {"project": stack.project, "services": [*APIS, *stack.services]}
    enabled = components.ProjectServices("services", services, pulumi.ResourceOptions(provider=provider))
    members = {name: _member(name, reference) for name, reference in stack.members.items()}
    config = members[stack.config]
    fleet = components.Fleet(
        "fleet",
        {
            "project": stack.project,
            "project_number": enabled.project_number,
            "config_membership": _agreed(stack, members, gateway.get("exposure", "internal") == "internal"),
        },
        pulumi.ResourceOptions(provider=provider, depends_on=[enabled]),
    )
    exports = [
        components.RouterExport(
            name,
            {
                "cluster": name,
                "namespace": gateway.get("namespace", "agent-sandbox-system"),
                "router_tls": gateway.get("router_tls", False),
            },
            pulumi.ResourceOptions(provider=member.kubernetes, depends_on=[fleet]),
        )
        for name, member in members.items()
    ]
    args = {
        **gateway,
        **({"regions": pulumi.Output.all(config.region)} if gateway.get("regions") == [CONFIG_REGION] else {}),
    }
    options = pulumi.ResourceOptions(provider=config.kubernetes, depends_on=exports)
    made = components.SandboxGateway("fleet-gateway", cast(components.SandboxGatewayArgs, args), options)
    pulumi.export("gatewayAddress", made.address)
    pulumi.export("configCluster", stack.config)
    pulumi.export("members", {name: member.membership for name, member in members.items()})


def _member(name: str, reference: str) -> Member:
    full = reference if "/" in reference else f"{pulumi.get_organization()}/{pulumi.get_project()}/{reference}"
    outputs = pulumi.StackReference(name, stack_name=full)
    read = {each: _required(outputs, name, each) for each in READ}
    cluster = kubernetes.Provider(f"{name}-kubernetes", kubeconfig=read["kubeconfig"])
    return Member(cluster, read["membership"], read["region"], read["network"])


def _required(outputs: pulumi.StackReference, stack: str, name: str) -> pulumi.Output[Any]:
    """An output of a member's stack, which is there once it is up. Raises MemberError where it is known not to be."""

    def check(value: Any) -> Any:
        if value is None:
            raise MemberError(f"Nothing was joined.\nThe stack {stack} has no output {name}.\n  Bring it up first.")
        return value

    return outputs.get_output(name).apply(check)


def _agreed(stack: Fleet, members: dict[str, Member], inside: bool) -> pulumi.Output[str]:
    """The config cluster's membership, once it is known that the members can be joined. Raises MemberError then."""
    known = {name: pulumi.Output.all(each.membership, each.network) for name, each in members.items()}

    def check(found: dict[str, list[str]]) -> str:
        problems = [
            f"The cluster of {name} is in the fleet of {membership.split('/')[1] if membership else 'no project'}.\n"
            f"  Set agent-sandbox:cluster.fleetProject to {stack.project} in its stack file, and bring it up first."
            for name, (membership, _) in found.items()
            if not membership.startswith(f"projects/{stack.project}/")
        ]
        networks = {network for _, network in found.values()}
        if inside and len(networks) > 1:
            problems.append(
                f"The members are in {len(networks)} networks: {', '.join(sorted(networks))}.\n"
                "  An internal Gateway reaches one. Put them into one with agent-sandbox:network.vpc."
            )
        if problems:
            raise MemberError("Nothing was joined.\n" + "\n".join(problems))
        return found[stack.config][0]

    return pulumi.Output.all(**known).apply(check)

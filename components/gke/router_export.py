"""One cluster's router, offered to its fleet.

A sandbox is on one cluster, and so are the tokens that its router takes: requests for it may go nowhere else. Each
cluster's router is therefore exported under a name of its own, beside the Service that all clusters have.
"""

from typing import NotRequired, TypedDict

import pulumi

from components._arguments import arguments, require_valid
from components._checks import dns_label
from components._gateway_objects import of_cluster
from components._kubernetes import MANAGED_BY, NO_WAIT, SYSTEM_NAMESPACE, KubernetesObject
from components._router_objects import SELECTOR, SERVICE


@arguments(cluster=dns_label, namespace=dns_label)
class RouterExportArgs(TypedDict):
    """Arguments of RouterExport."""

    cluster: str
    """What the fleet's Gateway calls the cluster; no other cluster of the fleet has this name."""
    namespace: NotRequired[str]
    """The router's namespace. Default agent-sandbox-system."""
    router_tls: NotRequired[bool]
    """Whether the router itself serves HTTPS, on port 8443. Default false: HTTP on 8080."""


class RouterExport(pulumi.ComponentResource):
    """A Service for the router that only this cluster has, and its export."""

    service: pulumi.Output[str]
    """The name of the Service, and of its ServiceImport on the fleet's clusters."""

    def __init__(self, name: str, args: RouterExportArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError for wrong arguments."""
        require_valid(RouterExportArgs, name, args)
        super().__init__("agent-sandbox:index:RouterExport", name, {**args}, opts)
        service = of_cluster(SERVICE, args["cluster"])
        metadata = {"name": service, "namespace": args.get("namespace", SYSTEM_NAMESPACE), "labels": MANAGED_BY}
        port: dict[str, object] = {"name": "proxy", "port": 8080, "targetPort": "proxy"}
        if args.get("router_tls", False):
            port = {"name": "proxy-tls", "port": 8443, "targetPort": "proxy-tls", "appProtocol": "HTTPS"}
        spec = {"selector": SELECTOR, "ports": [port]}
        described = {**metadata, "annotations": NO_WAIT}
        made = KubernetesObject(
            f"{name}-service",
            {"apiVersion": "v1", "kind": "Service", "metadata": described, "spec": spec},
            pulumi.ResourceOptions(parent=self),
        )
        exported = KubernetesObject(
            f"{name}-export",
            {"apiVersion": "net.gke.io/v1", "kind": "ServiceExport", "metadata": metadata},
            pulumi.ResourceOptions(parent=self, depends_on=[made]),
        )
        self.service = exported.urn.apply(lambda _: service)
        self.register_outputs({"service": self.service})

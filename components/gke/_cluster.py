"""What both kinds of cluster give back: their outputs, a kubeconfig, and a provider for what runs on them."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
import yaml

from components.gke._checks import version_key
from components.gke._cluster_args import ADDON_VERSION


class Cluster(pulumi.ComponentResource):
    """What a cluster gives back, whichever kind it is."""

    cluster_name: pulumi.Output[str]
    """The cluster's name, for node pools."""
    location: pulumi.Output[str]
    """Its region or zone, for node pools."""
    endpoint: pulumi.Output[str]
    """The control plane's DNS name."""
    ca_certificate: pulumi.Output[str]
    """The certificate authority of its IP address, in base64; the DNS name's certificate is a public one."""
    version: pulumi.Output[str]
    """The control plane's version."""
    kubeconfig: pulumi.Output[str]
    """A kubeconfig for gke-gcloud-auth-plugin; a secret."""
    workload_pool: pulumi.Output[str]
    """The project's identity pool, which exists once this is known."""
    membership: pulumi.Output[str]
    """Its membership in a fleet, as in projects/P/locations/L/memberships/M; empty where it is in none."""
    kubernetes: kubernetes.Provider
    """A provider for what runs on the cluster."""

    def offer(
        self, name: str, args: Mapping[str, Any], cluster: "gcp.container.Cluster", after: list[pulumi.Resource]
    ) -> None:
        """Set the outputs, which wait for `after`: without nodes nothing that is put on the cluster runs."""
        self.cluster_name, self.location = cluster.name, cluster.location
        self.version = cluster.master_version
        self.endpoint = cluster.control_plane_endpoints_config.apply(_dns_name)
        self.ca_certificate = cluster.master_auth.apply(lambda auth: str(auth.cluster_ca_certificate or ""))
        self.workload_pool = cluster.id.apply(lambda _: f"{args['project']}.svc.id.goog")
        self.membership = cluster.fleet.apply(_membership)
        trusted = pulumi.Output.all(name=cluster.name, endpoint=self.endpoint, version=self.version)
        managed = bool(args.get("agent_sandbox", False))
        self.kubeconfig = pulumi.Output.secret(trusted.apply(lambda known: _kubeconfig(**known, managed=managed)))
        self.kubernetes = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig,
            # A cluster that is gone takes what was on it along; nothing is left to be deleted there.
            opts=pulumi.ResourceOptions(parent=self, depends_on=after, deleted_with=cluster),
        )
        self.register_outputs(
            {
                "cluster_name": self.cluster_name,
                "location": self.location,
                "endpoint": self.endpoint,
                "ca_certificate": self.ca_certificate,
                "version": self.version,
                "kubeconfig": self.kubeconfig,
                "workload_pool": self.workload_pool,
                "membership": self.membership,
            }
        )


class VersionError(pulumi.RunError):
    """The cluster that GKE made is too old for what it was asked for."""


def _membership(fleet: Any) -> str:
    return str((fleet and fleet.membership) or "").removeprefix("//gkehub.googleapis.com/")


def _dns_name(config: Any) -> str:
    return str(config.dns_endpoint_config.endpoint or "")


def _kubeconfig(name: str, endpoint: str, version: str, managed: bool) -> str:
    """Raises VersionError where the release channel's version is too old for the managed add-on."""
    if managed and version_key(version) < version_key(ADDON_VERSION):
        raise VersionError(
            f"The cluster {name} runs {version}, but the managed Agent Sandbox add-on serves v1beta1 only from"
            f" {ADDON_VERSION} on.\n  Nothing was put on it. Set its version to {ADDON_VERSION} or later, choose a"
            " faster release channel, or use upstream's controller."
        )
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "gke-gcloud-auth-plugin",
        "installHint": "Install gke-gcloud-auth-plugin: gcloud components install gke-gcloud-auth-plugin",
        "interactiveMode": "Never",
        "provideClusterInfo": True,
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{endpoint}"}}],
        "users": [{"name": name, "user": {"exec": plugin}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return str(yaml.safe_dump(config))

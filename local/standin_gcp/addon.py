"""GKE's managed add-ons: what a cluster has while one is enabled.

The Agent Sandbox add-on is upstream's release here, in a namespace of GKE's own. Disabled, its
controller goes; its kinds, and with them every sandbox, are left to whoever takes over. The pod
snapshot add-on is its kinds alone: nothing here takes a snapshot.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import releases
from components import _upstream
from components._kubernetes import SYSTEM_NAMESPACE
from local.standin_gcp import clusters
from local.standin_gcp.cloud import Refused
from local.standin_gcp.validation import CLUSTER, at

NAMESPACE = "gke-managed-agentsandbox"
SNAPSHOT_KINDS = Path(__file__).parent / "podsnapshot.yaml"
FLEET_KINDS = Path(__file__).parent / "fleet.yaml"
FEATURE, SERVICES = "gcp:gkehub/feature:Feature", "multiclusterservicediscovery"
RESOURCES = {"requests": {"cpu": "250m", "memory": "256Mi"}}

Manifest = dict[str, Any]


def follow(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Make the embedded control plane what a cluster's add-ons say, where that changes. Raises Refused."""
    if kind == FEATURE and after.get("name") == SERVICES:
        for kubeconfig in clusters.kubeconfigs():
            run_kubectl(kubeconfig, "apply", "--server-side", f"--filename={FLEET_KINDS}")
    if kind != CLUSTER:
        return
    for addon, switch in {"agentSandboxConfig": _agent_sandbox, "podSnapshotConfig": _pod_snapshots}.items():
        was, is_now = (bool(at(inputs, f"addonsConfig.{addon}.enabled")) for inputs in (before, after))
        if was != is_now:
            switch(is_now)


def forget(kind: str, outputs: Mapping[str, Any]) -> None:
    """A deleted cluster takes along what was left on it; the embedded control plane is not deleted.

    A fleet's feature takes its kinds along, from all members.
    """
    if kind == FEATURE and outputs.get("name") == SERVICES:
        for kubeconfig in clusters.kubeconfigs():
            run_kubectl(kubeconfig, "delete", "--ignore-not-found", "--wait=false", f"--filename={FLEET_KINDS}")
    if kind != CLUSTER:
        return
    theirs = _release()
    _kubectl("delete", [*theirs, *(_as_gkes_own(each) for each in theirs)], "--ignore-not-found")
    _pod_snapshots(enabled=False)


def _agent_sandbox(enabled: bool) -> None:
    documents = [_as_gkes_own(each) for each in _release()]
    if enabled:
        _kubectl("apply", documents, "--server-side", "--force-conflicts")
    else:
        controller = [each for each in documents if each["kind"] != "CustomResourceDefinition"]
        _kubectl("delete", controller, "--ignore-not-found", "--wait=false")


def _release() -> list[Manifest]:
    release = releases.default()
    release.fetch()
    documents = _upstream.load(str(release.manifest_path), release.sha256)
    changes = _upstream.Changes(image=release.controller_image, replicas=1, resources=RESOURCES)
    hardened: list[Manifest] = _upstream.harden(documents, changes)
    return hardened


def _as_gkes_own(document: Manifest) -> Manifest:
    """Upstream's object under names of GKE's, so that both can be on a cluster while one follows the other."""
    if document["kind"] == "CustomResourceDefinition":
        return document
    text = json.dumps(document).replace(f'"{SYSTEM_NAMESPACE}"', f'"{NAMESPACE}"')
    own: Manifest = json.loads(text)
    if own["kind"].startswith("ClusterRole"):
        own["metadata"]["name"] = f"gke-{own['metadata']['name']}"
    if own["kind"] == "ClusterRoleBinding":
        own["roleRef"]["name"] = f"gke-{own['roleRef']['name']}"
    if own["kind"] == "Deployment":
        own["spec"]["template"]["spec"].pop("priorityClassName", None)
    return own


def _pod_snapshots(enabled: bool) -> None:
    if enabled:
        _run("apply", "--server-side", f"--filename={SNAPSHOT_KINDS}")
    else:
        _run("delete", "--ignore-not-found", "--wait=false", f"--filename={SNAPSHOT_KINDS}")


def _kubectl(verb: str, documents: list[Manifest], *options: str) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": documents}
    _run(verb, *options, "--filename=-", stdin=json.dumps(listed))


def _run(*arguments: str, stdin: str | None = None) -> None:
    run_kubectl(clusters.own_kubeconfig(), *arguments, stdin=stdin)


def run_kubectl(kubeconfig: Path, *arguments: str, stdin: str | None = None) -> None:
    """Run kubectl against an embedded control plane. Raises Refused with its words."""
    command = ["kubectl", f"--kubeconfig={kubeconfig}", *arguments]
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise Refused(f"the cluster cannot be changed: {ended.stderr.strip()}")

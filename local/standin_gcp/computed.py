"""What Google Cloud adds to what it is given: ids, addresses, emails, versions."""

import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local.standin_gcp.cloud import Json, Refused, project_number

Compute = Callable[[Mapping[str, Any]], Any]
"""From a resource's inputs, the value of one output."""

CLUSTER_VERSION = "1.36.3-gke.1767000"
"""The version that an unpinned cluster gets: the first whose managed add-on serves v1beta1."""


@dataclass(frozen=True)
class Kind:
    """A type of resource: its id, a template over its inputs, its API, and what it computes."""

    identifier: str
    api: str
    outputs: dict[str, Compute] = field(default_factory=dict)
    name: str = "name"
    """The property that holds its name, which the provider makes up where it is left out; or ""."""


def control_plane() -> Json:
    """The embedded control plane's address and certificate authority. Raises Refused."""
    file = Path(os.environ["AGENT_SANDBOX_OWNER"]) / "kubeconfig"
    if not file.exists():
        raise Refused("The stand-in has no control plane to hand out: the embedded one is not up.")
    cluster: Json = yaml.safe_load(file.read_text())["clusters"][0]["cluster"]
    return {"host": cluster["server"].removeprefix("https://"), "ca": cluster["certificate-authority-data"]}


def _link(inputs: Mapping[str, Any], path: str) -> str:
    return f"https://www.googleapis.com/compute/v1/{path.format(**inputs)}"


def _address(inputs: Mapping[str, Any]) -> str:
    """A documentation address (RFC 5737), the same for the same name."""
    return f"203.0.113.{int(hashlib.sha256(str(inputs['name']).encode()).hexdigest(), 16) % 254 + 1}"


def _compute(path: str, **outputs: Compute) -> Kind:
    made = {"selfLink": lambda inputs: _link(inputs, path), **outputs}
    return Kind(path, "compute.googleapis.com", made)


def _member(resource: str, api: str) -> Kind:
    made = {"etag": lambda inputs: base64.b64encode(str(sorted(inputs)).encode()).decode()[:12]}
    return Kind(f"{resource}/{{role}}/{{member}}", api, made, name="")


def _fleet(inputs: Mapping[str, Any]) -> Json | None:
    """The membership that a cluster gets in its region where it names a fleet."""
    if "fleet" not in inputs:
        return None
    place = inputs["location"]
    region = place.rpartition("-")[0] if place.count("-") == 2 else place
    path = f"projects/{inputs['fleet']['project']}/locations/{region}/memberships/{inputs['name']}"
    return {
        "membership": f"//gkehub.googleapis.com/{path}",
        "membershipId": inputs["name"],
        "membershipLocation": region,
        "preRegistered": False,
    }


def _email(inputs: Mapping[str, Any]) -> str:
    return f"{inputs['accountId']}@{inputs['project']}.iam.gserviceaccount.com"


def _repository_uri(inputs: Mapping[str, Any]) -> str:
    return f"{inputs['location']}-docker.pkg.dev/{inputs['project']}/{inputs['repositoryId']}"


CERTIFICATES = "certificatemanager.googleapis.com"
CONTAINER = "container.googleapis.com"
STORAGE = "storage.googleapis.com"

KINDS: dict[str, Kind] = {
    "gcp:projects/service:Service": Kind("{project}/{service}", "", name=""),
    "gcp:projects/iAMMember:IAMMember": _member("{project}", "cloudresourcemanager.googleapis.com"),
    "gcp:serviceaccount/account:Account": Kind(
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
        "iam.googleapis.com",
        {
            "email": _email,
            "member": lambda inputs: f"serviceAccount:{_email(inputs)}",
            "name": lambda inputs: f"projects/{inputs['project']}/serviceAccounts/{_email(inputs)}",
            "uniqueId": lambda inputs: project_number(_email(inputs)),
        },
        name="accountId",
    ),
    "gcp:serviceaccount/iAMMember:IAMMember": _member("{serviceAccountId}", "iam.googleapis.com"),
    "gcp:compute/network:Network": _compute(
        "projects/{project}/global/networks/{name}",
        gatewayIpv4=lambda _: "",
        numericId=lambda i: project_number(i["name"]),
    ),
    "gcp:compute/subnetwork:Subnetwork": _compute("projects/{project}/regions/{region}/subnetworks/{name}"),
    "gcp:compute/router:Router": _compute("projects/{project}/regions/{region}/routers/{name}"),
    "gcp:compute/routerNat:RouterNat": Kind("{project}/{region}/{router}/{name}", "compute.googleapis.com"),
    "gcp:compute/firewall:Firewall": _compute("projects/{project}/global/firewalls/{name}"),
    "gcp:compute/address:Address": _compute("projects/{project}/regions/{region}/addresses/{name}", address=_address),
    "gcp:compute/globalAddress:GlobalAddress": _compute("projects/{project}/global/addresses/{name}", address=_address),
    "gcp:compute/securityPolicy:SecurityPolicy": _compute("projects/{project}/global/securityPolicies/{name}"),
    "gcp:compute/sSLPolicy:SSLPolicy": _compute("projects/{project}/global/sslPolicies/{name}"),
    "gcp:artifactregistry/repository:Repository": Kind(
        "projects/{project}/locations/{location}/repositories/{repositoryId}",
        "artifactregistry.googleapis.com",
        {"name": lambda inputs: inputs["repositoryId"], "registryUri": _repository_uri},
        name="repositoryId",
    ),
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": _member(
        "projects/{project}/locations/{location}/repositories/{repository}", "artifactregistry.googleapis.com"
    ),
    "gcp:storage/bucket:Bucket": Kind(
        "{name}",
        STORAGE,
        {
            "url": lambda inputs: f"gs://{inputs['name']}",
            "selfLink": lambda inputs: f"https://www.googleapis.com/storage/v1/b/{inputs['name']}",
        },
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": _member("b/{bucket}", STORAGE),
    "gcp:container/cluster:Cluster": Kind(
        "projects/{project}/locations/{location}/clusters/{name}",
        CONTAINER,
        {
            "endpoint": lambda _: control_plane()["host"],
            "masterVersion": lambda inputs: inputs.get("minMasterVersion") or CLUSTER_VERSION,
            "masterAuth": lambda _: {"clusterCaCertificate": control_plane()["ca"]},
            "controlPlaneEndpointsConfig": lambda _: {"dnsEndpointConfig": {"endpoint": control_plane()["host"]}},
            "fleet": _fleet,
            "selfLink": lambda i: (
                "https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{name}".format(
                    **i
                )
            ),
        },
    ),
    "gcp:container/nodePool:NodePool": Kind(
        "{project}/{location}/{cluster}/{name}",
        CONTAINER,
        {"version": lambda inputs: inputs.get("version") or CLUSTER_VERSION},
    ),
    "gcp:gkehub/feature:Feature": Kind(
        "projects/{project}/locations/{location}/features/{name}", "gkehub.googleapis.com"
    ),
    "gcp:certificatemanager/certificate:Certificate": Kind(
        "projects/{project}/locations/{location}/certificates/{name}", CERTIFICATES
    ),
    "gcp:certificatemanager/certificateMap:CertificateMap": Kind(
        "projects/{project}/locations/global/certificateMaps/{name}", CERTIFICATES
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": Kind(
        "projects/{project}/locations/global/certificateMaps/{map}/certificateMapEntries/{name}", CERTIFICATES
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": Kind(
        "projects/{project}/locations/{location}/dnsAuthorizations/{name}", CERTIFICATES
    ),
}
"""Every type that this project's components declare."""

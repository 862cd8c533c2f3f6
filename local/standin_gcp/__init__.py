"""A stand-in for Google Cloud, so that the GKE stacks run in Pulumi's real engine with no account.

It speaks Pulumi's provider protocol in the place of pulumi-resource-gcp. It keeps what it is given,
computes what Google computes, knows which changes replace (replaces.json) and refuses what the
provider and the APIs refuse (validation.py, api.py). A cluster's endpoint is the embedded control
plane, so the Kubernetes half of a stack is really applied.

What it does not tell: quotas, prices, how long things take, whether an image exists, and whatever an
organization's own policies forbid.
"""

import base64
import json
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local.paths import CHECKOUT, State

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What Pulumi's engine writes for a value that is not known yet (sdk/go/common/resource/plugin/rpc.go)."""
NEIGHBOURS = "STANDIN_GCP_NEIGHBOURS"
MEMBERS = "STANDIN_GCP_MEMBERS"
"""Variables that tell the stand-in where the states are of other stacks, and of those that a fleet joins."""
KEPT = "standin-gcp.json"
"""The file in a stack's state that holds what its stand-in keeps."""

PROGRAMS = Path(__file__).parent / "bin"
"""What of Google's is stood in for, by the names that Pulumi's engine and a GKE kubeconfig look for on PATH. They
are linked to where a stand-in's own engine looks, and are on nobody else's PATH."""

NOTICE = (
    "This is the stand-in for Google Cloud on this machine: no account is used, nothing is made in your project,"
    " nothing is paid for."
)


def members_of(stack_file: Path) -> dict[str, State]:
    """The states of the stacks that a fleet's stack file joins, by the stack's name; none for another stack file, or
    for a program's stack that has none yet.
    """
    from settings.fleet import name_of  # noqa: PLC0415 - loads the SDK, which most commands do without

    content = (yaml.safe_load(stack_file.read_text()) if stack_file.exists() else None) or {}
    listed = (content.get("config") or {}).get("agent-sandbox:members") or []
    names = json.loads(listed) if isinstance(listed, str) else listed
    return {name_of(each): State.of_checkout(name_of(each)) for each in names}


def attach(state: State, members: Mapping[str, State]) -> dict[str, str]:
    """Put the stand-in where an engine finds it; returns what its environment needs beside its own.

    What this checkout's other stacks have on their stand-ins is there too, since there is one Google Cloud. With
    `members`, the stacks whose clusters a fleet's stack joins, their clusters can be reached.
    """
    folder = state.root / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS.iterdir():
        link = folder / program.name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    stacks = [State.of_checkout(file.name.split(".")[1]) for file in CHECKOUT.glob("Pulumi.*.yaml")]
    neighbours = [each.root for each in stacks if each != state and (each.root / KEPT).exists()]
    return {
        "SSL_CERT_FILE": str(state.root / "trusted.pem"),
        NEIGHBOURS: os.pathsep.join(map(str, neighbours)),
        MEMBERS: os.pathsep.join(str(each.root) for each in members.values()),
    }


def trust(state: State, members: Mapping[str, State]) -> None:
    """Let an engine and what it starts trust the embedded control planes, beside what this machine trusts.

    A GKE kubeconfig names no authority: its DNS endpoint has a certificate that every machine trusts.
    """
    system = ssl.get_default_verify_paths().cafile
    known = Path(system).read_text() if system else ""
    (state.root / "trusted.pem").write_text(known + "".join(map(_authority, [state, *members.values()])))


def _authority(state: State) -> str:
    """The embedded control plane's certificate authority; nothing before it is up, as for a preview."""
    if not state.kubeconfig.exists():
        return ""
    cluster = yaml.safe_load(state.kubeconfig.read_text())["clusters"][0]["cluster"]
    return base64.b64decode(cluster["certificate-authority-data"]).decode() + "\n"


def show_members(state: State, members: Mapping[str, State], project: str) -> None:
    """Let stack references in a fleet's own backend find the members' stacks, each of which has one of its own.

    One that is not up has outputs that are not known yet, so that a preview needs no cluster.
    """
    folder = state.backend / ".pulumi" / "stacks" / project
    folder.mkdir(parents=True, exist_ok=True)
    for name, member in members.items():
        shown, real = folder / f"{name}.json", member.backend / ".pulumi" / "stacks" / project / f"{name}.json"
        shown.unlink(missing_ok=True)
        if real.exists():
            shown.symlink_to(real)
        else:
            shown.write_text(json.dumps(_not_up(name, project)))


def _not_up(name: str, project: str) -> dict[str, Any]:
    """What an engine would have written down of a stack, all of whose outputs only an update tells."""
    from settings.fleet import READ  # noqa: PLC0415 - as above

    outputs = dict.fromkeys(READ, UNKNOWN)
    urn = f"urn:pulumi:{name}::{project}::pulumi:pulumi:Stack::{project}-{name}"
    stack = {"urn": urn, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": outputs}
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": ""}
    return {
        "version": 3,
        "checkpoint": {
            "stack": f"organization/{project}/{name}",
            "latest": {"manifest": manifest, "resources": [stack]},
        },
    }

"""A stand-in for Google Cloud, so that the GKE stacks run in Pulumi's real engine with no account.

It speaks Pulumi's provider protocol in the place of pulumi-resource-gcp. It keeps what it is given,
computes what Google computes, knows which changes replace (replaces.json) and refuses what the
provider and the APIs refuse (validation.py, api.py). A cluster's endpoint is the embedded control
plane, so the Kubernetes half of a stack is really applied.

What it does not tell: quotas, prices, how long things take, whether an image exists, and whatever an
organization's own policies forbid.
"""

import base64
import ssl
from pathlib import Path

import yaml

from local.paths import State

PROGRAMS = Path(__file__).parent / "bin"
"""What of Google's is stood in for, by the names that Pulumi's engine and a GKE kubeconfig look for on PATH. They
are linked to where a stand-in's own engine looks, and are on nobody else's PATH."""

NOTICE = (
    "This is the stand-in for Google Cloud on this machine: no account is used, nothing is made in your project,"
    " nothing is paid for."
)


def attach(state: State) -> dict[str, str]:
    """Put the stand-in where an engine finds it; returns what its environment needs beside its own."""
    folder = state.root / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS.iterdir():
        link = folder / program.name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return {"SSL_CERT_FILE": str(state.root / "trusted.pem")}


def trust(state: State) -> None:
    """Let an engine and what it starts trust the embedded control plane, beside what this machine trusts.

    A GKE kubeconfig names no authority: its DNS endpoint has a certificate that every machine trusts.
    """
    system = ssl.get_default_verify_paths().cafile
    known = Path(system).read_text() if system else ""
    (state.root / "trusted.pem").write_text(known + _authority(state))


def _authority(state: State) -> str:
    """The embedded control plane's certificate authority; nothing before it is up, as for a preview."""
    if not state.kubeconfig.exists():
        return ""
    cluster = yaml.safe_load(state.kubeconfig.read_text())["clusters"][0]["cluster"]
    return base64.b64decode(cluster["certificate-authority-data"]).decode()

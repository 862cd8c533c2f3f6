"""The embedded control planes that stand in for GKE clusters: this stack's own, or those of a fleet's members."""

import os
from pathlib import Path

from local.processes import MARK
from local.standin_gcp import KEPT, MEMBERS, NEIGHBOURS


def kept() -> list[Path]:
    """What is kept of Google Cloud: by this stack, and then by the others of this checkout."""
    return [root / KEPT for root in _roots(MARK, NEIGHBOURS)]


def own_kubeconfig() -> Path:
    return _roots(MARK)[0] / "kubeconfig"


def are_joined() -> bool:
    """Whether this stack joins those of others, and has no cluster of its own."""
    return bool(_roots(MEMBERS))


def kubeconfigs() -> list[Path]:
    """Of the clusters that are up."""
    roots = _roots(MEMBERS) or _roots(MARK)
    return [file for root in roots if (file := root / "kubeconfig").exists()]


def _roots(*variables: str) -> list[Path]:
    listed = [each for name in variables for each in os.environ.get(name, "").split(os.pathsep)]
    return [Path(each) for each in listed if each]

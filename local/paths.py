"""Where things lie: the checkout, its state, and the per-user cache that clones share.

The state belongs to one checkout and is all that `down` has to remove. The cache holds what is
expensive to make and the same for everybody: built tools and Python environments, keyed by version.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local import bootstrap

CHECKOUT = Path(bootstrap.CHECKOUT)
CACHE = Path(bootstrap.cache_root())


@dataclass(frozen=True)
class State:
    """One deployment's folder; `$AGENT_SANDBOX_STATE` puts it elsewhere, so that several can run."""

    root: Path

    @classmethod
    def of_checkout(cls, stack: str = "local") -> "State":
        """The folder of the checkout's deployment, or of one that another stack has on the stand-in for GKE."""
        override = os.environ.get("AGENT_SANDBOX_STATE")
        root = Path(override).absolute() if override else CHECKOUT / ".state"
        return cls(root if stack == "local" else root.with_name(f"{root.name}-{stack}"))

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def kwok(self) -> Path:
        """Kwokctl's work directory: etcd's data, certificates, component logs."""
        return self.root / ".kwok"

    @property
    def backend(self) -> Path:
        """Pulumi's file backend: the stack's state and its history."""
        return self.root / "pulumi"

    @property
    def pulumi_home(self) -> Path:
        return self.root / "pulumi-home"

    @property
    def logs(self) -> Path:
        return self.root / "logs"


@contextlib.contextmanager
def made_whole(directory: Path) -> Iterator[Path]:
    """A folder to fill, renamed to `directory` when the block ends well and removed otherwise.

    A reader sees all of it or nothing. The caller holds the lock that keeps a second writer away.
    """
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(directory, ignore_errors=True)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)

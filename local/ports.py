"""Ports of control planes: a deployment keeps its own as long as its state exists.

One that is down for a moment, killed say, must find its ports free when it comes back; so another
deployment that starts meanwhile is told to stay away from them.
"""

import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from local.bootstrap import locked
from local.paths import CACHE

HIGHEST = 32767
"""The first choice, and then downwards: the system gives ports to outgoing connections from 32768 up."""


def reserve(owner: Path, names: Sequence[str], waiting: Callable[[], None]) -> dict[str, int]:
    """A free port for each of `names`, kept for `owner` until that path is gone."""
    registry = CACHE / "ports.json"
    with locked(f"{CACHE}/ports.lock", waiting):
        try:
            kept: dict[str, list[int]] = json.loads(registry.read_text())
        except (FileNotFoundError, ValueError):
            kept = {}
        kept = {path: ports for path, ports in kept.items() if Path(path).exists() and path != str(owner)}
        taken = {port for ports in kept.values() for port in ports}
        free = (port for port in range(HIGHEST, 1024, -1) if port not in taken and _is_free(port))
        chosen = {name: next(free) for name in names}
        partial = registry.with_suffix(".partial")
        partial.write_text(json.dumps({**kept, str(owner): list(chosen.values())}))
        partial.replace(registry)
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

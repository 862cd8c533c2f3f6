"""The processes of one deployment: how they are recognized, listed and ended.

Everything this project starts carries the deployment's state folder in its environment, and so do
its children: a process is ours if it says so itself. Process ids in files would do until a reboot,
or a crash, hands the same number to somebody else.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

MARK = "AGENT_SANDBOX_OWNER"


def environment(state: Path) -> dict[str, str]:
    """The environment for a process that belongs to the deployment in `state`."""
    return {**os.environ, MARK: str(state)}


def belonging_to(state: Path) -> list[psutil.Process]:
    """The deployment's processes, without this one and its parents."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.environ().get(MARK) == str(state):
                found.append(process)
        except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
            continue
    return found


def kill_all(state: Path) -> int:
    """Kill the deployment's processes, and those that they start meanwhile; returns how many there were."""
    killed = 0
    while ours := belonging_to(state):
        for process in ours:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(ours, timeout=10)
        killed += len(ours)
    return killed


def end(processes: Iterable[psutil.Process], patience: float = 10.0) -> None:
    """Ask the processes to end; kill those that have not after `patience` seconds."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(asked, timeout=patience)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=patience)

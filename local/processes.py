"""The processes of one deployment: how they are recognized, listed and ended.

Everything this project starts carries the deployment's state folder in its environment, and so do
its children: a process is ours if it says so itself. Process ids in files would do until a reboot,
or a crash, hands the same number to somebody else.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from local.paths import CHECKOUT

MARK = "AGENT_SANDBOX_OWNER"


def environment(state: Path) -> dict[str, str]:
    """The environment of a process that belongs to the deployment in the folder `state`.

    Its temporary files go there too: clients keep credentials in them, which one that is killed leaves behind.
    """
    temporary = state / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {**os.environ, MARK: str(state), "TMPDIR": str(temporary)}


def start(module: str, state: Path, log: Path, *arguments: str) -> None:
    """Start one of this project's own modules, to run for the deployment in `state` after this process has ended."""
    with log.open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", module, str(state), *arguments],
            cwd=CHECKOUT,
            env=environment(state),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


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
        _wait(ours, 10.0)
        killed += len(ours)
    return killed


def end(processes: Iterable[psutil.Process], patience: float = 10.0) -> None:
    """Ask the processes to end; kill those that have not after `patience` seconds."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in _wait(asked, patience):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _wait(asked, patience)


def _wait(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those of `processes` that still run after `seconds`; one that its parent has not buried yet does not."""
    deadline = time.monotonic() + seconds
    left = list(processes)
    while left := [process for process in left if runs(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return left


def runs(process: psutil.Process) -> bool:
    """Whether the process is there, and not merely waiting for its parent to notice that it ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command(process: psutil.Process) -> list[str]:
    """A process's command line; empty if it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []

"""The local platform: how long it takes to come up, to do nothing, to give a sandbox; what memory it holds.

    make bench

Needs the tools to be there (`make toolchain`) and an otherwise idle machine. Runs in a state folder of
its own and leaves nothing behind.
"""

import os
import platform as machine
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from local import processes
from local.paths import CHECKOUT

ROUNDS = 3


def run(state: Path, *arguments: str) -> tuple[float, str]:
    """Seconds that a command took, and what it printed."""
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "AGENT_SANDBOX_STATE": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{ended.stdout}{ended.stderr}")
    return time.monotonic() - started, ended.stdout


def resident(state: Path) -> dict[str, float]:
    """MiB that each process of the deployment holds, by program; shared pages count for each."""
    return {Path(each.cmdline()[0]).name: each.memory_info().rss / 2**20 for each in processes.belonging_to(state)}


def main() -> None:
    ups, agains, downs, claims, memory = [], [], [], [], []
    parts: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
            ups.append(run(state, "up")[0])
            agains.append(run(state, "up")[0])
            printed = run(state, "claim", "--count", "20")[1]
            found = re.search(r"median (\S+) s", printed)
            claims.append(float(found[1]) if found else float("nan"))
            parts = resident(state)
            memory.append(sum(parts.values()))
            downs.append(run(state, "down")[0])
    print(f"{machine.platform()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB")
    print(f"{ROUNDS} rounds; median (least to most)\n")
    print("| what | figure |")
    print("|---|---|")
    for what, figures, unit in (
        ("up, from nothing to a full pool of 2", ups, "s"),
        ("up again", agains, "s"),
        ("claim to Ready, median of 20 in a row", claims, "s"),
        ("resident memory of the whole platform", memory, "MiB"),
        ("down", downs, "s"),
    ):
        digits = 3 if unit == "s" and max(figures) < 1 else 0 if unit == "MiB" else 1
        spread = f"{min(figures):.{digits}f} to {max(figures):.{digits}f}"
        print(f"| {what} | {statistics.median(figures):.{digits}f} {unit} ({spread}) |")
    print("\nresident, MiB: " + ", ".join(f"{name} {size:.0f}" for name, size in sorted(parts.items())))


if __name__ == "__main__":
    main()

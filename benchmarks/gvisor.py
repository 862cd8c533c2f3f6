"""A real node: up and down, and what a warm pool saves, claim by claim, as the Python client sees it.

    make bench-gvisor
    make bench-gvisor ARGS="--claims 5 --rounds 2"      a quick look

Needs what `make up NODE=gvisor` needs, the tools and images to be there (`make toolchain NODE=gvisor`), and an
otherwise idle machine; a quarter of an hour. Warm and cold claims take turns in one run. Writes the plot
docs/gvisor-claims.svg, prints the figures beside their bars, and leaves nothing behind.
"""

import argparse
import copy
import datetime
import math
import os
import platform as machine
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.platform import run
from local.api import EXTENSIONS, Api
from local.node import hello
from local.paths import CHECKOUT, State

NAMESPACE = "sandboxes"
PLOT = CHECKOUT / "docs" / "gvisor-claims.svg"


@dataclass
class Series:
    """Seconds of one thing that was measured again and again."""

    title: str
    bar: float | None = None
    """What the median is to be at most."""
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        verdict = "" if self.bar is None else f"{self.bar:g} s: {'met' if self.median <= self.bar else 'NOT met'}"
        span = f"{min(self.seconds):.3f} to {max(self.seconds):.3f}"
        return f"| {self.title} | {self.median:.3f} s ({span}) | {len(self.seconds)} | {verdict} |"


def stack_with_a_cold_pool(folder: Path) -> list[str]:
    """The local stack with one more pool, in which nothing waits."""
    content: Any = copy.deepcopy(yaml.safe_load((CHECKOUT / "Pulumi.local.yaml").read_text()))
    content["config"]["agent-sandbox:warmPools"]["cold"] = {"template": "python", "replicas": 0}
    file = folder / "Pulumi.bench.yaml"
    file.write_text(yaml.safe_dump(content))
    return ["--config-file", str(file)]


def claim(client: Any, pool: str, ready: Series, first: Series) -> None:
    """One claim, its first command, and the sandbox given back."""
    started = time.monotonic()
    sandbox = client.create_sandbox(pool, NAMESPACE, sandbox_ready_timeout=120)
    became_ready = time.monotonic()
    said = sandbox.commands.run(f"echo '{hello.GREETING}'").stdout
    answered = time.monotonic()
    if said != f"{hello.GREETING}\n":
        raise SystemExit(f"the sandbox said {said!r}")
    ready.seconds.append(became_ready - started)
    first.seconds.append(answered - became_ready)
    sandbox.terminate()


def wait_until_idle(api: Api) -> None:
    """Wait until the warm pool is full and nothing else runs in the namespace."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        pool = api.get(f"{EXTENSIONS}/namespaces/{NAMESPACE}/sandboxwarmpools/python")
        pods = api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
        if pool.get("status", {}).get("readyReplicas") == pool["spec"]["replicas"] == len(pods):
            time.sleep(1)  # what the last claim set off is over
            return
        time.sleep(0.1)
    raise SystemExit("the pool did not fill up again")


def measure_claims(folder: Path, times: int) -> list[Series]:
    """Warm and cold claims in turns, on one deployment."""
    state = State(folder / "claims")
    config = stack_with_a_cold_pool(folder)
    run(state.root, "up", "--node", "gvisor", *config)
    series = [
        Series("warm: claim to Ready", 0.12),
        Series("warm: first command", 0.2),
        Series("cold: claim to Ready"),
        Series("cold: first command"),
    ]
    try:
        api = Api(state.kubeconfig)
        with hello.client(state) as client:
            for number in range(times):
                print(f"claim {number + 1} of {times}", file=sys.stderr)
                for pool, (ready, first) in (("python", series[:2]), ("cold", series[2:])):
                    wait_until_idle(api)
                    claim(client, pool, ready, first)
    finally:
        run(state.root, "down")
    return series


def measure_rounds(folder: Path, times: int) -> list[Series]:
    """Up to a full pool of 2 and down, again and again, each from nothing."""
    ups, downs = Series("up, to a full pool of 2", 60), Series("down")
    for number in range(times):
        print(f"round {number + 1} of {times}", file=sys.stderr)
        before = left_over()
        seconds, printed = run(folder / "round", "up", "--node", "gvisor")
        if not re.search(r"✓ warm pool sandboxes/python +2 of 2 ready", printed):
            raise SystemExit(f"round {number + 1} ended without a full pool:\n{printed}")
        ups.seconds.append(seconds)
        downs.seconds.append(run(folder / "round", "down")[0])
        if (after := left_over()) != before:
            raise SystemExit(f"round {number + 1} left something: {after} rather than {before}")
    return [ups, downs]


def left_over() -> dict[str, list[str]]:
    """What rounds must not add to."""
    groups = ["find", "/sys/fs/cgroup", "-name", "agent-sandbox-*"]
    return {
        "mounts": sorted(Path("/proc/self/mounts").read_text().splitlines()),
        "links": sorted(psutil.net_if_addrs()),
        "control groups": subprocess.run(groups, capture_output=True, text=True, check=False).stdout.split(),
        "node processes": [
            str(each.info["pid"])
            for each in psutil.process_iter(["pid", "name"])
            if each.info["name"] in ("kubelet", "containerd", "runsc", "kube-router")
        ],
        "kernel": [(Path("/proc/sys") / name).read_text() for name in ("kernel/panic", "vm/overcommit_memory")],
    }


def described() -> str:
    """The machine, for whoever reads the figures elsewhere."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = psutil.virtual_memory().total >> 30
    processor = model[1] if model else machine.machine()
    load = os.getloadavg()[1]
    return f"{processor}, {psutil.cpu_count()} cores, {memory} GiB, Linux {machine.release()}, load {load:.1f} before"


WIDTH, ROW, LEFT, TOP = 760, 46, 190, 64
SHORTEST, LONGEST = 0.01, 100.0
"""Seconds at the ends of the axis."""


def plot(series: list[Series], on: str) -> str:
    """The claims as dots on a logarithmic axis, a row for each series, with a stroke at the median."""
    height = TOP + ROW * len(series) + 62
    taken = len(series[0].seconds)
    marks = "\n".join([*_axis(height), *(mark for row, each in enumerate(series) for mark in _row(row, each))])
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
<text x="16" y="26" font-size="16" fill="#1f2328">A sandbox from the warm pool, and one made on demand</text>
<text x="16" y="45" fill="#59636e">{taken} claims each, in turns; seconds, logarithmic; the stroke is the median</text>
{marks}
<text x="16" y="{height - 12}" font-size="11" fill="#59636e">{escape(on)}; {datetime.date.today()}</text>
</svg>
"""


def _x(seconds: float) -> float:
    share = math.log(seconds / SHORTEST) / math.log(LONGEST / SHORTEST)
    return LEFT + share * (WIDTH - LEFT - 80)


def _axis(height: int) -> Iterator[str]:
    for seconds in (0.01, 0.1, 1, 10, 100):
        x, bottom = _x(seconds), height - 52
        yield f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}" stroke="#d1d9e0"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#59636e">{seconds:g} s</text>'


def _row(number: int, series: Series) -> Iterator[str]:
    y = TOP + ROW * number + ROW / 2
    colour = "#1a7f37" if series.title.startswith("warm") else "#0969da"
    yield f'<text x="16" y="{y + 4:.1f}" fill="#1f2328">{escape(series.title)}</text>'
    for position, seconds in enumerate(series.seconds):
        offset = (position % 5 - 2) * 3
        yield f'<circle cx="{_x(seconds):.1f}" cy="{y + offset:.1f}" r="3.5" fill="{colour}" fill-opacity="0.55"/>'
    x = _x(series.median)
    yield f'<line x1="{x:.1f}" y1="{y - 15:.1f}" x2="{x:.1f}" y2="{y + 15:.1f}" stroke="{colour}" stroke-width="2"/>'
    yield f'<text x="{WIDTH - 72}" y="{y + 4:.1f}" fill="{colour}">{series.median:.3f} s</text>'


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gvisor")
    parser.add_argument("--claims", type=int, default=20, metavar="N", help="of each kind (20)")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="of up and down (10)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before = described()
        claims = measure_claims(Path(folder), options.claims)
        PLOT.write_text(plot(claims, before))
        rounds = measure_rounds(Path(folder), options.rounds)
    print(f"{before}\n\n| what | median (least to most) | of | bar |\n|---|---|---|---|")
    for each in [*claims, *rounds]:
        print(each)
    warm, cold = claims[0].median, claims[2].median
    print(f"| cold against warm, claim to Ready | {cold / warm:.0f} times | | |")


if __name__ == "__main__":
    main()

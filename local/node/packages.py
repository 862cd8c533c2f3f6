"""runc, iptables and ipset: found on the machine, or Debian's packages unpacked into the cache.

Nothing is installed. apt is asked what an installation would bring; that is downloaded and unpacked,
and a script of a line or two starts each program with its libraries.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from local.bootstrap import locked
from local.console import Failure, Step, say, step
from local.paths import CACHE, made_whole

PROGRAMS = {
    "runc": "runc",
    "ipset": "ipset",
    "iptables": "iptables",
    "iptables-save": "iptables",
    "iptables-restore": "iptables",
}
"""The Debian package that each program is in."""

HOME = CACHE / "tools" / "debian-node-1"
MULTI = {"iptables": "xtables-nft-multi", "iptables-save": "xtables-nft-multi", "iptables-restore": "xtables-nft-multi"}
"""Programs that are one binary, which is told by its first argument which of them it is."""

LISTS = CACHE / "apt-lists"

SYSTEM_FOLDERS = "/usr/sbin:/sbin"
"""Where these programs are, though an ordinary user's PATH may leave it out."""


def find() -> dict[str, Path]:
    """The programs that are there already, on the machine or in the cache."""
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}"
    found = {name: Path(where) for name in PROGRAMS if (where := shutil.which(name, path=path))}
    for name in PROGRAMS:
        if name not in found and (HOME / "bin" / name).exists():
            found[name] = HOME / "bin" / name
    return found


def missing() -> list[str]:
    """The packages whose programs are neither on the machine nor in the cache."""
    found = find()
    return sorted({package for name, package in PROGRAMS.items() if name not in found})


def ensure() -> dict[str, Path]:
    """Every program, its package unpacked into the cache where the machine has none. Raises Failure."""
    if missing():
        with locked(f"{HOME}.lock", lambda: say("Waiting for another run that fetches the same packages.")):
            if wanted := missing():
                with step(", ".join(wanted)) as progress, made_whole(HOME) as folder:
                    unpack(wanted, folder / "root", progress)
                    _make_starters(folder, {name for name, package in PROGRAMS.items() if package in wanted})
                    progress.outcome = "Debian's packages, unpacked into the cache"
    return find()


def unpack(packages: Iterable[str], root: Path, progress: Step, installed: Path | None = None) -> list[str]:
    """Unpack `packages` with all that they need into the folder `root`; returns their files' names.

    What is installed already is left out; `installed` is a dpkg status file to go by in place of the
    machine's own. Raises Failure naming the command that installs them instead.
    """
    names = list(packages)
    status = [f"-oDir::State::status={installed}"] if installed else []
    downloads = root.with_name(root.name + ".debs")
    try:
        try:
            _download(names, status, downloads, progress)
        except subprocess.CalledProcessError:  # the machine's lists are old, or a container's, which has none
            _download(names, [*status, *_own_lists(progress)], downloads, progress)
        archives = sorted(downloads.glob("*.deb"))
        root.mkdir(parents=True, exist_ok=True)
        for archive in archives:
            progress.update(f"unpacking {archive.name}")
            _run(["dpkg-deb", "--extract", str(archive), str(root)])
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise Failure(
            f"{', '.join(names)} cannot be unpacked from Debian's packages: {said[-1] if said else error}\n"
            f"  On Debian or Ubuntu, give apt a way to its mirror, or install them:\n"
            f"  apt-get install {' '.join(names)}"
        ) from error
    shutil.rmtree(downloads)
    return [archive.name for archive in archives]


def _download(names: list[str], options: list[str], folder: Path, progress: Step) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    progress.update("asking apt what they need")
    planned = _run(["apt-get", *options, "install", "--simulate", "--no-install-recommends", *names])
    wanted = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    progress.update(f"downloading {len(wanted)} packages")
    _run(["apt-get", *options, "-oAPT::Sandbox::User=root", "download", *wanted], cwd=folder)


def _own_lists(progress: Step) -> list[str]:
    """Fetch apt's lists into the cache, the machine's being none of ours; returns the options that use them."""
    progress.update("fetching apt's lists")
    LISTS.mkdir(parents=True, exist_ok=True)
    options = [f"-oDir::State::Lists={LISTS}", "-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache="]
    _run(["apt-get", *options, "-oAPT::Sandbox::User=root", "update"])
    return options


def _run(command: list[str], cwd: Path | None = None, more: Mapping[str, str] | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C", **(more or {})}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True).stdout


def _make_starters(folder: Path, programs: Iterable[str]) -> None:
    """A script for each program, with the paths that it has once `folder` is HOME."""
    root = folder / "root"
    libraries = {HOME / file.parent.relative_to(folder) for file in root.rglob("lib*.so.*")}
    extensions = [HOME / file.parent.relative_to(folder) for file in root.rglob("libxt_set.so")]
    (folder / "bin").mkdir()
    for name in programs:
        binary = next(file for file in root.rglob(MULTI.get(name, name)) if file.is_file() and os.access(file, os.X_OK))
        command = [str(HOME / binary.relative_to(folder)), *([name] if name in MULTI else [])]
        script = folder / "bin" / name
        script.write_text(
            "#!/bin/sh\n"
            f"export LD_LIBRARY_PATH={shlex.quote(':'.join(str(each) for each in sorted(libraries)))}\n"
            f"export XTABLES_LIBDIR={shlex.quote(':'.join(str(each) for each in extensions))}\n"
            f'exec {shlex.join(command)} "$@"\n'
        )
        script.chmod(0o755)

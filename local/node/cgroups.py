"""The box's control groups: one in each hierarchy, made before the box and removed after it.

Nothing but these folders outlives the box, so where they were made is written down first. In cgroup v1
they are made inside the caller's own groups, whose limits go on holding; in v2, where a group with
processes cannot hand controllers on, at the top.
"""

import contextlib
import json
import os
import time
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
V2_CONTROLLERS = ("cpu", "memory", "pids")


def is_v2() -> bool:
    return (MOUNT / "cgroup.controllers").exists()


def hierarchies() -> dict[str, Path]:
    """The caller's own group in each hierarchy, by the hierarchy's controllers as mount options name them."""
    if is_v2():
        return {"": MOUNT}
    mounts = _mounts()
    found = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in mounts:
            root, mount = mounts[controllers]
            found[controllers] = mount / os.path.relpath(path, root)
    return found


def _mounts() -> dict[str, tuple[str, Path]]:
    """Each v1 hierarchy's root and mount point, by its controllers."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind == "cgroup":
            chosen = [each for each in options.split(",") if each not in ("rw", "ro", "xattr", "clone_children")]
            controllers = ",".join(each for each in chosen if not each.startswith("release_agent="))
            found[controllers] = (fields.split()[3], Path(fields.split()[4]))
    return found


def create(name: str, record: Path) -> list[Path]:
    """Make the group `name` in each hierarchy, and write down where in `record`."""
    made = [parent / name for parent in hierarchies().values()]
    record.write_text(json.dumps([str(path) for path in made]))
    for path in made:
        path.mkdir(exist_ok=True)
        for inherited in ("cpuset.cpus", "cpuset.mems"):  # v1: empty in a new group, which then takes no process
            if (path / inherited).exists() and not (path / inherited).read_text().strip():
                (path / inherited).write_text((path.parent / inherited).read_text())
    if is_v2():
        enabled = " ".join(f"+{controller}" for controller in V2_CONTROLLERS)
        (MOUNT / "cgroup.subtree_control").write_text(enabled)
    return made


def join(groups: list[Path]) -> None:
    """Move this process into `groups`."""
    for path in groups:
        (path / "cgroup.procs").write_text(str(os.getpid()))


def remove(record: Path) -> None:
    """Remove the groups in `record`, once their processes are gone; those that are still busy are left."""
    if not record.exists():
        return
    for path in map(Path, json.loads(record.read_text())):
        deadline = time.monotonic() + 5
        while path.exists() and time.monotonic() < deadline:
            for folder, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
            if path.exists():
                time.sleep(0.05)  # the kernel is still burying who was in it
    record.unlink()

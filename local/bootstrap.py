"""Print the path of a Python interpreter that has everything in requirements.txt, making it if needed.

Runs before anything is installed, so it uses the standard library alone and also starts on an old
Python, to say what is missing instead of failing on syntax. The environment lies in the per-user
cache, keyed by the requirements' content: every clone with the same pins shares it, and a checkout
stays free of it. Progress goes to standard error; the path, alone, to standard output.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUIREMENTS = os.path.join(CHECKOUT, "requirements.txt")
UV_REQUIREMENTS = os.path.join(CHECKOUT, "toolchain", "uv", "requirements.txt")
OLDEST = (3, 11)
NEWER = ["python3.11", "python3.12", "python3.13", "python3.14"]


def cache_root():
    """The per-user cache: $AGENT_SANDBOX_CACHE, else the XDG cache directory."""
    override = os.environ.get("AGENT_SANDBOX_CACHE")
    if override:
        return os.path.abspath(override)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "agent-sandbox-pulumi")


def say(text):
    print(text, file=sys.stderr, flush=True)


def suitable_python():
    """This interpreter if it is new enough, else a newer one from PATH."""
    if sys.version_info >= OLDEST:
        return sys.executable, "%d.%d" % sys.version_info[:2]
    for name in NEWER:
        found = shutil.which(name)
        if found:
            return found, name[len("python") :]
    raise SystemExit(
        "Python %d.%d or newer is needed; python3 here is %d.%d.\n"
        "  The Pulumi SDK and the Agent Sandbox client start at that version.\n"
        "  Install it (Debian: apt install python3.11 python3.11-venv), or put it on PATH as one of: %s."
        % (*OLDEST, *sys.version_info[:2], ", ".join(NEWER))
    )


def environment_directory(version):
    with open(REQUIREMENTS, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:12]
    return os.path.join(cache_root(), "python", "%s-%s" % (version, digest))


def installers(interpreter):
    """Commands, to be completed, that install packages for `interpreter`: uv's, four times as fast, then pip's."""
    uv = shutil.which("uv") or os.path.join(os.path.dirname(interpreter), "uv")
    if os.path.exists(uv):
        yield [uv, "pip", "install", "--compile-bytecode", "--python", interpreter]
    yield [interpreter, "-m", "pip", "install", "--progress-bar", "off"]


def attempt(command, log):
    """Run `command` with its output in `log`, showing that time passes; whether it ended well."""
    started = time.monotonic()
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        reported = 0
        while process.poll() is None:
            time.sleep(0.1)
            elapsed = int(time.monotonic() - started)
            if elapsed >= reported + 10:
                reported = elapsed
                say("  still installing (%d s)" % elapsed)
    return process.returncode == 0


def fail(command, log):
    with open(log, encoding="utf-8", errors="replace") as output:
        tail = "".join(output.readlines()[-15:])
    raise SystemExit(
        "The Python environment could not be made: %s failed.\n%s"
        "  The whole log: %s\n"
        "  If ensurepip or venv is missing: apt install python3-venv. If a download failed: check the\n"
        "  network, or pip's own settings for an index or a proxy; then run the same command again."
        % (" ".join(command[:4]), tail, log)
    )


@contextlib.contextmanager
def locked(path, waiting):
    """Hold the lock file `path` alone; `waiting` is called once if somebody else holds it now.

    The system drops the lock when its holder ends, however it ends.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def interpreter():
    """The interpreter's path; what it needs is installed when this returns."""
    python, version = suitable_python()
    directory = environment_directory(version)
    ready = os.path.join(directory, ".complete")
    if not os.path.exists(ready):
        with locked(directory + ".lock", lambda: say("Waiting for another run that sets it up.")):
            if not os.path.exists(ready):
                install(python, directory)
                with open(ready, "w", encoding="utf-8"):
                    pass
    return os.path.join(directory, "bin", "python")


def install(python, directory):
    say("Setting up the Python environment, once for these pins")
    started = time.monotonic()
    shutil.rmtree(directory, ignore_errors=True)  # what an interrupted run left
    log = directory + ".log"
    with contextlib.suppress(FileNotFoundError):
        os.remove(log)
    interpreter = os.path.join(directory, "bin", "python")
    create = [python, "-m", "venv", directory]
    if not attempt(create, log):
        fail(create, log)
    if not shutil.which("uv"):
        attempt([interpreter, "-m", "pip", "install", "-r", UV_REQUIREMENTS], log)
    for installer in installers(interpreter):
        if attempt(installer + ["-r", REQUIREMENTS], log):
            break
    else:
        fail(installer, log)
    say("Python environment ready (%d s)" % (time.monotonic() - started))


if __name__ == "__main__":
    print(interpreter())

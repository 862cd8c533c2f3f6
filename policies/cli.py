"""`python -m policies`: check files without an engine, and explain the controls."""

import argparse
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from policies import reports
from policies.catalog import TOPICS, controls
from policies.checking import check
from policies.configuration import Configuration, ConfigurationError, load
from policies.controls import Control, Topic
from policies.waivers import WaiverError
from policies.waivers import load as load_waivers

CLEAN, VIOLATIONS, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status: 0 clean, 1 violations, 2 bad usage or unreadable input."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (ConfigurationError, WaiverError) as error:
        return _refuse(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has seen enough
        return UNUSABLE
    except OSError as error:
        return _refuse(f"{error.filename or 'input'}: {error.strerror or error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m policies", description="The policy pack, without an engine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    text = "Judge manifests, saved Pulumi states and previews. Exits 0 when clean, 1 on violations, 2 if unreadable."
    checking = commands.add_parser("check", help=text, description=text)
    checking.set_defaults(run=_check)
    checking.add_argument("paths", nargs="+", metavar="PATH", help="file or folder; - for standard input")
    checking.add_argument("--format", choices=reports.FORMATS, default="text")
    checking.add_argument("--config", type=Path, metavar="FILE", help="levels and parameters, as the engine takes them")
    checking.add_argument("--waivers", type=Path, metavar="FILE", help="reviewed exceptions (policies/waivers.yaml)")
    checking.add_argument("--output", type=Path, metavar="FILE", help="write the report there")
    text = "List every control, by policy."
    commands.add_parser("list", help=text, description=text).set_defaults(run=_list)
    text = "Tell all about a control or a policy."
    explaining = commands.add_parser("explain", help=text, description=text)
    explaining.set_defaults(run=_explain)
    explaining.add_argument("control", metavar="CONTROL")
    return parser


def _check(options: argparse.Namespace) -> int:
    configuration = load(options.config) if options.config else Configuration()
    outcome = check(options.paths, configuration, load_waivers(options.waivers))
    report = reports.render(outcome, options.format)
    if options.output:
        with options.output.open("w", encoding="utf-8") as file:
            file.writelines(report)
    else:
        sys.stdout.writelines(report)
    for each in outcome.unreadable:
        sys.stderr.write(f"Not checked: {each}.\n")
    return UNUSABLE if outcome.unreadable else VIOLATIONS if outcome.fails else CLEAN


def _list(_: argparse.Namespace) -> int:
    for topic in TOPICS.values():
        sys.stdout.write(f"{topic.name}: {topic.description}.\n")
        for control in topic.controls.values():
            sys.stdout.write(f"  {control.name.ljust(28)}{control.severity.ljust(10)}{control.asks}\n")
    return CLEAN


def _explain(options: argparse.Namespace) -> int:
    known = controls()
    name = options.control.rpartition("/")[2]
    if name in known:
        sys.stdout.write(explanation(*known[name]))
        return CLEAN
    if name in TOPICS:
        sys.stdout.write("\n".join(explanation(TOPICS[name], each) for each in TOPICS[name].controls.values()))
        return CLEAN
    return _refuse(f"There is no control {options.control}. `python -m policies list` names them.")


def explanation(topic: Topic, control: Control) -> str:
    """All about a control, as text."""
    rows = [
        ("Policy", topic.name),
        ("Severity", control.severity),
        ("Asks", control.asks),
        ("Risk", control.risk),
        ("Fix", control.fix),
        ("Judges", judged(topic, control)),
        ("Framework", " ".join([topic.framework, *control.references]).strip()),
        ("Reference", topic.url),
        ("Parameters", ", ".join(topic.schema())),
        ("Waive", f"control: {control.name}, in policies/waivers.yaml"),
    ]
    written = [
        textwrap.fill(
            text, 110, initial_indent=f"  {name.ljust(12)}", subsequent_indent=" " * 14, break_on_hyphens=False
        )
        for name, text in rows
        if text
    ]
    return "\n".join([control.name, *written]) + "\n"


def judged(topic: Topic, control: Control) -> str:
    """What a control is applied to, in words."""
    if control.kinds:
        return ", ".join(control.kinds)
    words = {
        "pods": "every pod template, in whatever kind it is",
        "sandboxes": "the pod templates of Sandbox and SandboxTemplate",
        "objects": ", ".join(each.rpartition(":")[2] for each in topic.types if each.count(":") > 1)
        or "every Kubernetes object",
        "stack": "the stack as a whole",
    }
    return words[topic.sees]


def _refuse(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return UNUSABLE

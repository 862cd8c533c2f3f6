"""One definition of a component's arguments, for the component itself and for the stack file.

A component's arguments are a TypedDict; `@arguments` attaches to it what the types cannot say. Both
the component's constructor and settings check values against it, the one with the fields' Python
names, the other with the stack file's camelCase. Every problem is found, not only the first.
"""

import difflib
import inspect
import json
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, is_typeddict

import pulumi

from components._hints import is_unknown, mistyped, unwrap

Check = Callable[[Any], "tuple[str, str] | None"]
"""Given a value of the right type: None, or what is wrong with it and what follows and helps."""

Together = Callable[[Mapping[str, Any]], "Iterable[tuple[str, str, str]]"]
"""Given arguments that are right one by one, by field name: the field, or a path that begins with it, what is wrong,
and what helps."""

Spelling = Literal["snake", "camel"]

Kind = TypeVar("Kind", bound=type)

_PATH = re.compile(r"(\w+)(.*)")

_checks: dict[type, dict[str, Check]] = {}
_together: dict[type, Together] = {}
_extends: dict[type, type] = {}


@dataclass(frozen=True)
class Problem:
    """Something wrong with one value: where, what, and what follows and helps."""

    key: str
    value: str
    wrong: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value} {self.wrong}.\n  {self.remedy}"


class ArgumentError(pulumi.RunError):
    """A component's arguments are wrong; the text lists every problem, and Pulumi shows it without a traceback."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


def arguments(together: Together | None = None, extends: type | None = None, **checks: Check) -> Callable[[Kind], Kind]:
    """Attach checks to a TypedDict of arguments: one a field, and one for the fields together.

    A TypedDict does not remember what it extends; `extends` names it, so that its checks hold too.
    """

    def attach(kind: Kind) -> Kind:
        if unknown := set(checks) - set(inspect.get_annotations(kind)):
            raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
        _checks[kind] = checks
        if extends is not None:
            _extends[kind] = extends
        if together is not None:
            _together[kind] = together
        return kind

    return attach


def require_valid(kind: type, name: str, args: Mapping[str, Any]) -> None:
    """Raise ArgumentError if `args` are not right for the component `name`."""
    if problems := find_problems(kind, args, name, "snake"):
        raise ArgumentError(problems)


def find_problems(kind: type, args: object, key: str, spelling: Spelling) -> list[Problem]:
    """Everything wrong with `args` as an instance of the TypedDict `kind`; `key` is their own name."""
    if not isinstance(args, Mapping):
        return [
            Problem(key, show(args), "is not a map", f"Write its fields below it: {_listed(_fields(kind, spelling))}.")
        ]
    fields = _fields(kind, spelling)
    hints = inspect.get_annotations(kind)
    problems = [_unknown(_under(key, each), each, fields) for each in args if each not in fields]
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    for shown, field in fields.items():
        if shown in args:
            problems += _problems_of_field(kind, field, hints[field], args[shown], _under(key, shown), spelling)
        elif field in required:
            problems.append(Problem(_under(key, shown), "nothing", "is given, and it has no default", "Add it."))
    named = {field: args[shown] for shown, field in fields.items() if shown in args}
    shown_as = {field: shown for shown, field in fields.items()}
    rules = [] if problems else [_together[each] for each in _lineage(kind) if each in _together]
    # A rule knows fields, and those nested in them, by their Python names.
    known = named
    if rules and spelling == "camel":
        known = {field: _respell(hints[field], each) for field, each in named.items()}
    for rule in rules:
        for path, wrong, remedy in rule(known):
            field, rest = _PATH.fullmatch(path).groups()  # type: ignore[union-attr]  # every text matches
            found = _at(named, path)
            value = "nothing" if found is None else show(found)
            problems.append(Problem(_under(key, shown_as[field]) + rest, value, wrong, remedy))
    return problems


def to_arguments(kind: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """Checked stack-file values, spelled as the TypedDict `kind` spells its fields, at every depth."""
    fields, hints = _fields(kind, "camel"), inspect.get_annotations(kind)
    return {fields[shown]: _respell(hints[fields[shown]], inner) for shown, inner in value.items()}


def camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def show(value: object) -> str:
    """A value as the reader wrote it, cut where it is long."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def similar(word: str, options: Iterable[str]) -> str:
    """A sentence naming what `word` was perhaps meant to be, among all `options`."""
    known = list(options)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {close[0]}? There are: {_listed(known)}." if close else f"There are: {_listed(known)}."


def _at(value: Any, path: str) -> Any:
    """The value at a path such as pod.containers[0].name; None where there is none."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        inner = value.get(name) if isinstance(value, Mapping) else None
        value = value[int(index)] if index else inner
    return value


def _under(key: str, name: object) -> str:
    """The key of the field `name` of what is called `key`; a Pulumi configuration key ends with a colon."""
    return f"{key}{name}" if key.endswith(":") else f"{key}.{name}"


def _lineage(kind: type) -> list[type]:
    """A TypedDict and those that it extends."""
    return [kind, *(_lineage(_extends[kind]) if kind in _extends else ())]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "none"


def _fields(kind: type, spelling: Spelling) -> dict[str, str]:
    """Each field as it is spelled for the reader, and its own name."""
    # Not get_type_hints: pulumi.Input refers to Output by a name that only pulumi's own module knows.
    names = inspect.get_annotations(kind)
    return {camel_case(name) if spelling == "camel" else name: name for name in names}


def _unknown(key: str, name: object, fields: Iterable[str]) -> Problem:
    return Problem(
        key, show(name), "is not a key that is known here", f"It would have no effect. {similar(str(name), fields)}"
    )


def _problems_of_field(kind: type, field: str, hint: Any, value: object, key: str, spelling: Spelling) -> list[Problem]:
    problems = _problems_of_type(hint, value, key, spelling)
    if problems or is_unknown(value) or value is None:
        return problems
    checks = [_checks[each][field] for each in _lineage(kind) if field in _checks.get(each, {})]
    return [Problem(key, show(value), *found) for check in checks if (found := check(value))]


def _problems_of_type(hint: Any, value: object, key: str, spelling: Spelling) -> list[Problem]:
    """Type errors in `value`, at any depth."""
    hint, may_be_output = unwrap(hint)
    if is_unknown(value):
        remedy = "It decides what is declared. Pass a plain value."
        return [] if may_be_output else [Problem(key, "an output", "is not known when the program runs", remedy)]
    if hint is Any:
        return []
    if get_origin(hint) in (Union, types.UnionType):
        options = [_problems_of_type(option, value, key, spelling) for option in get_args(hint)]
        return [] if any(not problems for problems in options) else options[0]
    if is_typeddict(hint):
        return find_problems(hint, value, key, spelling)
    if get_origin(hint) is list:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return [_mistyped(key, value, "a list", "Write each entry on a line of its own, after a dash.")]
        (inner,) = get_args(hint)
        return [each for i, v in enumerate(value) for each in _problems_of_type(inner, v, f"{key}[{i}]", spelling)]
    if get_origin(hint) is dict:
        if not isinstance(value, Mapping):
            return [_mistyped(key, value, "a map", "Write it as names with a value each.")]
        _, inner = get_args(hint)
        return [each for k, v in value.items() for each in _problems_of_type(inner, v, f"{key}.{k}", spelling)]
    found = mistyped(hint, value)
    return [_mistyped(key, value, *found)] if found else []


def _mistyped(key: str, value: object, wanted: str, remedy: str) -> Problem:
    return Problem(key, show(value), f"is not {wanted}", remedy)


def _respell(hint: Any, value: Any) -> Any:
    hint, _ = unwrap(hint)
    if get_origin(hint) in (Union, types.UnionType):
        hint = next((option for option in get_args(hint) if is_typeddict(option)), hint)
    if is_typeddict(hint) and isinstance(value, Mapping):
        return to_arguments(hint, value)
    if get_origin(hint) is list and isinstance(value, Sequence):
        return [_respell(get_args(hint)[0], each) for each in value]
    if get_origin(hint) is dict and isinstance(value, Mapping):
        return {name: _respell(get_args(hint)[1], each) for name, each in value.items()}
    return value

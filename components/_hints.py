"""What a type hint of an argument asks of its value."""

import inspect
import types
from collections.abc import Awaitable
from typing import Any, NotRequired, Required, Union, get_args, get_origin

import pulumi


def unwrap(hint: Any) -> tuple[Any, bool]:
    """The plain type of a hint, and whether an Output is allowed in its place (pulumi.Input)."""
    while get_origin(hint) in (NotRequired, Required):
        (hint,) = get_args(hint)
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    options = get_args(hint)
    plain = [
        option
        for option in options
        if get_origin(option) not in (Awaitable, pulumi.Output) and not _is_reference(option)
    ]
    if len(plain) == len(options):
        return hint, False
    return (plain[0] if len(plain) == 1 else Union[tuple(plain)]), True  # noqa: UP007 - put together at run time


def is_unknown(value: object) -> bool:
    """Whether it is another resource's output, known only when that is made."""
    return isinstance(value, pulumi.Output) or inspect.isawaitable(value)


def mistyped(hint: Any, value: object) -> tuple[str, str] | None:
    """None, or what a value should be that is not of the scalar type `hint`, and how to write it."""
    if hint is type(None):
        return None if value is None else ("null", "Leave it out.")
    if hint is bool:
        return None if isinstance(value, bool) else ("true or false", "Write it without quotes.")
    if hint is int:
        right = isinstance(value, int) and not isinstance(value, bool)
        return None if right else ("a whole number", "Write it in digits, without quotes.")
    if hint is float:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        return None if right else ("a number", "Write it in digits, without quotes.")
    if hint is str:
        return None if isinstance(value, str) else ("a text", "Put it in quotes.")
    return None if isinstance(value, hint) else (f"a {hint.__name__}", "Pass one.")


def _is_reference(option: Any) -> bool:
    return str(getattr(option, "__forward_arg__", "")).startswith("Output[")

"""Arguments: one definition, checked alike for a component's caller and for a stack file's author."""

from typing import Any, NotRequired, TypedDict

import pulumi
import pytest

from components._arguments import (
    ArgumentError,
    arguments,
    camel_case,
    find_problems,
    require_valid,
    to_arguments,
)
from components._checks import between


class Port(TypedDict):
    number: int


@arguments(replicas=between(0, 5, "Too many."))
class Args(TypedDict):
    warm_pool: pulumi.Input[str]
    replicas: NotRequired[int]
    ports: NotRequired[list[Port]]
    env: NotRequired[dict[str, pulumi.Input[str]]]


@arguments(extends=Args)
class Extended(Args):
    extra: NotRequired[bool]


def texts(value: Any, spelling: Any = "camel", kind: type = Args) -> list[str]:
    return [str(problem) for problem in find_problems(kind, value, "stack:pool", spelling)]


def test_right_values_have_no_problem() -> None:
    value = {"warmPool": "a", "replicas": 0, "ports": [{"number": 1}], "env": {"A": "b"}}
    assert texts(value) == []


def test_a_misspelt_key_is_an_error_that_names_the_right_one() -> None:
    (problem,) = texts({"warmPool": "a", "replicsa": 1})
    assert problem.startswith('stack:pool.replicsa: "replicsa" is not a key that is known here.')
    assert "Did you mean replicas?" in problem


def test_the_python_spelling_is_unknown_in_a_stack_file_and_the_other_way_round() -> None:
    assert any("Did you mean warmPool?" in text for text in texts({"warm_pool": "a"}))
    assert any("Did you mean warm_pool?" in text for text in texts({"warmPool": "a"}, "snake"))


def test_a_missing_required_key_is_named() -> None:
    assert texts({}) == ["stack:pool.warmPool: nothing is given, and it has no default.\n  Add it."]


def test_every_problem_is_found_not_only_the_first() -> None:
    problems = texts({"warmPool": 1, "replicas": "2", "ports": [{"number": "x"}, {}]})
    keys = [problem.split(":")[1].split(" ")[0] for problem in problems]
    assert keys == ["pool.warmPool", "pool.replicas", "pool.ports[0].number", "pool.ports[1].number"]


@pytest.mark.parametrize("value", [True, 1.5, "1", None, [1]])
def test_what_is_no_whole_number_is_not_taken_for_one(value: object) -> None:
    assert len(texts({"warmPool": "a", "replicas": value})) == 1


def test_an_output_stands_for_an_input_but_not_for_what_decides_structure() -> None:
    output = pulumi.Output.from_input("later")
    assert texts({"warmPool": output, "env": {"A": output}}) == []
    assert "is not known when the program runs" in texts({"warmPool": "a", "replicas": output})[0]


def test_an_extended_definition_keeps_the_checks_of_its_base() -> None:
    problems = texts({"warmPool": "a", "replicas": 6, "extra": True}, kind=Extended)
    assert len(problems) == 1
    assert "is not between 0 and 5" in problems[0]


def test_a_component_refuses_wrong_arguments_with_all_problems_in_one_error() -> None:
    with pytest.raises(ArgumentError) as raised:
        require_valid(Args, "pool", {"replicas": 9})
    assert len(raised.value.problems) == 2


def test_values_are_respelled_at_every_depth_and_names_given_by_the_user_are_not() -> None:
    value = {"warmPool": "a", "ports": [{"number": 1}], "env": {"camelCase": "x"}}
    assert to_arguments(Args, value) == {"warm_pool": "a", "ports": [{"number": 1}], "env": {"camelCase": "x"}}


def test_a_check_on_a_field_that_does_not_exist_is_refused_when_it_is_written() -> None:
    with pytest.raises(TypeError, match="has no field nonsense"):
        arguments(nonsense=between(0, 1, ""))(Args)


def test_camel_case() -> None:
    assert [camel_case(name) for name in ("a", "warm_pool", "read_only_root")] == ["a", "warmPool", "readOnlyRoot"]

"""Conditions of a template."""

from __future__ import annotations

import pytest
from ministack.services.cloudformation import engine

from sandbox.cloudformation.templates import join_in_conditions


@pytest.mark.parametrize(("given", "some"), [("", False), ("one", True), ("one,two", True)])
def test_a_list_is_empty_if_its_joined_text_is(given: str, some: bool):
    """As templates ask whether a parameter of type CommaDelimitedList was given at all."""
    joined = {"Fn::Join": [",", {"Ref": "Names"}]}
    template = {"Conditions": {"Some": {"Fn::Not": [{"Fn::Equals": [joined, ""]}]}}}
    parameters = {"Names": {"Type": "CommaDelimitedList", "Value": given}}

    found = join_in_conditions(engine._evaluate_conditions, template, parameters)

    assert found == {"Some": some}

"""What differs is named whichever side lacks it, and an error is one line whatever it says."""

from workshop_utils.machine.sentences import differences, one_line


def test_an_error_is_one_line_and_a_difference_names_both_sides():
    assert one_line(ValueError("first\nsecond")) == "ValueError: first"
    assert one_line(KeyError()) == "KeyError: no reason given"
    assert differences({"a": 1, "b": 2}, {"b": 2, "a": 1}) == []
    found = differences({"a": 1, "gone": 3}, {"new": 4, "a": 2})
    assert found == ["new: None then, 4 now", "a: 1 then, 2 now", "gone: 3 then, None now"]

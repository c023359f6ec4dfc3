"""JUnit reports: the form that CI systems read, whatever the texts."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtbench.analysis.junit import Case, write
from rtbench.core.errors import RunError

ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def check_schema(root):
    """The structure of the common JUnit schema: names, places, required attributes, counts that add up."""
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag], element.tag
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    for suite in root:
        assert suite[0].tag == "properties"
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(kind)) == int(root.get(kind)) == len(suite.findall(f"testcase/{tag}"))
        assert all(len(case) <= 1 for case in cases)


anything = st.text(st.characters())  # surrogates and control characters included
cases = st.lists(
    st.builds(
        Case, anything, anything, st.sampled_from(["", "failure", "error", "skipped"]), anything, anything
    ),
    max_size=4,
)


@given(anything, cases, st.dictionaries(anything, anything, max_size=2))
def test_any_text_makes_a_well_formed_report(tmp_path_factory, suite, given_cases, properties):
    path = tmp_path_factory.mktemp("junit") / "gate.xml"
    write(path, suite, given_cases, properties)
    check_schema(ET.parse(path).getroot())  # noqa: S314 - our own file


def test_it_says_what_happened(tmp_path):
    path = tmp_path / "made" / "gate.xml"
    told = [
        Case("verdict", "overall", "failure", "it is <worse>\x1b[31m", "long"),
        Case("skill", "pick", text="as good & well"),
        Case("skill", "move_near", "skipped", "worse"),
    ]
    write(path, "rtbench gate", told, {"margin": 0.05})
    root = ET.parse(path).getroot()  # noqa: S314 - our own file
    check_schema(root)
    assert root.find(".//property").attrib == {"name": "margin", "value": "0.05"}
    assert root.find(".//failure").get("message") == "it is <worse>\\x1b[31m"
    assert root.find(".//failure").text == "long"
    assert root.find(".//system-out").text == "as good & well"
    assert [c.get("classname") for c in root.iter("testcase")] == [
        "rtbench gate.verdict", "rtbench gate.skill", "rtbench gate.skill",
    ]  # fmt: skip


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"gate\.xml: the JUnit report cannot be written"):
        write(tmp_path / "file" / "gate.xml", "s", [], {})

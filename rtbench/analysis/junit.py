"""Writes test reports in JUnit's XML, which CI systems show beside a job.

The form is the common core of what Jenkins, GitLab and GitHub's report actions read: `testsuites` with one
`testsuite` of `testcase`s, each of which may hold one `failure`, `error` or `skipped`, and `system-out`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from rtbench.core.atomic_write import atomic_write
from rtbench.core.errors import RunError
from rtbench.core.text import visible

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow in any form, not even escaped (its production Char)."""


@dataclass(frozen=True)
class Case:
    """One test case."""

    group: str
    """Its group, such as 'skill', by which readers fold cases."""
    name: str
    """Its name within the group."""
    outcome: str = ""
    """failure, error or skipped; '' has passed."""
    message: str = ""
    """Reason why it has not passed, a sentence."""
    text: str = ""
    """Its text output."""
    kind: str = ""
    """Type of the failure or error, one word."""


def write(path: Path, suite: str, cases: Sequence[Case], properties: Mapping[str, object]) -> None:
    """Write a report with one suite; any text is allowed: control characters are shown as escapes.

    Raises:
        RunError: the file cannot be written.
    """
    counts = Counter(case.outcome for case in cases)
    numbers = {
        "name": suite,
        "tests": str(len(cases)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": "0",
    }
    root = ET.Element("testsuites", numbers)
    now = datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    inner = ET.SubElement(root, "testsuite", {**numbers, "timestamp": now, "hostname": "rtbench"})
    shown = ET.SubElement(inner, "properties")
    for name, value in properties.items():
        ET.SubElement(shown, "property", {"name": name, "value": str(value)})
    for case in cases:
        inner.append(_element(suite, case))
    for element in root.iter():
        element.attrib = {name: visible(_clean(value)) for name, value in element.attrib.items()}
        element.text = element.text and _clean(element.text)
    ET.indent(root)
    text = ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as beside:
            beside.write_bytes(text)
    except OSError as error:
        raise RunError(f"{path}: the JUnit report cannot be written: {error.strerror}.") from None


def _element(suite: str, case: Case) -> ET.Element:
    where = {"classname": f"{suite}.{case.group}", "name": case.name, "time": "0"}
    element = ET.Element("testcase", where)
    if case.outcome:
        told = {"message": case.message}
        if case.outcome != "skipped":  # readers know a type on what went wrong alone
            told["type"] = case.kind or case.outcome
        reason = ET.SubElement(element, case.outcome, told)
        reason.text = case.text or case.message
    elif case.text:
        ET.SubElement(element, "system-out").text = case.text
    return element


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", visible(text, lines=True))

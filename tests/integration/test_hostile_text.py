"""Text of strangers in every output: what would act on a terminal is shown as an escape."""

from __future__ import annotations

import io
import json
import re

import pytest

from rtbench.analysis import ci_summary
from rtbench.analysis.junit import Case, write
from rtbench.cli import console
from rtbench.core.errors import RunError
from rtbench.core.terminal import VisibleConsole
from rtbench.report.html import episode_list
from rtbench.result.folder import RUN
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import rtbench

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\x9b1m\u202eb\r\nerror: c\u2066d[/x]"
ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    changed = [
        synthetic.episode(n, instruction=HOSTILE, task=f"pick/{HOSTILE}", skill=HOSTILE, axis=HOSTILE)
        for n in range(6)
    ]
    for policy, rate in (("a", 1.0), ("b", 0.5)):
        run = synthetic.write(folder, synthetic.rated(changed, rate), policy) / RUN
        told = json.loads(run.read_text())
        told["policy"] |= {"name": f"{policy}{HOSTILE}", "factory": HOSTILE}
        run.write_text(json.dumps(told))
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["show", "A"],
        ["show", "A:KEY"],
        ["show", "A:KEY", "--json"],
        ["ls", "runs", "--out", "OUT"],
        ["ls", "runs", "--out", "OUT", "--json"],
        ["ls", "episodes", "A"],
        ["compare", "A", "B"],
        ["compare", "A", "B", "--json"],
        ["gate", "B", "--baseline", "A"],
        ["export", "A"],
        *(
            ["table", "OUT", "--format", form]
            for form in ("text", "markdown", "latex", "csv", "json", "html")
        ),
    ],
    ids=" ".join,
)
def test_no_command_prints_what_acts(out, command):
    first, second = sorted(path.parent for path in out.glob("*/*/*/run.json"))
    key = synthetic.episode(0, instruction=HOSTILE, task=f"pick/{HOSTILE}", skill=HOSTILE, axis=HOSTILE).key
    names = {"A": str(first), "B": str(second), "OUT": str(out), "A:KEY": f"{first}:{key}"}
    said = rtbench(*(names.get(word, word) for word in command))
    assert said.code != 70, said.err
    assert "Traceback" not in said.err
    for text in (said.out, said.err):
        assert not ACTS.search(text), ascii(text)
        if "html" not in command:  # there a line break is a space
            assert not any(line.startswith("error: c") for line in text.splitlines())
    assert said.out or said.code


def test_what_the_report_embeds_is_shown():
    told = {"instruction": HOSTILE, "runs": [{"label": HOSTILE}]}
    found = json.loads(episode_list.embedded(told))
    assert found["runs"][0]["label"] == found["instruction"]
    assert not ACTS.search(found["instruction"])


def test_documents_of_ci(tmp_path):
    ci_summary.append_summary(tmp_path / "s.md", ci_summary.refusal(RunError(HOSTILE)))
    write(tmp_path / "j.xml", HOSTILE, [Case("g", HOSTILE, "failure", HOSTILE, HOSTILE)], {"a": HOSTILE})
    for name in ("s.md", "j.xml"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not ACTS.search(text), ascii(text)
        assert "x1b" in text


def test_a_terminal_with_colours_gets_ours_alone(capsys):
    shown = io.StringIO()
    VisibleConsole(file=shown, force_terminal=True, color_system="standard").print(HOSTILE, style="bold")
    assert shown.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").count("\x1b") == 0
    console.print_error(HOSTILE)
    console.note(HOSTILE)
    console.print_fields([("name", HOSTILE)])
    said = capsys.readouterr()
    assert not ACTS.search(said.out + said.err)
    assert "\nerror: c" not in said.out + said.err

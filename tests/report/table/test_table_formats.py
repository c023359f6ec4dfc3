"""Every format of a table says the same."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
import subprocess

import pytest

from rtbench.report.table import latex as tex
from rtbench.report.table import markdown as md
from rtbench.report.table.csv_json import as_csv, as_json
from rtbench.report.table.html import page
from rtbench.report.table.number_format import caption, common_size, interval, percent, remarks, size, title
from rtbench.report.table.row import part
from rtbench.report.table.table import Options, tabulate
from rtbench.report.table.terminal import text
from rtbench.result.scores import load_scores
from tests.helpers import synthetic_runs as synthetic
from tests.helpers.commands import width

ODD = r"50%_of_<b>|$x^2~{a}\ & #1"
"""A name with all that some format gives a meaning to."""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    seen = synthetic.episodes(60)
    novel = synthetic.episodes(60, suite="novel", split="novel", axis="unseen_instructions")
    for seed, (policy, rate) in enumerate({"good": 0.95, ODD: 0.5, "bad": 0.1, "oracle": 1.0}.items()):
        folder = policy if policy != ODD else "odd"
        changes = {"id": f"{seed}" * 12}
        path = synthetic.write(out, synthetic.rated(seen, rate, seed), folder, extra=changes)
        rename(path, policy)
        if policy != "bad":
            flawed = [synthetic.record(novel[0], None), *synthetic.rated(novel[1:], rate, seed + 9)]
            rename(synthetic.write(out, flawed, folder, extra=changes), policy)
    parts = [part(load_scores(path.parent), "success") for path in sorted(out.rglob("run.json"))]
    return tabulate(parts, Options(published=True))


def rename(folder, policy):
    meta = json.loads((folder / "run.json").read_text())
    meta["policy"]["name"] = policy
    (folder / "run.json").write_text(json.dumps(meta))


def expected(table):
    """Policy -> what each of its cells must show: rate, letters, best, interval, size."""
    return {
        row.name: [
            (
                percent(cell.rate if cell else None),
                cell.letters if cell else "",
                bool(cell and cell.best),
                interval(cell),
                size(cell, i, table),
            )
            for i, cell in enumerate(row.cells)
        ]
        for row in table.rows
    }


def test_the_table_under_test_has_all_there_is_to_show(table):
    cells = [cell for row in table.rows for cell in row.cells]
    assert None in cells
    assert any(cell and cell.best for cell in cells)
    assert any(cell and cell.errors for cell in cells)
    assert any(common_size(i, table) for i in range(len(table.columns)))
    assert table.blocks


def read_markdown(line):
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    return re.sub(r"\\(.)", r"\1", cells[0]), [read_cell(cell, r"<br>") for cell in cells[1:-1]]


def read_cell(cell, separator):
    """Rate, letters, best, interval and size of a cell of Markdown or HTML."""
    first, *rest = re.split(separator, cell)
    found = re.fullmatch(r"(\*\*|<b>)?([\d.-]+)(?:\*\*|</b>)?(?: <sup>(.*)</sup>)?", first.strip())
    spans = [line.replace("–", "-") for line in rest if "–" in line]  # noqa: RUF001
    sizes = [line for line in rest if line.startswith("n=")]
    return found[2], found[3] or "", bool(found[1]), "".join(spans), "".join(sizes)


def test_markdown_reads_back(table):
    lines = md.markdown(table).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| ---")) + 1
    assert dict(read_markdown(line) for line in lines[first : first + len(table.rows)]) == expected(table)
    columns = lines[first - 2].count("|")
    assert all(
        len(re.findall(r"(?<!\\)\|", line)) == columns for line in lines[first : first + len(table.rows)]
    )


def test_html_reads_back(table):
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page(table))[: len(table.rows)]
    found = {}
    for name, cells in rows:
        *rates, _ = re.findall(r"<td>(.*?)</td>", cells)
        plain = [read_cell(cell.replace("</small>", ""), r"<small>") for cell in rates]
        found[html.unescape(name.partition("<small>")[0])] = plain
    assert found == expected(table)


def test_the_page_needs_nothing_from_outside_and_knows_dark_mode(table):
    made = page(table)
    assert not re.search(r"https?:|<script|<link|<img|url\(", made)
    assert "prefers-color-scheme: dark" in made
    assert "<b>|" not in made


def test_csv_reads_back(table):
    lines = list(csv.DictReader(io.StringIO(as_csv(table))))
    own = [line for line in lines if not line["source"]]
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            found = [line for line in own if (line["policy"], line["column"]) == (row.name, column.name)]
            if cell is None:
                assert not found
                continue
            (line,) = found
            assert int(line["n"]) == cell.n
            assert line["letters"] == cell.letters
            assert line["rate"] == ("" if cell.rate is None else str(round(cell.rate, 6)))
    published = [line for line in lines if line["source"]]
    assert {line["label"] for line in published} == {"published, real robot, another task set"}
    assert ("RT-1", "seen", "0.97") in {(line["policy"], line["column"], line["rate"]) for line in published}


def test_json_reads_back(table):
    data = json.loads(as_json(table))
    for row, found in zip(table.rows, data["rows"], strict=True):
        assert found["name"] == row.name
        for column, cell in zip(table.columns, row.cells, strict=True):
            read = found["cells"][column.name]
            assert (read is None) == (cell is None)
            if cell is not None:
                assert (read["successes"], read["n"], read["errors"]) == (cell.successes, cell.n, cell.errors)
                assert (read["low"], read["high"]) == (round(cell.low, 6), round(cell.high, 6))
    assert data["caption"] == caption(table)
    assert all(figure["label"] for figure in data["published"])


def test_text_reads_back_at_any_width(table):
    for columns in (80, 300):
        made = text(table, columns)
        assert width(made) <= columns
        for cells in expected(table).values():
            for rate, letters, best, span, _ in cells:
                assert f"{rate}{'*' if best else ''} {letters}".rstrip() in made
                assert span in made
        assert "RT-1 paper, Table 2: published, real robot, another task set" in made
    assert "Hz" in text(table, 80)


def test_text_is_split_where_columns_do_not_fit(tmp_path):
    synthetic.write(tmp_path, synthetic.rated(synthetic.episodes(48), 0.5), "a_policy_with_a_long_name")
    (path,) = tmp_path.rglob("run.json")
    wide = tabulate([part(load_scores(path.parent), "success")], Options(by="task"))
    made = text(wide, 80)
    assert width(made) <= 80
    assert made.count("a_policy_with") >= 3
    for found in wide.rows[0].cells:
        assert interval(found) in made
    assert made.count(percent(wide.rows[0].cells[-1].rate)) >= 1
    assert made.count("-v0") == 12


@pytest.mark.parametrize("columns", range(72, 92))
def test_a_policys_name_is_whole_in_every_piece(tmp_path, columns):
    synthetic.write(tmp_path, synthetic.rated(synthetic.episodes(48), 0.5), "policy_9")
    (path,) = tmp_path.rglob("run.json")
    made = text(tabulate([part(load_scores(path.parent), "success")], Options(by="task")), columns)
    assert width(made) <= columns
    pieces = sum(line.startswith(" policy ") for line in made.splitlines())
    assert sum(line.startswith(" policy_9") for line in made.splitlines()) == pieces > 2


def test_latex_reads_back(table):
    made = tex.latex(table)
    body = [line.strip() for line in made.splitlines()]
    for row in table.rows:
        name = tex._named(row.name)
        lines = [line for line in body if line.startswith(f"{name} &")]
        shown = [cell for line in lines for cell in line.removesuffix(r" \\").split(" & ")[1:-1]]
        read = []
        for cell in shown:
            found = re.fullmatch(r"(\\textbf\{)?([\d.-]+)\}?(?:\$\^\{\\mathrm\{(.*)\}\}\$)?", cell)
            read.append((found[2], found[3] or "", bool(found[1])))
        assert read == [found[:3] for found in expected(table)[row.name]]
        for _, _, _, span, sizes in expected(table)[row.name]:
            assert span.replace("-", "--") in made
            assert sizes in made
    assert r"\label{tab:rtbench}" in made
    assert r"\caption{" in made


def compile_latex(body, folder):
    (folder / "table.tex").write_text(body)
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{table.tex}\end{document}"
    (folder / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


@needs_latex
def test_latex_compiles_and_fits_the_page(table, tmp_path):
    done = compile_latex(tex.latex(table), tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout
    assert "too large for page" not in done.stdout
    assert (tmp_path / "paper.pdf").stat().st_size > 1000


def test_latex_has_its_notes_below_the_numbers(table):
    for transpose in (False, True):
        made = tex.latex(table, transpose=transpose)
        captions = re.findall(r"\\caption\{(.*)\}", made)
        assert captions
        assert all(line.startswith(tex.escape(title(table))) and len(line) < 60 for line in captions)
        notes = made.index(tex.escape(caption(table)[0]))
        assert made.index(r"\end{tabular}") < notes < made.index(r"\end{table}")
        assert made.rstrip().endswith(r"\end{table}"), "nothing is left in the text of the paper"
        assert tex.escape(remarks(table)[-1]) in made


def test_transposed_latex_reads_back(table):
    made = tex.latex(table, transpose=True)
    lines = [line.strip().removesuffix(r" \\") for line in made.splitlines()]
    for i, column in enumerate(table.columns):
        found = [cell for line in lines if line.startswith(f"{tex._named(column.name)} & ")
                 for cell in line.split(" & ")[1:]]  # fmt: skip
        own, figures = found[: len(table.rows)], found[len(table.rows) :]
        assert [re.sub(r"\$.*|\\textbf|[{}]", "", cell) for cell in own] == [
            percent(row.cells[i].rate if row.cells[i] else None) for row in table.rows
        ]
        published = [block.rows[model] for block in table.blocks for model in block.rows]
        assert [bool(cell) for cell in figures] == [column.name in row for row in published]
    assert sum(line.startswith("Hz & ") for line in lines) == made.count(r"\begin{table}")


@needs_latex
def test_transposed_latex_compiles_and_fits_the_page(table, tmp_path):
    done = compile_latex(tex.latex(table, transpose=True), tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout
    assert "too large for page" not in done.stdout


@needs_latex
def test_latex_that_is_broken_does_not_compile(table, tmp_path):
    assert compile_latex(tex.latex(table).replace(r"\%", r"\nonsense"), tmp_path).returncode != 0


@needs_latex
def test_latex_of_many_policies_and_columns_compiles(tmp_path):
    episodes = synthetic.episodes(24)
    for number in range(40):
        records = synthetic.rated(episodes, number / 40, number)
        synthetic.write(tmp_path, records, f"a_policy_with_a_long_name_{number:03d}")
    parts = [part(load_scores(path.parent), "success") for path in sorted(tmp_path.rglob("run.json"))]
    wide = tabulate(parts, Options(by="task"))
    for transpose, floats in ((False, 4 * 4), (True, 2 * 10)):
        made = tex.latex(wide, transpose=transpose)
        assert made.count(r"\begin{table}") == floats
        done = compile_latex(made, tmp_path)
        assert done.returncode == 0, done.stdout[-2000:]
        assert "too large for page" not in done.stdout
        assert "Overfull \\hbox" not in done.stdout


def test_same_input_same_bytes(table):
    for write in (text, md.markdown, tex.latex, as_csv, as_json, page):
        assert write(table) == write(table)
        assert "nan" not in re.sub(r"[a-z]*nan[a-z]+|[a-z]+nan", "", write(table).lower())


def test_every_remark_is_in_every_format(table):
    told = [*caption(table, mark="Bold"), *remarks(table)]
    assert len(told) > 8
    for line in told:
        assert tex.escape(line) in tex.latex(table)
        assert md.escape(line) in md.markdown(table)
        assert line in html.unescape(page(table))
        assert line in json.loads(as_json(table))["caption"] + json.loads(as_json(table))["remarks"]

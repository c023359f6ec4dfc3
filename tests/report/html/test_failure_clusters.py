"""The section on what failures have in common."""

from rtbench.report.html.failure_clusters import section
from rtbench.report.html.section import series
from rtbench.result.run import load_run
from tests.helpers.synthetic_runs import episodes, record, write


def test_it_names_what_fails_and_is_left_out_where_nothing_does(tmp_path):
    chosen = episodes(60)
    bad = load_run(write(tmp_path, [record(one, success=one.skill != "pick") for one in chosen], "bad"))
    good = load_run(write(tmp_path, [record(one, success=True) for one in chosen], "good"))
    (figure,) = section(series([bad, good])).figures
    assert figure.table.rows[0][:4] == ("skill pick", "bad", "20 of 20", "100.0 %")
    assert all(row[1] == "bad" for row in figure.table.rows)
    assert section(series([good])).figures == ()

"""Workers and runs are killed at random moments; nothing is lost. `make soak` does this for longer."""

from tests.stress.kills import kill, toy


def test_runs_end_with_all_records_whoever_is_killed(tmp_path):
    found = kill(lambda out: toy(out, 12), tmp_path, workers=4, runs=2, seed=1)
    assert (found.workers, found.runs) == (4, 2)
    assert found.finished >= 1

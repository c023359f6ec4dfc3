"""Success rates of policies in groups of episodes: of real robots from a file, or of runs.

A file is CSV, one row a rate, with lines of remarks that begin with '#':

    policy,skill,rate,trials
    rt-1-x,move_near,0.450,60

The second column is one of `KINDS` and says what the groups are; without it a rate is of all episodes, and
trials may be left out. Or it is YAML with one entry; see `_Study` and results/real/simpler.yaml.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rtbench.core.errors import ContentError, RunError, UnknownNameError
from rtbench.core.seeding import generator
from rtbench.core.split import LEFT_OUT
from rtbench.task import yaml_loader
from rtbench.task.library import BUNDLED

if TYPE_CHECKING:
    import pandas as pd

    from rtbench.result.scores import Scores

FOLDER = "results/real"
Kind = Literal["suite", "split", "axis", "skill", "task", "all"]
KINDS: tuple[str, ...] = get_args(Kind)
"""What rates can be grouped by."""
_BY_CARD = ("split", "axis")
"""Kinds that leave out what a policy's card says it was trained on, as the summary of a run does."""
_FAILURE, _SUCCESS, _ABSENT = range(3)


@dataclass(frozen=True)
class Rate:
    """A measured success rate."""

    rate: float
    """Share of trials that succeeded, 0 to 1."""
    trials: int | None = None
    """Trials behind it; None where nobody said."""


@dataclass(frozen=True)
class RateTable:
    """Rates of policies in groups."""

    source: str
    """Where they come from."""
    by: str
    """What the groups are: one of `KINDS`."""
    cells: Mapping[tuple[str, str], Rate]
    """Rate by (policy, group)."""
    notes: tuple[str, ...] = ()
    """What a reader should know, in sentences."""

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of all policies, in order of the first mention."""
        return tuple(dict.fromkeys(policy for policy, _ in self.cells))

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of all groups, in order of the first mention."""
        return tuple(dict.fromkeys(group for _, group in self.cells))

    def draw(self, side: str, group: str, policies: Sequence[str], count: int) -> NDArray[np.float64]:
        """Bootstrap resamples float64[count, policies] of a group's rates.

        Each rate's trials are drawn again, independently; a rate without trials stays what it is. Another
        name of the `side` draws another sample.
        """
        drawn = np.empty((count, len(policies)))
        for column, policy in enumerate(policies):
            cell = self.cells[policy, group]
            if cell.trials is None:
                drawn[:, column] = cell.rate
            else:
                random = generator("correlate", side, group, policy)
                drawn[:, column] = random.binomial(cell.trials, cell.rate, count) / cell.trials
        return drawn


@dataclass(frozen=True)
class RunRates(RateTable):
    """Rates of runs, with the outcomes behind them."""

    outcomes: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """By group: one row an episode, one column a policy, of failure 0, success 1, absent 2."""

    def draw(self, side: str, group: str, policies: Sequence[str], count: int) -> NDArray[np.float64]:
        """Bootstrap resamples float64[count, policies]; NaN where a resample has no episode of a policy.

        Episodes are drawn again, the same ones for all policies: what is easy stays easy for all of them.
        """
        codes = self.outcomes[group][list(policies)].to_numpy()
        # Episodes of the same outcomes are interchangeable, so that counting each pattern is enough.
        patterns, found = np.unique(codes, axis=0, return_counts=True)
        random = generator("correlate", side, group)
        weights = random.multinomial(len(codes), found / len(codes), count)
        successes, valid = weights @ (patterns == _SUCCESS), weights @ (patterns != _ABSENT)
        drawn = np.full(valid.shape, np.nan)
        np.divide(successes, valid, out=drawn, where=valid > 0)
        return drawn


class _Study(yaml_loader.Entry):
    """The entry of a YAML file of rates."""

    source: str
    """Paper or project, with the version that was read."""
    by: Kind
    """What the groups are."""
    rates: dict[str, dict[str, float]] = Field(min_length=1)
    """Policy -> group -> success rate, 0 to 1."""
    trials: dict[str, int] = Field(default_factory=dict)
    """Group -> trials behind each of its rates."""


def read_rates(name: str) -> RateTable:
    """Rates from a CSV or YAML file, or from a file of results/real by its name.

    Raises:
        ContentError: no such file, or one that cannot be used; says where and why.
        UnknownNameError: neither a file nor a name of results/real.
    """
    path = Path(name)
    if path.suffix == ".csv":
        return _read_csv(path)
    if path.suffix in (".yaml", ".yml"):
        return _read_yaml(path)
    bundled = {file.stem: file for file in BUNDLED.files(FOLDER)}
    if path.exists():
        raise ContentError(path, "", "rates are read from .csv and .yaml; rename it to what it is.")
    if name not in bundled:
        raise UnknownNameError("file of rates", name, bundled)
    return _read_yaml(bundled[name])


def run_rates(runs: Mapping[str, Scores], by: str) -> RunRates:
    """Rates of runs, by the policy's name in `runs`.

    Episodes with an altered instruction are no test of skill and are left out, errors as well; the notes
    count both.

    Raises:
        RunError: no run has an episode with an outcome.
    """
    import pandas as pd

    notes: list[str] = []
    frames = [_usable(policy, run, by, notes) for policy, run in runs.items()]
    rows = pd.concat(frames, ignore_index=True)
    if rows.empty:
        raise RunError("the runs have no episode with an outcome: there is nothing to correlate.")
    found = rows.groupby(["policy", "group"], sort=False)["success"].agg(["mean", "size"])
    cells = {key: Rate(float(mean), int(size)) for key, mean, size in found.itertuples()}
    outcomes = {}
    for group, part in rows.groupby("group", sort=True):
        codes = part.assign(success=part["success"].astype(np.int8)).pivot_table(
            index="key", columns="policy", values="success", fill_value=_ABSENT
        )
        outcomes[str(group)] = codes.astype(np.int8)
    source = ", ".join(str(run.path) for run in runs.values())
    return RunRates(source, by, cells, tuple(notes), outcomes)


def _usable(policy: str, run: Scores, by: str, notes: list[str]) -> pd.DataFrame:
    """Columns policy, group, key, success (bool) of the episodes that count."""
    rows = run.frame
    true = rows["arm"] == ""
    valid = rows["valid"]
    if errors := int((true & ~valid).sum()):
        notes.append(f"{policy}: {_episodes(errors)} that ended in an error left out.")
    if altered := int((~true).sum()):
        notes.append(f"{policy}: {_episodes(altered)} with an altered instruction left out.")
    kept = rows[true & valid]
    if by in _BY_CARD:
        kept = kept[kept["counts_as"] != LEFT_OUT]
    group = "all" if by == "all" else kept["counts_as" if by == "split" else by]
    return kept[["key", "success"]].assign(policy=policy, group=group)


def _episodes(count: int) -> str:
    return "1 episode" if count == 1 else f"{count} episodes"


def _read_yaml(path: Path) -> RateTable:
    entries = list(yaml_loader.read_file(path, _Study).values())
    if len(entries) != 1:
        raise ContentError(path, "", f"expected one entry with rates, found {len(entries)}.")
    study = entries[0]
    cells = {
        (policy, group): _checked(path, f"rates of {policy}", rate, study.trials.get(group))
        for policy, groups in study.rates.items()
        for group, rate in groups.items()
    }
    groups = {group for _, group in cells}
    for group in study.trials:
        if group not in groups:
            raise UnknownNameError("group", group, groups, where=f"{study.where}: trials")
    return RateTable(study.source, study.by, cells)


def _read_csv(path: Path) -> RateTable:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ContentError(path, "", f"cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ContentError(path, "", "not a text in UTF-8; save it as CSV in UTF-8.") from None
    # A remark becomes an empty line, so that lines keep their numbers.
    lines = ["" if line.startswith("#") else line for line in text.splitlines()]
    reader = csv.DictReader(lines, restkey="", restval="")
    kind = _kind(path, reader.fieldnames or ())
    cells: dict[tuple[str, str], Rate] = {}
    for row in reader:
        place = f"line {reader.line_num}"
        if "" in row:
            raise ContentError(path, place, f"has more cells than the head, which is {reader.fieldnames}.")
        key = (row["policy"].strip(), row[kind].strip() if kind != "all" else "all")
        if not all(key):
            raise ContentError(path, place, f"'policy' and {kind!r} may not be empty.")
        if key in cells:
            raise ContentError(path, place, f"a rate of {key[0]} on {key[1]} stands above; give it once.")
        cells[key] = _checked(path, place, *_numbers(path, place, row))
    if not cells:
        raise ContentError(path, "", "has no rates; expected rows such as: rt-1-x,move_near,0.45,60")
    return RateTable(str(path), kind, cells)


def _kind(path: Path, head: Sequence[str]) -> str:
    """What the head's columns say that the groups are."""
    known = {"policy", "rate", "trials", *KINDS} - {"all"}
    for name in head:
        if name not in known:
            raise UnknownNameError("column", name, known, where=str(path))
        if head.count(name) > 1:
            raise ContentError(path, "", f"column {name!r} stands twice.")
    for name in ("policy", "rate"):
        if name not in head:
            raise ContentError(
                path, "", f"has no column {name!r}; expected a head such as policy,skill,rate."
            )
    kinds = [name for name in head if name in KINDS]
    if len(kinds) > 1:
        raise ContentError(path, "", f"groups are of one kind, but the head has {' and '.join(kinds)}.")
    return kinds[0] if kinds else "all"


def _numbers(path: Path, place: str, row: Mapping[str, str]) -> tuple[float, int | None]:
    rate, trials = row["rate"].strip(), row.get("trials", "").strip()
    try:
        return float(rate), int(trials) if trials else None
    except ValueError:
        reason = f"rate {rate!r}, trials {trials!r}; expected a share such as 0.45 and a whole number."
        raise ContentError(path, place, reason) from None


def _checked(path: Path, place: str, rate: float, trials: int | None) -> Rate:
    if not (math.isfinite(rate) and 0 <= rate <= 1):
        raise ContentError(path, place, f"rate {rate:g} is no share; expected 0 to 1, such as 0.45 for 45 %.")
    if trials is not None and trials < 1:
        raise ContentError(path, place, f"{trials} trials; expected at least 1, or nothing if unknown.")
    return Rate(rate, trials)

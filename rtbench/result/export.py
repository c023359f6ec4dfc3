"""Runs as one table, a row an episode: CSV for spreadsheets, Parquet for programs.

Both have `COLUMNS`; Parquet also has what a policy did and what came of it step by step: `DETAILS`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtbench.core.action import SIZE
from rtbench.core.atomic_write import atomic_write
from rtbench.core.episode import EVENTS
from rtbench.core.errors import RtbenchError
from rtbench.core.text import spreadsheet_text
from rtbench.result.columns import EPISODE_COLUMNS, EPISODE_NUMBERS, OUTCOME_FLAGS
from rtbench.result.record import Record
from rtbench.result.run import Run

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COLUMNS = {
    **dict.fromkeys(("run", "policy", "key", *EPISODE_COLUMNS, "objects"), "string"),
    **dict.fromkeys(EPISODE_NUMBERS, "int64"),
    **dict.fromkeys(("success", *OUTCOME_FLAGS), "bool"),
    "steps": "int64",
    "termination": "string",
    "progress": "double",
    **dict.fromkeys(EVENTS, "int64"),
    "true_at_reset": "bool",
    "simulated_s": "double",
    "error": "string",
    "error_message": "string",
    **dict.fromkeys(("policy_ms", "env_ms", "loop_ms", "reset_ms"), "double"),
    "video": "string",
    "counts_as": "string",
}
"""Columns of both formats and their types: the run's id, its policy, and the columns of `Run.frame`."""
DETAILS: dict[str, Callable[[Record], Any]] = {
    "objects": lambda record: list(record.episode.objects),
    "convention": lambda record: record.convention,
    "tokens": lambda record: record.token_rows.astype("uint8"),
    "subgoals": lambda record: list(record.outcome.subgoals.items()) if record.outcome else None,
    "policy_times_ms": lambda record: list(record.times.policy),
    "state_hash": lambda record: record.fingerprint.get("state"),
    "frame_hash": lambda record: record.fingerprint.get("frame"),
    "final_hash": lambda record: record.final_hash or None,
}
"""Columns that Parquet has in addition, or whole: objects (texts), the action convention of the tokens,
tokens (uint8, 11 a step), subgoals (which of the goal's leaves ever held), times of all decisions [ms], and
hashes of the settled state, of the first frame and of the last state."""
_ROWS = 2000
"""Episodes of a row group, which bounds the memory."""


class ExportError(RtbenchError):
    """A table that cannot be written."""


def export_csv(runs: Sequence[Run], output: Path | None) -> int:
    """Write CSV in UTF-8; a missing value is empty, truth is True or False. Returns the number of rows.

    A text that a spreadsheet would run as a formula gets an apostrophe in front. A file begins with a byte
    order mark, by which spreadsheets know UTF-8; standard output does not.

    Args:
        runs: Their rows follow each other.
        output: The file; None is standard output.

    Raises:
        ExportError: the file cannot be written.
    """
    import pandas as pd

    rows = pd.concat([frame(run) for run in runs], ignore_index=True)
    texts = rows.select_dtypes(["object", "string"]).columns
    rows[texts] = rows[texts].map(_harmless)
    if output is None:
        rows.to_csv(sys.stdout, index=False)
    else:
        _whole(output, lambda path: rows.to_csv(path, index=False, encoding="utf-8-sig"))
    return len(rows)


def export_parquet(runs: Sequence[Run], output: Path) -> int:
    """Write Parquet, run.json of each run in the file's metadata under 'rtbench'. Returns the number of rows.

    Raises:
        ExportError: pyarrow is not installed, or the file cannot be written.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise ExportError("Parquet needs pyarrow: pip install 'rtbench[parquet]'. CSV does not.") from None
    schema = _schema().with_metadata(
        {"rtbench": json.dumps({run.meta.id: run.meta.as_dict() for run in runs})}
    )

    def write(path: Path) -> None:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for table in _tables(runs, schema):
                writer.write_table(table)

    _whole(output, write)
    return sum(len(run.records) for run in runs)


def frame(run: Run) -> pd.DataFrame:
    """One row an episode with `COLUMNS`, in order of the keys."""
    rows = run.frame.assign(run=run.meta.id, policy=run.meta.policy.name)
    return rows.reindex(columns=list(COLUMNS))


def _schema() -> pa.Schema:
    import pyarrow as pa

    details = {
        "objects": pa.list_(pa.string()),
        "tokens": pa.list_(pa.list_(pa.uint8(), SIZE)),
        "subgoals": pa.map_(pa.string(), pa.bool_()),
        "policy_times_ms": pa.list_(pa.float64()),
    }
    types = {name: pa.type_for_alias(alias) for name, alias in COLUMNS.items()}
    return pa.schema(types | {name: details.get(name, pa.string()) for name in DETAILS})


def _tables(runs: Sequence[Run], schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa

    for run in runs:
        rows = frame(run)
        records = {record.key: record for record in run.records}
        for begin in range(0, len(rows), _ROWS):
            part = rows.iloc[begin : begin + _ROWS]
            found = [records[key] for key in part["key"]]
            columns = {
                name: pa.array(part[name], schema.field(name).type) for name in COLUMNS if name not in DETAILS
            } | {name: _array(name, list(map(get, found)), schema) for name, get in DETAILS.items()}
            yield pa.table([columns[name] for name in schema.names], schema=schema)


def _array(name: str, values: list[Any], schema: pa.Schema) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if name != "tokens":
        return pa.array(values, schema.field(name).type)
    # Built from its parts: a Python list of each token is a hundred times slower.
    ends = np.cumsum([0, *map(len, values)])
    flat = pa.array(np.concatenate(values).ravel(), pa.uint8())
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.FixedSizeListArray.from_arrays(flat, SIZE))


def _whole(output: Path, write: Callable[[Path], None]) -> None:
    """Write a file whole or not at all."""
    try:
        with atomic_write(output) as beside:
            write(beside)
    except OSError as error:
        raise ExportError(f"{output}: cannot be written: {error.strerror}. Choose another file.") from None


def _harmless(value: Any) -> Any:
    return spreadsheet_text(value) if isinstance(value, str) else value

"""Metrics of a training: one line per measurement in a CSV file, and the same for TensorBoard."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtbench.core.action import DIMENSIONS, convention
from rtbench.core.errors import RtbenchError
from rtbench.train.metrics import Score

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILE, BOARD = "metrics.csv", "tensorboard"
NAMING = "naming"
"""Answers to "where is NAME" on the validation demonstrations, by the last weights; "naming/can" and so on
are the parts for one kind of thing. The column `accuracy` has the share of right answers."""
IMAGE_TOKENS = "image tokens"
"""Image tokens of the validation demonstrations, by the averaged weights; the column `accuracy` has the share
of the targets' variance that is explained."""
ANSWERS = "answers"
"""Answers to the questions of the vision-language data that is held back, and plans of the validation
demonstrations (averaged weights); "answers/where" and so on are the parts for one kind of question. The
column `accuracy` has the share of right answers."""
PARTS = ("majority", "training", "validation", "play", NAMING, IMAGE_TOKENS, ANSWERS)
"""Measured are: the most frequent token on the validation's labels, the training batches, the validation
demonstrations (averaged weights), episodes that the policy plays, what the network can name, and what of a
teacher's image tokens it makes."""
COLUMNS = (
    "step", "part", "images", "minutes", "loss", "accuracy", *DIMENSIONS,
    "learning_rate", "images_per_s", "success", "episodes",
)  # fmt: skip


class MetricsLogError(RtbenchError):
    """A file of metrics that cannot be read or written."""


@dataclass(frozen=True)
class Measurement:
    """One line."""

    step: int
    """Steps done."""
    part: str
    """One of `PARTS`, or one that begins with "naming/" or "answers/"."""
    images: int = 0
    """Images trained on so far, each counted as often as it was."""
    minutes: float = 0.0
    """Minutes of training so far, over all sessions."""
    score: Score | None = None
    """Of tokens."""
    learning_rate: float | None = None
    """Of the last step."""
    images_per_s: float | None = None
    """Since the measurement before."""
    success: float | None = None
    """Share of played episodes that succeeded."""
    episodes: int | None = None
    """Episodes played without an error."""
    found: float | None = None
    """Share of the things that were found by their names, or of what is explained; instead of a score."""


class MetricsLog:
    """Writes measurements, after those of earlier sessions."""

    def __init__(self, folder: Path, convention_name: str, *, step: int) -> None:
        """Open the file, and drop lines after `step`, which are measured again.

        Raises:
            MetricsLogError: an existing file of another kind, or one that cannot be written.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder / FILE
        self._names = [DIMENSIONS[index] for index in convention(convention_name).order]
        rows = [row for row in read(self._path) if int(row["step"]) <= step] if self._path.exists() else []
        try:
            with self._path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(rows if step else [])
        except OSError as error:
            raise MetricsLogError(f"{self._path}: cannot be written: {error.strerror}.") from None
        self._board: SummaryWriter = SummaryWriter(str(folder / BOARD), purge_step=step + 1)

    def write(self, found: Measurement) -> None:
        """Add a line; it is on the disk when this returns."""
        row: dict[str, float | int | str | None] = {
            "step": found.step,
            "part": found.part,
            "images": found.images,
            "minutes": round(found.minutes, 3),
            "learning_rate": found.learning_rate,
            "images_per_s": found.images_per_s and round(found.images_per_s, 1),
            "success": found.success,
            "episodes": found.episodes,
            "accuracy": found.found,
        }
        if found.score:
            row |= {"loss": found.score.loss, "accuracy": found.score.mean}
            row |= dict(zip(self._names, found.score.accuracy, strict=True))
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)
        for name in (*COLUMNS[4:],):
            if (value := row.get(name)) is not None:
                self._board.add_scalar(f"{name}/{found.part}", value, found.step)
        self._board.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        self._board.close()


def read(path: Path) -> list[dict[str, str]]:
    """The lines of a metrics file, all values as text; a last line that was cut off is left out.

    Raises:
        MetricsLogError: no such file, or another one.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MetricsLogError(f"{path}: cannot be read: {error}; is this the folder of a training?") from None
    if rows and tuple(rows[0]) != COLUMNS:
        raise MetricsLogError(f"{path}: not what a training writes; give the folder of one.")
    return [row for row in rows if row["episodes"] is not None and row["step"].isdigit()]

"""What is stored as JSON in a run's folder: its parts have types, and nothing that was read is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rtbench.core.errors import RunError

LARGEST = 2**53
"""Whole numbers up to here are the same in every reader of JSON."""
Count = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]
"""A number of things: neither a text nor a truth value that could be read as one."""
Hertz = Annotated[int, Field(strict=True, ge=1, le=1000)]
"""A control rate [Hz]."""
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""Any finite number."""
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
"""A finite number that is not below zero."""
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
"""From 0 to 1."""
Flag = Annotated[bool, Field(strict=True)]
"""True or false, and no number that could be read as one."""


class Stored(BaseModel):
    """A part of a JSON file.

    Fields that this rtbench does not know are kept: another one wrote them, and they may decide whether two
    runs are alike. Fields that were not there are not written either.
    """

    model_config = ConfigDict(frozen=True, extra="allow", validate_by_name=True, validate_by_alias=True)

    @classmethod
    def of_json(cls, data: Any, path: Path) -> Self:
        """Make it from what a file holds.

        Raises:
            RunError: a field is missing or of another type; names the file and the field.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RunError(f"{path}: not what a run writes: {_told(error)}; play the run again.") from None

    def replace(self, **changes: Any) -> Self:
        """The same with other values of some fields, which are taken as they are."""
        return self.model_copy(update=changes)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values for JSON, in the order of the file."""
        return self.model_dump(by_alias=True, exclude_unset=True)


def _told(error: ValidationError) -> str:
    """The fields that are missing, or else the first that is wrong and why."""
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
    missing = [name for name, reason in found if reason == "Field required"]
    if missing:
        return f"{', '.join(missing)} missing"
    name, reason = found[0]
    return f"{name}: {reason.lower()}" if name else reason.lower()

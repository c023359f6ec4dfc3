"""Datasets of other frameworks: how files of demonstrations become one, whatever its format."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, TypeVar

from rtbench.data.demonstration import (
    Demonstration,
    DemonstrationError,
    Demonstrations,
    check_alike,
    check_cameras,
)


class Dataset(Protocol):
    """A dataset that is being written."""

    def add(self, demo: Demonstration) -> None:
        """Append an episode."""
        ...

    def finish(self) -> None:
        """Write what tells of all episodes."""
        ...

    def close(self) -> None:
        """Close its files."""
        ...


Written = TypeVar("Written", bound=Dataset)


def write(sources: Sequence[Path], output: Path, make: Callable[[Path, Demonstrations], Written]) -> Written:
    """Write all demonstrations of some files into a folder, which is whole or not there.

    Args:
        sources: Files of demonstrations.
        output: Folder to make.
        make: Begins the dataset in a folder beside it, for files that are like the first; it may refuse them.

    Raises:
        DemonstrationError: a file that cannot be read or does not go with the others, that has no images or
            single ones, or a folder that exists or cannot be written.
    """
    if output.exists():
        raise DemonstrationError(f"{output}: is there already; give a folder that is not.")
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    with ExitStack() as stack:
        files = [stack.enter_context(Demonstrations(path, trusted=False)) for path in sources]
        for file in files:
            check_alike(file.path, file.header, files[0].header)
            file.check_images(consecutive=True)
            check_cameras(file, files[0])
        if not sum(map(len, files)):
            raise DemonstrationError(f"{sources[0]}: no demonstrations, so there is nothing to export.")
        dataset = make(beside, files[0])
        try:
            for file in files:
                for number in range(len(file)):
                    dataset.add(file.demo(number))
            dataset.finish()
            beside.replace(output)
        except OSError as error:
            raise DemonstrationError(f"{output}: cannot be written: {error.strerror or error}.") from None
        finally:
            dataset.close()
            shutil.rmtree(beside, ignore_errors=True)
    return dataset

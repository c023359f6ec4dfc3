"""`rtbench vqa`: makes pictures with questions and answers, which play the part of web data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtbench.cli.options_object import takes
from rtbench.cli.vqa_options import SETS, VqaOptions

if TYPE_CHECKING:
    from rtbench.data.vqa.make import Made

EXAMPLE = "Example:  rtbench vqa -n 6000 --output questions.h5"


@takes(VqaOptions)
def vqa(options: VqaOptions) -> None:
    """Make pictures with questions and answers to train RT-2 on. They play the part of web data.

    RT-2 was trained on pictures and texts of the web. None of that is used here: pictures come from the
    simulator, under random looks, and questions from what it knows and from lists of words. No instruction,
    scene, texture or variant of the suites novel and emergent is used, and no object of novel alone; the
    words that the emergent instructions share with the questions are counted. The same command continues
    one that was stopped or killed.
    """
    import time

    from rtbench.cli.console import console
    from rtbench.cli.image_size import image_size
    from rtbench.data.vqa.make import Making, make

    making = Making(
        pictures=options.limit,
        pairs=options.pairs,
        seed=options.seed,
        size=image_size(options.size),
        sets=tuple(dict.fromkeys(options.sets or SETS)),
        emoji=options.emoji,
    )
    began = time.monotonic()
    with console().status("drawing") as status:
        made = make(
            making,
            options.output,
            options.jobs,
            lambda done: status.update(f"drawing: {done} of {options.limit} pictures"),
        )
    _report(options.output, made, time.monotonic() - began)


def _report(output: Path, made: Made, seconds: float) -> None:
    """Print how many words of the emergent suite are in the data, and what was made."""
    from rtbench.cli.console import console, note, print_rows
    from rtbench.data.vqa.held_out import overlap

    shared = overlap(made.pairs)
    rows = [{"axis": one.axis, "words": one.words, "shared": f"{100 * one.share:.0f} %"} for one in shared]
    print_rows(rows, {"axis": "emergent axis", "words": "its words", "shared": "in the data"}, as_json=False)
    note("words: those of the emergent instructions that no instruction of the suite seen has.")
    size = f"{output.stat().st_size / 1e6:.1f} MB"
    kinds = ", ".join(f"{count} {kind}" for kind, count in made.kinds.items())
    total = sum(made.kinds.values())
    speed = f" {made.drawn / seconds:.1f} pictures a second." if made.drawn else ""
    console().print(
        f"Made {made.pictures} pictures with {made.labels} names, and {total} questions in "
        f"{len(made.languages)} languages ({kinds}), {size}: {output}.{speed}",
        markup=False,
        soft_wrap=True,
    )

"""What runs in rtbench's interpreter: `RTBENCH_PYTHON worker.py SETTINGS`, asked through its pipes.

It imports rtbench, NumPy and `wire.py` beside it, and neither LeRobot nor this package.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np
import wire

from rtbench.core.errors import RtbenchError
from rtbench.evaluation.stepwise import Moment, Stepwise, StepwiseSettings


def main() -> None:
    """Answer until the pipe ends."""
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = sys.stdin.buffer
    told = json.loads(sys.argv[1])
    try:
        stepwise = Stepwise(settings_of(told))
    except RtbenchError as error:
        wire.send(answers, {"error": str(error)})
        return
    wire.send(answers, about(stepwise))
    while True:
        try:
            question, arrays = wire.receive(asked)
        except EOFError:
            stepwise.close()
            return
        try:
            message, found = answer(stepwise, question, arrays)
        except RtbenchError as error:
            message, found = {"error": str(error)}, {}
        wire.send(answers, message, found)


def settings_of(told: dict[str, Any]) -> StepwiseSettings:
    """Settings of plain values."""
    return StepwiseSettings(**{name: tuple(v) if isinstance(v, list) else v for name, v in told.items()})


def about(stepwise: Stepwise) -> dict[str, Any]:
    """What the other side is told of an environment."""
    episodes = [[one.skill, one.instruction, one.key, stepwise.most_steps(one)] for one in stepwise.episodes]
    return {"width": stepwise.mapping.width, "control_hz": stepwise.control_hz, "episodes": episodes}


def answer(
    stepwise: Stepwise, question: dict[str, Any], arrays: dict[str, np.ndarray]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The answer to a question: begin, step or frame."""
    if question["do"] == "begin":
        seen = stepwise.begin(question["number"])
        return {}, {**seen.images, "proprio": seen.proprio}
    if question["do"] == "frame":
        return {}, {"frame": stepwise.frame()}
    moment: Moment = stepwise.step(arrays["numbers"])
    seen = moment.observation
    return {"success": moment.success, "done": moment.done}, {**seen.images, "proprio": seen.proprio}


if __name__ == "__main__":
    main()

"""Files of made-up vision-language data that can be learnt: where a bright square is, and sums."""

from __future__ import annotations

import numpy as np

from rtbench.core.seeding import generator
from rtbench.data.naming import Name, Naming
from rtbench.data.vision_language import NamedPlace, Pair, VisionLanguageWriter

COLOURS = {"yellow square": (250, 220, 90), "blue square": (60, 90, 250)}
NUMBERS = ("zero", "one", "two", "three", "four")


def write(path, pictures, size=(128, 160)):
    """Pictures of two squares, each with three questions, and sums without a picture."""
    names = tuple(Name(name, "card") for name in COLOURS)
    with VisionLanguageWriter(path, size, held_out={"sums": ["two plus two"]}) as out:
        for number in pictures:
            random = generator("questions", number)
            image, places = np.full((*size, 3), 40, np.uint8), []
            cells = random.permutation(9)[:2]
            side = size[0] // 3
            for cell, colour in zip(cells, COLOURS.values(), strict=True):
                row, column = divmod(int(cell), 3)
                image[row * side : (row + 1) * side, column * side : (column + 1) * side] = colour
                places.append(((column + 0.5) * side / size[1], (row + 0.5) * side / size[0]))
            naming = Naming(
                names, np.array([2]), np.arange(2), np.array(places, np.float32), np.ones(2, np.float32)
            )
            picture = out.picture(image, naming)
            named = [NamedPlace(name, *place) for name, place in zip(COLOURS, places, strict=True)]
            for place in named:
                out.pair(Pair(f"where is the {place.name}?", "", (place,), "where"), picture)
            words = "move yellow square near blue square"
            out.pair(Pair("put the yellow one by the blue one", words, tuple(named), "command"), picture)
        for a in range(3):
            for b in range(2):
                out.pair(Pair(f"{a} plus {b}?", NUMBERS[a + b], kind="sum"))
    return path

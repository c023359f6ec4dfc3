"""A path of joint angles with bounded speed, acceleration and jerk, which goes on with its speed.

A target that comes while the path still moves is taken up from where the path is, as fast as it is there. So
nothing stops between two actions. The law is nearly time-optimal: speed follows the greatest one from which
there is room to brake, acceleration follows speed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARPNESS = 60.0
"""Acceleration per lack of speed [1/s]: a quarter of the physics rate, so that it does not chatter."""
HOMING = 10.0
"""Speed per distance left near the target [1/s]: a sixth of `SHARPNESS`, so that it does not overshoot."""


class JerkLimitedPath:
    """The path of some joints; each moves by itself."""

    def __init__(self, place: Array, speed: Array, acceleration: Array, jerk: float) -> None:
        """At rest.

        Args:
            place: float64[n] [rad].
            speed: Greatest one, float64[n] [rad/s].
            acceleration: Greatest one, float64[n] [rad/s^2].
            jerk: Greatest one [rad/s^3].
        """
        self.place, self.speed = np.array(place), np.zeros(len(place))
        self._acceleration = np.zeros(len(place))
        self._most_speed, self._most, self._jerk = speed, acceleration, jerk
        # Braking from v takes v^2 / 2a and, until it brakes fully, v a / 2j.
        self._delay = acceleration**2 / (2 * jerk)

    def ahead(self, target: Array, steps: int, seconds: float) -> Array:
        """Go on towards a target for some steps; return the places on the way.

        Args:
            target: float64[n] [rad].
            steps: Number of steps.
            seconds: Length of each [s].

        Returns:
            float64[steps, n] [rad].
        """
        ends = [self._follow(joint, float(target[joint]), steps, seconds) for joint in range(len(self.place))]
        path = np.array([places for places, _, _ in ends]).T
        self.speed = np.array([speed for _, speed, _ in ends])
        self._acceleration = np.array([acceleration for _, _, acceleration in ends])
        self.place = path[-1].copy()
        return path

    def _follow(
        self, joint: int, target: float, steps: int, seconds: float
    ) -> tuple[list[float], float, float]:
        """Places of one joint on its way, and its speed and acceleration at the end.

        Numbers of Python's: arrays of eight joints took twice as long.
        """
        place, speed = float(self.place[joint]), float(self.speed[joint])
        acceleration, most = float(self._acceleration[joint]), float(self._most[joint])
        most_speed, delay = float(self._most_speed[joint]), float(self._delay[joint])
        jerk, change = self._jerk, self._jerk * seconds
        places = []
        for _ in range(steps):
            # Where and how fast it will be once it no longer accelerates.
            still = abs(acceleration) / jerk
            left = target - place - still * (speed + still * acceleration / 3)
            far = abs(left)
            fastest = min(math.sqrt(delay * delay + 2 * most * far) - delay, HOMING * far, most_speed)
            wanted = SHARPNESS * (math.copysign(fastest, left) - (speed + still * acceleration / 2))
            wanted = min(max(wanted, -most), most)
            acceleration += min(max(wanted - acceleration, -change), change)
            speed += seconds * acceleration
            place += seconds * speed
            places.append(place)
        return places, speed, acceleration

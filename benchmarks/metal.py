"""What bare metal costs: streams, operations on BMCs, and a wave of nodes that want one image; and what is asked."""

import operator
from collections.abc import Collection
from dataclasses import asdict, dataclass
from enum import StrEnum

from benchmarks import power, stream, wave
from vclab.cli.output import JsonValue


class Part(StrEnum):
    """What can be measured by itself."""

    STREAM = "stream"
    BMCS = "bmcs"
    WAVE = "wave"


@dataclass(frozen=True)
class Size:
    """Of what is measured, and how often. ``mib``: of files in the image that one node gets; a wave's are its own."""

    mib: int
    rounds: int
    bmcs: int
    dead: int
    pairs: int
    nodes: int
    at_once: int
    wave_mib: int


@dataclass(frozen=True)
class Goal:
    """What a figure must be: at least, or at most."""

    figure: str
    sign: str
    bound: float

    def is_met(self, measured: float) -> bool:
        """Whether it is so."""
        return bool({">=": operator.ge, "<=": operator.le}[self.sign](measured, self.bound))

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}"


GOALS = (
    Goal("stream_ratio_to_pipe", ">=", 0.9),
    Goal("bmc_ops_ratio_beside_dead", ">=", 0.95),
    Goal("wave_read_ratio", "<=", 2),
)


@dataclass(frozen=True)
class Metal:
    """The figures of the parts that were measured, by name."""

    figures: dict[str, float]

    @property
    def goals(self) -> list[tuple[Goal, bool]]:
        """Of what was measured, each with whether it is met."""
        return [(goal, goal.is_met(self.figures[goal.figure])) for goal in GOALS if goal.figure in self.figures]

    def document(self) -> JsonValue:
        """For programs."""
        goals: dict[str, JsonValue] = {goal.figure: {"goal": str(goal), "met": met} for goal, met in self.goals}
        return {**self.figures, "goals": goals}


def measure(parts: Collection[Part], size: Size) -> Metal:
    """One part after the other. Raises as they do."""
    figures = dict[str, float]()
    for part in Part:
        if part in parts:
            figures |= _figures(part, size)
    return Metal(figures)


def _figures(part: Part, size: Size) -> dict[str, float]:
    match part:
        case Part.STREAM:
            return asdict(stream.measure(size.mib, size.rounds))
        case Part.BMCS:
            return asdict(power.measure(size.bmcs, size.dead, size.pairs, size.rounds))
        case Part.WAVE:
            return asdict(wave.measure(size.wave_mib, size.nodes, size.at_once))

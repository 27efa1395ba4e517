"""Everything that is measured of one trained run, put together.

A further measurement is a module like these, whose `measure` gives its numbers, listed here.
"""

from typing import Any

from infogan.evaluate import (
    bounds,
    distance,
    effects,
    factor_scores,
    generated,
    information,
    joint_effects,
    sorting,
)
from infogan.evaluate.subject import Subject

# Each with random numbers of its own, in the order in which they stand in the record.
MEASUREMENTS = (
    sorting.measure,
    factor_scores.measure,
    bounds.measure,
    generated.measure,
    effects.measure,
    joint_effects.measure,
    information.measure,
    distance.measure,
)


def measure_run(subject: Subject) -> dict[str, Any]:
    """All measurements of a run, as plain values; what was not measured is left out."""
    record: dict[str, Any] = {"metrics": {}}
    for measure in MEASUREMENTS:
        found = vars(measure(subject))
        record["metrics"] |= found.pop("metrics")
        record |= {key: value for key, value in found.items() if value is not None}
    return record

"""Measure where the time of judging and measuring goes, beside the arithmetic in it.

    python -m benchmarks.stage_parts --out benchmarks/stage_parts.md

The judge is trained again, into a folder that is thrown away, and the run of the first seed is
measured again, with a clock around every torch operation. A floor is the time of the convolutions
and matrix products at the rate at which the same process multiplied large matrices. For a processor
without a GPU; needs a pipeline that has run, and a machine with nothing else to do.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.speed import matrix_rate
from infogan.base.dataset import SPLITS
from infogan.base.packed import load_factors, load_split
from infogan.datasets import lookup
from infogan.evaluate.measurements import Subject, measure_run
from infogan.judge.judge import load_judge
from infogan.method.runtime import resolve
from infogan.method.weights import load_weights
from infogan.params import load_params
from infogan.report import document as doc
from stages import classifier


@dataclass
class Cost:
    """Seconds of a part of a stage, and of the torch operations in it.

    `products` are the convolutions and matrix products, `multiply_adds` theirs, by precision.
    """

    name: str
    seconds: float = 0.0
    products: float = 0.0
    other: float = 0.0
    multiply_adds: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def floor(self, rates: Mapping[str, float]) -> float:
        """Seconds of the products at the rates, in multiply-adds a second, of large matrices."""
        return sum(count / rates[kind] for kind, count in self.multiply_adds.items())


class Meter(TorchDispatchMode):
    """A clock around every torch operation, for one part after the other."""

    def __init__(self, first: str) -> None:
        super().__init__()
        self.costs: list[Cost] = []
        self._since = 0.0
        self.begin(first)

    def begin(self, name: str) -> None:
        """What follows belongs to the part of this name."""
        now = time.perf_counter()
        if self.costs:
            self.costs[-1].seconds = now - self._since
        self.costs.append(Cost(name))
        self._since = now

    def end(self) -> list[Cost]:
        """All parts, the last of them ended."""
        self.costs[-1].seconds = time.perf_counter() - self._since
        return self.costs

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run one operation, or what it is composed of."""
        kwargs = kwargs or {}
        with self:
            composed = func.decompose(*args, **kwargs)
        if composed is not NotImplemented:
            return composed
        begin = time.perf_counter()
        out = func(*args, **kwargs)
        seconds = time.perf_counter() - begin
        cost = self.costs[-1]
        operations = flop_registry.get(func.overloadpacket)
        if operations is None:
            cost.other += seconds
        else:
            cost.products += seconds
            precision = str(args[0].dtype).removeprefix("torch.")
            cost.multiply_adds[precision] += operations(*args, **kwargs, out_val=out) // 2
        return out


def parts_of_judge(params_file: Path, data: Path) -> list[Cost]:
    """Train the judge again, as its stage does; what it writes is thrown away."""
    with tempfile.TemporaryDirectory() as out, Meter("judge: all of it") as meter:
        given = ["--params", str(params_file), "--data", str(data), "--out", out]
        classifier.main(classifier.parser().parse_args(given))
    return meter.end()


def parts_of_evaluation(params_file: Path, runs: Path, data: Path) -> list[Cost]:
    """Measure InfoGAN's run of the first seed again, as its stage does, and write nothing."""
    with Meter("evaluation: loading the run and the data") as meter:
        params = load_params(params_file)
        backend = resolve(params.runtime)
        data_set, seed = lookup(params.dataset), params.seeds[0]
        weights = runs / "train" / f"infogan-{seed}" / "weights.safetensors"
        generator, discriminator = load_weights(weights, params)
        judge = load_judge(runs / "classifier" / "weights.safetensors", params.dataset)
        load = load_factors if data_set.factors else load_split
        train, test = (load(data, data_set, split) for split in SPLITS)
        subject = Subject(
            generator.to(backend.device),
            discriminator.to(backend.device),
            judge.to(backend.device),
            data_set,
            params,
            seed,
            backend,
            lambda what: meter.begin(f"evaluation: {what}"),
        )
        measure_run(subject, train, test)
    return meter.end()


def seconds_to_import() -> float:
    """A stage's start: a new Python that imports torch and the package."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import stages.evaluate"], check=True)
    return time.perf_counter() - begin


def report(
    costs: list[Cost], importing: float, rates: dict[str, float], machine: dict[str, str | int]
) -> str:
    """The page: a row per part, and their sum."""
    rows = []
    total = Cost("all parts")
    for cost in costs:
        total.seconds += cost.seconds
        total.products += cost.products
        total.other += cost.other
        for precision, count in cost.multiply_adds.items():
            total.multiply_adds[precision] += count
    for cost in [*costs, total]:
        rest = cost.seconds - cost.products - cost.other
        seconds = (cost.seconds, cost.products, cost.floor(rates), cost.other, rest)
        rows.append((cost.name, *(f"{value:.1f}" for value in seconds)))
    where = ", ".join(f"{key} {value}" for key, value in machine.items())
    told = ", ".join(f"{2 * rate / 1e9:.0f} GFLOP/s in {name}" for name, rate in rates.items())
    return doc.markdown(
        [
            "# The parts of judging and measuring",
            f"Made by `python -m benchmarks.stage_parts` on {where}. Large matrices were "
            f"multiplied at {told}. Seconds; the floor is that of the convolutions and matrix "
            "products. The rest is Python, NumPy, SciPy, scikit-image and files, and the clock "
            "around every operation. Each stage's start, the import of torch and of the package, "
            f"takes {importing:.1f} s more.",
            doc.Table(
                (
                    "Part",
                    "seconds",
                    "convolutions and matrix products",
                    "their floor",
                    "other torch operations",
                    "rest",
                ),
                rows,
            ),
        ]
    )


def main() -> None:
    """Measure and write the report."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.stage_parts", description=__doc__)
    options.add_argument("--out", type=Path, default=Path("benchmarks/stage_parts.md"))
    given = options.parse_args()
    params_file, runs = Path("params.yaml"), Path("runs")
    params = load_params(params_file)
    data = Path("data") / params.dataset
    costs = parts_of_judge(params_file, data) + parts_of_evaluation(params_file, runs, data)
    backend = resolve(params.runtime)
    precisions = sorted({name for cost in costs for name in cost.multiply_adds})
    rates = {name: matrix_rate(name, backend.threads) for name in precisions}
    given.out.write_text(report(costs, seconds_to_import(), rates, backend.describe()))
    print(given.out.read_text())


if __name__ == "__main__":
    main()

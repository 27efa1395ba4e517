"""Run the study: `python -m study run` trains and measures what is missing, and writes it up.

`collect` takes over what has finished so far, `report` writes up the records that are there.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from infogan.errors import InfoGANError, end_in_one_line
from infogan.figure_files import save_png, save_svg
from infogan.writing import write_file
from study import report
from study.experiments import Experiment, Recipe, experiments, load_recipes
from study.records import collect, is_on_record, load_records

RECIPES = Path("study/experiments.yaml")
RECORDS = Path("reports/study")
README = Path("README.md")
SECONDS_BETWEEN_LOOKS = 5.0


def run(chosen: list[Experiment], jobs: int) -> None:
    """Queue what has no record yet, and wait until `jobs` workers have worked it off."""
    waiting = [experiment for experiment in chosen if not is_on_record(experiment, RECORDS)]
    taken = output_of_dvc("exp", "list", "--name-only").split()
    for experiment in waiting:
        # `exp run --force` would free the name, too, but also train again what is in the cache.
        if experiment.name in taken:
            dvc("exp", "remove", experiment.name)
        dvc("exp", "run", "--queue", "--name", experiment.name, *experiment.options)
    print(f"study: {len(waiting)} experiments queued, {len(chosen) - len(waiting)} on record")
    if not waiting:
        return
    # Trainings that share cores slow each other down many times over.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    dvc("queue", "start", "-j", str(jobs), quiet=True)
    print("study: `dvc queue status` shows them; Ctrl-C leaves them running", flush=True)
    left = len(waiting)
    while left:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        now = unfinished()
        if now < left:
            print(f"study: {now} of {len(waiting)} experiments left", flush=True)
        left = now


def unfinished() -> int:
    """How many experiments are queued or running."""
    lines = output_of_dvc("queue", "status").splitlines()
    states = [line.split()[-1] for line in lines if line.strip()]
    return sum(state in ("Queued", "Running") for state in states)


def write_report(recipes: dict[str, Recipe]) -> None:
    """reports/study.md, its figures, the table of all runs and the README's, from the records."""
    records = load_records(RECORDS)
    if not records:
        raise InfoGANError(f"{RECORDS}: no records; run `python -m study run`, then collect")
    pictures = report.draw(records, recipes)
    for name, figure in pictures.items():
        save_png(figure, RECORDS / f"{name}.png")
        save_svg(figure, RECORDS / f"{name}.svg")
    write_file(RECORDS / "runs.csv", report.table(records).to_csv())
    text = report.document(records, recipes, list(pictures))
    write_file(RECORDS.with_suffix(".md"), text)
    write_file(README, report.readme_with_table(README.read_text(), records, recipes))
    print(f"study: {RECORDS.with_suffix('.md')} from {len(records)} records")


def dvc(*arguments: str, quiet: bool = False) -> None:
    """One DVC command; its own message says what went wrong.

    What it leaves running keeps its standard output open, unless it is quiet.
    """
    output = subprocess.DEVNULL if quiet else None
    try:
        subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, stdout=output)
    except subprocess.CalledProcessError as error:
        raise InfoGANError(f"`dvc {' '.join(arguments)}` failed") from error


def output_of_dvc(*arguments: str) -> str:
    """What one DVC command prints."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Queue experiments, collect what has finished, or write the report."""
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    parser.add_argument("task", choices=("run", "collect", "report"))
    parser.add_argument("recipes", nargs="*", help="some recipes only; all without")
    parser.add_argument("--jobs", type=int, default=2, help="experiments at a time")
    args = parser.parse_args()
    recipes = load_recipes(RECIPES)
    unknown = set(args.recipes) - recipes.keys()
    if unknown:
        raise InfoGANError(
            f"no recipe {', '.join(sorted(unknown))}; there are {', '.join(recipes)}"
        )
    chosen = [
        experiment
        for experiment in experiments(recipes, Path("params.yaml"))
        if experiment.recipe in (args.recipes or recipes)
    ]
    if args.task == "report":
        write_report(recipes)
        return
    if args.task == "run":
        run(chosen, args.jobs)
    done = [experiment.name for experiment in chosen if collect(experiment, Path("."), RECORDS)]
    print(f"study: {len(done)} of {len(chosen)} experiments on record in {RECORDS}")
    write_report(recipes)


if __name__ == "__main__":
    end_in_one_line(main)

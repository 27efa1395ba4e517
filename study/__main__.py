"""Run the study: `python -m study run` trains and measures what is missing, and writes it up.

`collect` takes over what has finished so far, `report` writes up the records that are there.
"""

import argparse
import subprocess
from pathlib import Path

from infogan.base.cores import usable_cores
from infogan.base.errors import InfoGANError, end_in_one_line
from infogan.base.files import write_file
from infogan.report.figure_files import save_png, save_svg
from stages.side_by_side import DVC, share_cores, side_by_side
from study import report
from study.experiments import Experiment, Recipe, experiments, load_recipes
from study.git import refuse_shallow_clone
from study.records import collect, load_records

RECIPES = Path("study/experiments.yaml")
RECORDS = Path("reports/study")
README = Path("README.md")
LOGS = Path(".dvc/tmp/study")
# DVC says so when an experiment has its own copy of the project.
UNDER_WAY = "Reproducing experiment"


def run(chosen: list[Experiment], jobs: int) -> list[str]:
    """Train and measure what has no record yet, `jobs` experiments at a time; returns what failed.

    Each is put on record as soon as it has finished.
    """
    refuse_shallow_clone()
    missing = [one for one in chosen if not collect(one, Path("."), RECORDS)]
    free_names({one.name for one in missing})
    print(f"study: {len(missing)} experiments to run, {len(chosen) - len(missing)} on record")
    share_cores(jobs)
    by_name = {one.name: one for one in missing}
    commands = {
        one.name: [*DVC, "exp", "run", "--temp", "--name", one.name, *one.options]
        for one in missing
    }
    failed = []
    left = len(missing)
    if missing:
        print(f"study: {LOGS}/NAME.log shows each; Ctrl-C ends them, to go on later", flush=True)
    for name, ended_well in side_by_side(commands, jobs, LOGS, UNDER_WAY):
        left -= 1
        on_record = ended_well and collect(by_name[name], Path("."), RECORDS)
        if not on_record:
            failed.append(name)
        state = "on record" if on_record else f"failed, see {LOGS / name}.log"
        if ended_well and not on_record:
            state = f"ended well, but DVC keeps no such experiment; see {LOGS / name}.log"
        print(f"study: {name} {state}; {left} of {len(missing)} left", flush=True)
    return failed


def free_names(names: set[str]) -> None:
    """Remove experiments of those names: they ran with other parameters.

    `exp run --force` would free the name, too, but also train again what is in the cache.
    """
    listed = [*DVC, "exp", "list", "--name-only"]
    done = subprocess.run(listed, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise InfoGANError("dvc exp list: failed; the cause stands above")
    found = done.stdout.split()
    for name in sorted(names & set(found)):
        subprocess.run([*DVC, "exp", "remove", name], check=True)


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
    write_file(
        README, report.readme_with_table(README.read_text(encoding="utf-8"), records, recipes)
    )
    print(f"study: {RECORDS.with_suffix('.md')} from {len(records)} records")


def main() -> None:
    """Run experiments, collect what has finished, or write the report."""
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    parser.add_argument("task", choices=("run", "collect", "report"))
    parser.add_argument("recipes", nargs="*", help="some recipes only; all without")
    parser.add_argument(
        "--jobs", type=int, default=usable_cores(), help="experiments at a time; one per core"
    )
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error("--jobs: expected at least 1")
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
    try:
        failed = run(chosen, args.jobs) if args.task == "run" else []
    except KeyboardInterrupt:
        raise InfoGANError("interrupted; the same command goes on from here") from None
    done = [experiment.name for experiment in chosen if collect(experiment, Path("."), RECORDS)]
    print(f"study: {len(done)} of {len(chosen)} experiments on record in {RECORDS}")
    if done or not failed:
        write_report(recipes)
    if failed:
        raise InfoGANError(f"{', '.join(failed)}: failed; the cause stands in {LOGS}/NAME.log")


if __name__ == "__main__":
    end_in_one_line(main)

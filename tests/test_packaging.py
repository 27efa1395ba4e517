"""What a clone gives, and `pip install .`: the package alone, with its templates."""

import os
import shutil
import subprocess
import sys
import zipfile

from tests.imports import ROOT


def test_the_wheel_holds_the_package_alone_and_all_of_it_and_works_elsewhere(tmp_path):
    source, wheels, site = (tmp_path / name for name in ("source", "wheels", "site"))
    shutil.copytree(ROOT / "infogan", source / "infogan", ignore=shutil.ignore_patterns("*.pyc"))
    (source / "stages").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "stages/__init__.py"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", wheels, source]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    with zipfile.ZipFile(wheels / "infogan_replication-0.1.0-py3-none-any.whl") as wheel:
        wheel.extractall(site)
    assert {path.name for path in site.iterdir()} == {
        *("infogan", "infogan_replication-0.1.0.dist-info")
    }
    ours = {file.relative_to(source) for file in (source / "infogan").rglob("*") if file.is_file()}
    assert {file.relative_to(site) for file in site.glob("infogan/**/*.*")} == ours
    code = "import infogan, infogan.explore.page as p; print(infogan.load, p.TEMPLATE.read_text())"
    environment = os.environ | {"PYTHONPATH": str(site)}
    printed = subprocess.check_output(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True
    )
    assert "<html" in printed


def test_a_clone_that_would_change_line_ends_has_the_same_bytes():
    listed = subprocess.check_output(["git", "ls-files", "--eol"], cwd=ROOT, text=True)
    told = {line.partition("\t")[0].partition("attr/")[2].strip() for line in listed.splitlines()}
    assert told == {"text=auto eol=lf", "-text"}  # the second: pictures

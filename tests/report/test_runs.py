import pytest

from infogan.base.errors import InfoGANError
from infogan.base.files import write_file
from infogan.report.runs import all_metrics, read_run
from tests.report.test_text import make_drawable_run


@pytest.mark.parametrize("steps", [(1, 2, 2, 3), (1, 2, 4, 3), (1, 2, 3, 1, 2, 3)])
def test_a_log_that_two_trainings_wrote_is_named_with_its_cure(tmp_path, steps):
    log = tmp_path / "train" / "gan-4" / "plots" / "metrics" / "generator_loss.tsv"
    rows = "".join(f"{step}\t0.5\n" for step in steps)
    write_file(log, "step\tgenerator_loss\n" + rows)
    write_file(log.with_name("discriminator_loss.tsv"), "step\tdiscriminator_loss\n1\t0.5\n")
    with pytest.raises(InfoGANError) as refused:
        read_run(tmp_path, "gan", 4)
    assert str(refused.value) == (
        f"{log}: the log of run gan-4 has steps twice or out of order; run dvc repro --force "
        "--single-item train@gan-4, then dvc repro"
    )


def test_a_runs_metrics_say_when_its_bound_and_losses_settled():
    run = make_drawable_run("infogan", 3)
    [(key, metrics)] = all_metrics([run]).items()
    assert key == ("infogan", 3)
    assert metrics["accuracy_matched"] == 0.875
    assert metrics["settling_ratio"] > 0

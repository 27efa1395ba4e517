from stages.train import SECONDS_PER_LINE, Progress

MEANS = {
    "discriminator_loss": 1.275,
    "generator_loss": 0.8476,
    "bound_cat_nats": -2.294,
    "bound_cont_nats": -12.792,
}


def test_a_long_trainings_line_fits_80_columns(capsys):
    progress = Progress("infogan-12", 50_000)
    progress.shown -= SECONDS_PER_LINE * 1000
    progress.shown_step = 9_000
    progress.show(34_567, MEANS)
    line = capsys.readouterr().out
    assert line.startswith("infogan-12  34567/50000  5.1/s  50:")
    assert line.endswith(" left  D 1.27 G 0.85 cat -2.29 cont -12.79\n")
    assert len(line.rstrip("\n")) <= 80


def test_lines_are_seconds_apart_but_for_the_last_step(capsys):
    progress = Progress("infogan-0", 100)
    progress.show(20, MEANS)
    assert capsys.readouterr().out == ""
    progress.show(100, MEANS)
    assert capsys.readouterr().out.startswith("infogan-0  100/100  ")

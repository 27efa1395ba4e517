from infogan.report.document import Picture, Table, Verdict, markdown


def test_a_document_is_its_blocks_with_an_empty_line_between():
    table = Table(("a", "b"), [("1", Verdict(0, 2)), ("2", Verdict(1, 1))])
    picture = Picture("film", "Many grids.", "**Film.** As it was.")
    assert markdown(["# Title", table, picture]) == (
        "# Title\n\n"
        "| a | b |\n| --- | --- |\n| 1 | 0 of 2 seeds |\n| 2 | 1 of 1 seed |\n\n"
        "![Many grids.](figures/film.png)\n\n**Film.** As it was.\n"
    )

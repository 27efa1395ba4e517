from infogan.report.document import Picture, Table, Verdict, markdown


def test_a_document_is_its_blocks_with_an_empty_line_between():
    assert markdown(["# Title", "A paragraph."]) == "# Title\n\nA paragraph.\n"


def test_a_table_has_header_rule_and_rows():
    table = Table(("a", "b"), [("1", "2"), ("3", Verdict(0, 2))])
    assert markdown([table]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 0 of 2 seeds |\n"


def test_a_picture_is_a_file_with_a_description_and_a_caption():
    picture = Picture("film", "Many grids.", "**Film.** As it was.")
    assert markdown([picture]) == "![Many grids.](figures/film.png)\n\n**Film.** As it was.\n"


def test_one_seed_is_not_one_seeds():
    assert [str(Verdict(1, total)) for total in (1, 2)] == ["1 of 1 seed", "1 of 2 seeds"]

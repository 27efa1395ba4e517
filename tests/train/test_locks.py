from infogan.train.locks import sole_writer


def test_writers_into_other_folders_do_not_wait(tmp_path):
    said = []
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with sole_writer(tmp_path / "a", said.append), sole_writer(tmp_path / "b", said.append):
        assert said == []

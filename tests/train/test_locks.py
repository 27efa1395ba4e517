import os
import threading
import time

from infogan.train.locks import sole_writer


def test_a_second_writer_waits_for_the_first_and_names_its_process(tmp_path):
    said, order = [], []

    def second():
        with sole_writer(tmp_path, said.append):
            order.append("second")

    with sole_writer(tmp_path, said.append):
        thread = threading.Thread(target=second)
        thread.start()
        give_up = time.monotonic() + 10
        while not said and time.monotonic() < give_up:
            time.sleep(0.01)
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert said == [f"waits for process {os.getpid()}, which writes into {tmp_path}"]
    assert list(tmp_path.iterdir()) == []


def test_writers_into_other_folders_do_not_wait(tmp_path):
    said = []
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with sole_writer(tmp_path / "a", said.append), sole_writer(tmp_path / "b", said.append):
        assert said == []

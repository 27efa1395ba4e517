import numpy as np
import pytest

from infogan.base.files import load_array, save_array

ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.linspace(0, 1, 5),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.zeros((0, 3), np.uint8),
]


@pytest.mark.parametrize("array", ARRAYS)
def test_an_array_comes_back_as_it_was(tmp_path, array):
    save_array(tmp_path / "a.npy", array)
    for loaded in (load_array(tmp_path / "a.npy"), np.load(tmp_path / "a.npy")):
        np.testing.assert_array_equal(loaded, array)
        assert loaded.dtype == array.dtype


def test_the_same_array_gives_the_same_bytes(tmp_path):
    for name in ("a.npy", "b.npy"):
        save_array(tmp_path / name, ARRAYS[0])
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path):
    save_array(tmp_path / "a.npy", ARRAYS[0])
    sound = (tmp_path / "a.npy").read_bytes()
    for position in range(len(sound)):
        changed = bytearray(sound)
        changed[position] ^= 1 << position % 8
        (tmp_path / "a.npy").write_bytes(changed)
        with pytest.raises(ValueError, match=r"a\.npy: its checksum is wrong"):
            load_array(tmp_path / "a.npy")


@pytest.mark.parametrize("kept", [0, 3, 50, -1])
def test_a_truncated_file_is_noticed(tmp_path, kept):
    save_array(tmp_path / "a.npy", ARRAYS[0])
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:kept])
    with pytest.raises(ValueError, match="checksum is wrong"):
        load_array(tmp_path / "a.npy")


def test_a_file_without_a_checksum_is_noticed(tmp_path):
    np.save(tmp_path / "a.npy", ARRAYS[0])
    with pytest.raises(ValueError, match="checksum is wrong"):
        load_array(tmp_path / "a.npy")


def test_objects_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        save_array(tmp_path / "a.npy", np.array([{}, []], dtype=object))

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from infogan.base.dataset import SPLITS
from infogan.base.errors import InfoGANError
from infogan.base.images import scale, unscale
from infogan.base.packed import load_images, load_split
from infogan.base.splits import load_arrays, packed_contents
from infogan.datasets import lookup, names
from infogan.download.packing import READERS, prepare
from infogan.download.sources import FETCHERS
from infogan.method.networks import TABLES
from tests.toy_data import TOY, register, toy_arrays, write_raw


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Folder of the packed toy data set, entered in the registry as `toy`."""
    register(monkeypatch, "toy", TOY)
    write_raw(tmp_path / "raw")
    prepare("toy", tmp_path / "raw", tmp_path / "toy")
    return tmp_path / "toy"


def test_scale_maps_0_to_the_low_end_and_255_to_the_high_end_exactly_and_unscale_undoes_it():
    pixels = torch.arange(256, dtype=torch.uint8)
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        values = scale(pixels, (low, high))
        assert values.dtype == torch.float32
        assert (values[0], values[255]) == (low, high)
        assert values[51].item() == pytest.approx(low + 0.2 * (high - low), abs=1e-6)
        assert torch.equal(unscale(values, (low, high)), pixels)
        beyond = unscale(values[[0, 255]] + torch.tensor([-3.0, 3.0]), (low, high))
        assert beyond.tolist() == [0, 255]


@pytest.mark.parametrize("split", SPLITS)
def test_a_loaded_split_is_what_was_packed(packed, split):
    images, labels = toy_arrays(split)
    loaded = load_split(packed, TOY, split)
    np.testing.assert_array_equal(loaded.images.numpy(), images.reshape(-1, 1, 3, 5))
    np.testing.assert_array_equal(loaded.labels.numpy(), labels)
    assert torch.equal(load_images(packed, TOY, split), loaded.images)
    arrays = load_arrays(packed, TOY, split, ("images", "labels"))
    np.testing.assert_array_equal(arrays["images"], loaded.images.numpy())
    np.testing.assert_array_equal(arrays["labels"], labels)


def flip_a_bit(path, position):
    contents = bytearray(path.read_bytes())
    contents[position] ^= 1
    path.write_bytes(contents)


def test_a_changed_byte_is_refused_where_it_is_read(packed):
    flip_a_bit(packed / "train.safetensors", -1)  # the labels are the last bytes of the file
    assert load_images(packed, TOY, "train").shape == (7, 1, 3, 5)
    with pytest.raises(InfoGANError, match="SHA-256 of labels is"):
        load_split(packed, TOY, "train")
    flip_a_bit(packed / "test.safetensors", -4 - 1)  # before the 4 labels: the last pixel
    with pytest.raises(InfoGANError, match=r"test\.safetensors: SHA-256 of images is .*, expected"):
        load_images(packed, TOY, "test")


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(packed, kept):
    path = packed / "train.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InfoGANError, match=r"train\.safetensors.*truncated.*dvc repro download"):
        load_images(packed, TOY, "train")


def test_a_missing_file_is_named_with_its_cure(tmp_path):
    cure = r"train\.safetensors: missing; run `dvc repro download`"
    with pytest.raises(InfoGANError, match=cure):
        load_images(tmp_path, lookup("mnist"), "train")


def test_a_split_under_the_name_of_the_other_is_refused(packed):
    (packed / "train.safetensors").replace(packed / "test.safetensors")
    with pytest.raises(InfoGANError, match="holds toy/train, expected toy/test"):
        load_images(packed, TOY, "test")


def test_another_number_of_images_is_refused(packed):
    path = packed / "train.safetensors"
    arrays = {key: array[1:].copy() for key, array in load_file(path).items()}
    save_file(arrays, path, packed_contents(TOY, "train", arrays))
    with pytest.raises(InfoGANError, match=r"shape \(6, 1, 3, 5\), expected .* \(7, 1, 3, 5\)"):
        load_images(packed, TOY, "train")


@pytest.mark.parametrize(
    "metadata",
    [None, {"other": "x"}, {"contents": "{"}, {"contents": "[]"}, {"contents": "{}"}],
)
def test_a_file_without_checksums_is_refused(packed, metadata):
    save_file(load_file(packed / "train.safetensors"), packed / "train.safetensors", metadata)
    with pytest.raises(InfoGANError, match="expected a packed split of toy"):
        load_images(packed, TOY, "train")


def test_an_unknown_data_set_is_answered_with_the_known_ones():
    with pytest.raises(InfoGANError, match="'mnits' is unknown; choose one of celeba, chairs"):
        lookup("mnits")


@pytest.mark.parametrize("name", names())
def test_an_entry_of_the_registry_names_only_things_that_exist(name):
    data_set = lookup(name)
    assert data_set.reader in READERS
    assert {source.partition(":")[0] for source in data_set.sources} <= FETCHERS.keys()
    assert set(data_set.split_sizes) in (set(SPLITS), set())
    # How many images there are is open only where a person may bring any.
    assert data_set.split_sizes or None in data_set.files.values()
    table = TABLES[data_set.networks]
    assert data_set.image_shape == table.image_shape
    assert data_set.value_range == {nn.Tanh: (-1, 1), nn.Sigmoid: (0, 1)}[table.output]
    assert bool(data_set.class_names) != bool(data_set.factors)
    known = data_set.class_names or [factor.name for factor in data_set.factors]
    assert len(set(known)) == len(known) > 0
    assert data_set.name == name

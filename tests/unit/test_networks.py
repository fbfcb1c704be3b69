"""The networks that ship: whole, verified, and indifferent to what must not matter."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from morpho import networks
from morpho.errors import NetworkError
from morpho.networks import Network, load_network, scale_signal

Name = Literal["head", "medial_temporal"]
NAMES: tuple[Name, ...] = ("head", "medial_temporal")


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network("medial_temporal")


@pytest.fixture(scope="module")
def image(network: Network) -> NDArray[np.float32]:
    """Something with structure: smooth patches of tissue-like signal, some air, a few bright voxels."""
    rng = np.random.default_rng(20260101)
    patches = ndimage.gaussian_filter(rng.normal(size=network.shape), 3)
    signal = np.digitize(patches, np.percentile(patches, [15, 40, 70])) / 3 * 300 + rng.normal(0, 8, network.shape)
    signal[:, :, -4:] = 0
    signal.flat[:: signal.size // 100] = 900
    return signal.clip(0).astype(np.float32)


@pytest.fixture
def copied_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a copy of the weights, which `load_network` is told to read."""
    folder = tmp_path / "weights"
    shutil.copytree(networks.FOLDER, folder)
    monkeypatch.setattr(networks, "FOLDER", folder)
    return folder


def load_anew(name: Name) -> Network:
    """Load past the cache, which would hide what happened to the file."""
    return load_network.__wrapped__(name)


# --- load_network -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_what_their_description_says(name: Name) -> None:
    network = load_network(name)
    (given,), (result,) = network.session.get_inputs(), network.session.get_outputs()
    assert given.name == "image"
    assert given.shape[-3:] == list(network.shape)
    assert result.shape[1] == len(network.classes) == len(set(network.classes))
    assert network.voxel_mm > 0


def test_networks_have_the_classes_that_the_stages_ask_for() -> None:
    assert {"hippocampus", "amygdala"} <= set(load_network("medial_temporal").classes)
    head = load_network("head").classes
    assert head[0] == "outside"
    assert set(head) == {
        "outside", "fluid", "cortex", "white_matter", "deep_grey_matter", "hippocampus_amygdala", "cerebellum",
        "brain_stem",
    }  # fmt: skip


def test_description_has_the_checksum_of_each_file() -> None:
    about = json.loads((networks.FOLDER / "networks.json").read_text(encoding="utf-8"))
    assert set(about) == set(NAMES)
    for name in NAMES:
        assert hashlib.sha256((networks.FOLDER / about[name]["file"]).read_bytes()).hexdigest() == about[name]["sha256"]


def test_a_network_is_loaded_once() -> None:
    assert load_network("medial_temporal") is load_network("medial_temporal")


def test_flipped_bit_is_noticed(copied_weights: Path) -> None:
    file = copied_weights / "medial_temporal.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(NetworkError, match=r"medial_temporal\.onnx are missing or damaged .*Install morpho again"):
        load_anew("medial_temporal")
    assert load_anew("head").name == "head"


def test_file_that_is_cut_short_is_noticed(copied_weights: Path) -> None:
    file = copied_weights / "head.onnx"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(NetworkError, match=r"head\.onnx are missing or damaged"):
        load_anew("head")


def test_absent_file_is_noticed(copied_weights: Path) -> None:
    (copied_weights / "head.onnx").unlink()
    with pytest.raises(NetworkError, match=r"head\.onnx are missing or damaged"):
        load_anew("head")


# --- predict ------------------------------------------------------------------------------------------------------


def test_shares_of_the_classes_sum_to_one(network: Network, image: NDArray[np.float32]) -> None:
    shares = network.predict(image)
    assert shares.shape == (len(network.classes), *network.shape)
    assert shares.dtype == np.float32
    assert 0 <= shares.min() <= shares.max() <= 1 + 1e-6
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)


def test_unit_of_the_signal_does_not_matter(network: Network, image: NDArray[np.float32]) -> None:
    expected = network.predict(image)
    for factor in (7.0, 1e-4):
        np.testing.assert_allclose(network.predict((factor * image).astype(np.float32)), expected, atol=1e-4)


def test_one_image_has_one_answer_to_the_last_bit(network: Network, image: NDArray[np.float32]) -> None:
    first = network.predict(image)
    np.testing.assert_array_equal(network.predict(image), first)
    np.testing.assert_array_equal(load_anew("medial_temporal").predict(image), first)


def test_order_of_memory_does_not_matter(network: Network, image: NDArray[np.float32]) -> None:
    expected = network.predict(image)
    np.testing.assert_array_equal(network.predict(np.asfortranarray(image)), expected)
    np.testing.assert_array_equal(network.predict(image[::-1].copy()[::-1]), expected)


def test_image_is_left_as_it_was(network: Network, image: NDArray[np.float32]) -> None:
    before = image.copy()
    network.predict(image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("shape", [(48, 64, 47), (48, 48, 64), (1, 48, 64, 48)])
def test_image_of_another_shape_is_refused(network: Network, shape: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match=r"medial_temporal takes images of shape \(\d+, \d+, \d+\), not"):
        network.predict(np.ones(shape, np.float32))


def test_image_without_signal_is_refused(network: Network) -> None:
    with pytest.raises(NetworkError, match=r"from 0\.0 to 0\.0; .*finite .*above 0"):
        network.predict(np.zeros(network.shape, np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_refused(network: Network, image: NDArray[np.float32], value: float) -> None:
    broken = image.copy()
    broken[3, 4, 5] = value
    with pytest.raises(NetworkError, match="finite"):
        network.predict(broken)


# --- scale_signal -------------------------------------------------------------------------------------------------


def test_bright_tissue_becomes_one() -> None:
    """Of 100 voxels with signal 1 to 100, the 99th percentile is 99.01; air does not count."""
    image = np.zeros((10, 10, 10), np.float32)
    image.flat[:100] = np.arange(1, 101)
    signal = image[image > 0.02 * 100]
    scaled = scale_signal(image)
    np.testing.assert_allclose(scaled.flat[:100], np.arange(1, 101) / np.percentile(signal, 99), rtol=1e-6)
    assert scaled.dtype == np.float32
    assert not scaled.flat[100:].any()


def test_very_bright_voxels_are_cut_and_negative_ones_are_air() -> None:
    image = np.full((10, 10, 20), 50, np.float32)
    image[0, 0, :3] = (1000, -20, 75)
    np.testing.assert_allclose(scale_signal(image)[0, 0, :4], [2, 0, 1.5, 1], rtol=1e-6)

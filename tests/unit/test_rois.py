"""Regions as labels of an atlas."""

from pathlib import Path

import pandas as pd
import pytest

from morpho.errors import AtlasError, ConfigError
from morpho.rois import check_regions, read_labels, read_rois, resolve_rois

ROOT = Path(__file__).parents[2]
HEADER = "roi\themisphere\tatlas\tlabels\tparts\tdescription\n"
LABELS = "index\tname\themisphere\ttissue\n1\ta\tL\tcortex\n2\tb\tL\tcortex\n3\ta\tR\tcortex\n4\tb\tR\tcortex\n"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "rois.tsv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def both(row: str) -> list[str]:
    return [row.replace("?", side) for side in "LR"]


@pytest.fixture
def labels(tmp_path: Path) -> pd.DataFrame:
    path = tmp_path / "labels.tsv"
    path.write_text(LABELS, encoding="utf-8")
    return read_labels(path)


def indices(resolved: pd.DataFrame, roi: str, hemisphere: str) -> list[int]:
    return resolved.set_index(["roi", "hemisphere"]).loc[(roi, hemisphere), "label_indices"]


def test_labels_are_taken_from_the_hemisphere_of_the_region(tmp_path: Path, labels: pd.DataFrame) -> None:
    resolved = resolve_rois(read_rois(write(tmp_path, *both("x\t?\tdk\ta\tn/a\tn/a"))), labels)
    assert indices(resolved, "x", "L") == [1]
    assert indices(resolved, "x", "R") == [3]


def test_shared_parts_count_once_and_nested_parts_are_resolved(tmp_path: Path, labels: pd.DataFrame) -> None:
    rows = [*both("x\t?\tdk\ta,b\t\t"), *both("y\t?\tdk\tb\tx\t"), *both("z\t?\tdk\t\tx, y\t")]
    resolved = resolve_rois(read_rois(write(tmp_path, *rows)), labels)
    assert indices(resolved, "z", "L") == [1, 2]
    assert indices(resolved, "z", "R") == [3, 4]
    assert resolved["roi"].tolist() == ["x", "x", "y", "y", "z", "z"]


def test_all_labels_that_the_atlas_lacks_are_named(tmp_path: Path, labels: pd.DataFrame) -> None:
    rois = read_rois(write(tmp_path, *both("x\t?\tdk\tq,a\t\t"), *both("y\t?\tdk\tw\t\t")))
    with pytest.raises(AtlasError, match=r"q \(L, region x\), q \(R, region x\), w \(L, region y\).*labels are a, b"):
        resolve_rois(rois, labels)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["x\tL\tdk\ta\t\t"], r"'x' must have one row for L and one for R, it has L"),
        (["x\tL\tdk\ta\t\t", *both("x\t?\tdk\ta\t\t")], r"it has L, L, R"),
        (both("x\t?\tdk\t\t\t"), r"'x' \(L\) has neither labels nor parts"),
        (["x\tleft\tdk\ta\t\t", "x\tR\tdk\ta\t\t"], r"'x' \(left\): the hemisphere must be L or R"),
        (both("x y\t?\tdk\ta\t\t"), r"letters, digits and underscores only"),
        (both("x\t?\tdk\t\tw\t"), r"'x' \(L\): its part 'w' is no region"),
        (both("x\t?\tdk\t\tx\t"), r"'x' \(L\) contains itself"),
        ([*both("x\t?\tdk\t\ty\t"), *both("y\t?\tdk\t\tx\t")], r"'y' \(R\) contains itself"),
    ],
)
def test_broken_region_is_refused(tmp_path: Path, rows: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_rois(write(tmp_path, *rows))


def test_region_below_a_cycle_is_not_blamed(tmp_path: Path) -> None:
    rows = [*both("x\t?\tdk\t\ty\t"), *both("y\t?\tdk\t\tx\t"), *both("z\t?\tdk\ta\tx\t")]
    with pytest.raises(ConfigError) as caught:
        read_rois(write(tmp_path, *rows))
    assert "'z'" not in str(caught.value)


def test_columns_are_closed(tmp_path: Path) -> None:
    path = write(tmp_path, "x\tL\tdk\ta\t1", header="roi\themisphere\tatlas\tlabels\tlabel\n")
    with pytest.raises(ConfigError) as caught:
        read_rois(path)
    for problem in ("'parts' is absent", "'description' is absent", "'label' is unknown"):
        assert problem in str(caught.value)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        read_rois(tmp_path / "none.tsv")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("1\ta\tL\tcortex\tn/a\tn/a\n1\tb\tL\tcortex\tn/a\tn/a\n", "index 1 is there twice"),
        ("1\ta\tL\tcortex\tn/a\tn/a\n2\ta\tL\tcortex\tn/a\tn/a\n", "name, hemisphere a, L is there twice"),
        ("0\ta\tL\tcortex\tn/a\tn/a\n", "whole numbers above 0"),
        ("1.5\ta\tL\tcortex\tn/a\tn/a\n", "whole numbers above 0"),
        ("1\tn/a\tL\tcortex\tn/a\tn/a\n", "1 label.* no name"),
        ("1\ta\tleft\tcortex\tn/a\tn/a\n", "'hemisphere' has 'left'; allowed are L, R, B"),
        ("1\ta\tL\tgrey\tn/a\tn/a\n", "'tissue' has 'grey'"),
        ("1\ta\tL\tcortex\tn/a\tn/a\n2\tb\tL\tcortex\ta\tn/a\n", "needs both split_of and max_z_mm"),
        ("1\ta\tR\tcortex\tn/a\tn/a\n2\tb\tL\tcortex\ta\t0\n", "split of 'a', no other label of that hemisphere"),
        ("1\ta\tL\tcortex\ta\t0\n", "split of 'a', no other label"),
        ("1\ta\tL\tcortex\tn/a\tlow\n", "'max_z_mm' must hold numbers"),
    ],
)
def test_broken_label_table_is_refused(tmp_path: Path, rows: str, reason: str) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("index\tname\themisphere\ttissue\tsplit_of\tmax_z_mm\n" + rows, encoding="utf-8")
    with pytest.raises(AtlasError, match=reason):
        read_labels(path)


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ({"rois": ["x", "w"], "hemispheres": ["mean"]}, r"families\.f\.rois names w; known are x, total_grey_matter"),
        ({"rois": ["tiv"], "hemispheres": ["mean"]}, r"totals need hemispheres: \[whole\]"),
        ({"rois": ["tiv", "x"], "hemispheres": ["whole"]}, "a family of their own"),
        ({"rois": ["x"], "hemispheres": ["L", "whole"]}, "'whole', which only totals have"),
    ],
)
def test_family_that_cannot_be_tested_is_refused(tmp_path: Path, family: dict[str, list[str]], reason: str) -> None:
    rois = read_rois(write(tmp_path, *both("x\t?\tdk\ta\t\t")))
    check_regions(rois, atlas="dk", families={"f": {"rois": ["x"], "hemispheres": ["L", "mean"]}})
    with pytest.raises(ConfigError, match=reason):
        check_regions(rois, atlas="dk", families={"f": family})


def test_regions_of_another_atlas_are_refused(tmp_path: Path) -> None:
    rois = read_rois(write(tmp_path, *both("x\t?\tdk\ta\t\t"), *both("tiv\t?\tdk\ta\t\t")))
    with pytest.raises(
        ConfigError, match=r"atlas 'dk', config atlas.name is 'aal'(.|\n)*'tiv', which is the name of a total"
    ):
        check_regions(rois, atlas="aal", families={})


def test_shipped_regions_are_the_desikan_killiany_ones() -> None:
    labels = read_labels(ROOT / "config/atlas-desikankilliany_labels.tsv")
    names = labels.set_index("index")["name"]
    resolved = resolve_rois(read_rois(ROOT / "config/rois.tsv"), labels)
    shipped = {(roi, side): sorted(names[found]) for roi, side, found in resolved.itertuples(index=False)}
    for side in "LR":
        assert shipped["hippocampus", side] == ["hippocampus"]
        assert shipped["vmpfc", side] == ["medialorbitofrontal"]
        assert (
            shipped["dlpfc", side] == shipped["middle_frontal", side] == ["caudalmiddlefrontal", "rostralmiddlefrontal"]
        )
        cingulate = shipped["rostral_anterior_cingulate", side] + shipped["caudal_anterior_cingulate", side]
        assert shipped["anterior_cingulate", side] == sorted(cingulate)
        assert set(shipped["subgenual_cingulate", side]) < set(shipped["rostral_anterior_cingulate", side])
        assert not set(shipped["prefrontal_cortex", side]) & set(shipped["anterior_cingulate", side])
        assert len(shipped["prefrontal_cortex", side]) == 9


def test_shipped_regions_of_the_two_sides_share_no_label() -> None:
    labels = read_labels(ROOT / "config/atlas-desikankilliany_labels.tsv")
    resolved = resolve_rois(read_rois(ROOT / "config/rois.tsv"), labels)
    left, right = (set(resolved.loc[resolved["hemisphere"] == side, "label_indices"].explode()) for side in "LR")
    assert left
    assert not left & right
    hemisphere = labels.set_index("index")["hemisphere"]
    assert set(hemisphere[sorted(left)]) == {"L"}
    assert set(hemisphere[sorted(right)]) == {"R"}

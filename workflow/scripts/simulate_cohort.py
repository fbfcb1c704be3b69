"""Adapter of rule `simulate_cohort`: `morpho.phantom` makes the heads, a BIDS folder out."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib

from morpho.atlas import load_atlas, load_template
from morpho.logs import log_to
from morpho.phantom import Person, simulate_head
from morpho.phantom_cohort import (
    DEMO_DESCRIPTION,
    PlantedEffects,
    demo_scanner,
    describe_demo_participants,
    describe_truth,
    list_planted,
    simulate_participants,
)
from morpho.phantom_maps import prepare_head_maps
from morpho.rois import read_labels
from morpho.tables import write_json, write_table

log_to(snakemake.log[0])
params, effects = snakemake.params, PlantedEffects(**snakemake.params.effects)
atlas = load_atlas("demo", Path(snakemake.input.atlas), read_labels(snakemake.input.labels))
maps = prepare_head_maps(load_template(), atlas)
participants, people = simulate_participants(params.n_per_group, effects, params.seed)


def simulate(number: int, participant: str, person: Person) -> dict[tuple[str, str], float]:
    phantom = simulate_head(maps, person, demo_scanner(number), ["hippocampus", "amygdala"])
    folder = Path(params.bids_dir, participant, "anat")
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(phantom.t1w, folder / f"{participant}_T1w.nii.gz")
    return dict(phantom.volumes_mm3)


with ThreadPoolExecutor(snakemake.threads) as pool:
    volumes = list(pool.map(simulate, range(len(people)), participants["participant_id"], people))
write_json(DEMO_DESCRIPTION, Path(params.bids_dir, "dataset_description.json"))
write_table(list_planted(participants, people, volumes, effects), snakemake.output.truth, describe_truth())
write_table(participants, snakemake.output.participants, describe_demo_participants())

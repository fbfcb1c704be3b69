"""Run the checks of the workflow on a configuration, and give what they find in words."""

from __future__ import annotations

from pathlib import Path

from morpho.bids import find_scans
from morpho.cli.pipeline import config_schema, merge_configs, read_default_config, read_study_config
from morpho.codebook import check_codebook, read_codebook
from morpho.config import check_config, drop_removed, validate_config
from morpho.covariates import standardise_participants, varying_columns
from morpho.errors import MorphoError
from morpho.participants import check_matches, join_sessions, read_participants, read_sessions


def check_study(path: Path) -> list[str]:
    """Check a configuration as the workflow does before its first job.

    Parameters
    ----------
    path
        Configuration of a study, only the keys that differ from the defaults.

    Returns
    -------
    What is wrong, one text for each check that fails; empty if a run can begin.
    """
    config = merge_configs(read_default_config(), read_study_config(path))
    try:
        validate_config(config, config_schema())
        check_config(config)
        scans = find_scans(config["bids_dir"], output_dir=config["output_dir"], **config["scans"])
    except MorphoError as error:
        return [str(error)]
    settings = drop_removed(config)["participants"]
    problems = []
    try:
        sessions = read_sessions(config["bids_dir"], scans["participant_id"])
        raw = read_participants(Path(config["bids_dir"], "participants.tsv"))
        raw = join_sessions(raw, sessions, varying_columns(settings))
    except MorphoError as error:
        return [str(error)]
    if raw is None:
        return []
    codebook = read_codebook(Path(config["bids_dir"], "participants.json"))
    for check in (
        lambda: standardise_participants(raw, **settings),
        lambda: check_codebook(raw, codebook, settings),
        lambda: check_matches(raw, scans),
    ):
        try:
            check()
        except MorphoError as error:
            problems.append(str(error))
    return problems

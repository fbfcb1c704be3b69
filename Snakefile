"""morpho: regional grey-matter volumes of a BIDS cohort, and honest statistics on them.

snakemake --cores 2 --config bids_dir=DIR output_dir=DIR        measure, model, draw, report
snakemake --cores 2 --configfile my.yaml                        the same, with a configuration of your own
snakemake --cores 2 --configfile my.yaml scans                  measure only
snakemake --cores 2 --configfile my.yaml figures                draw again from tables and images
snakemake --cores 2 --configfile my.yaml report                 write the report again
snakemake --cores 2 statistics --config volumes=TSV participants=TSV output_dir=DIR     no scans: a table of volumes
"""

from pathlib import Path


configfile: Path(workflow.basedir, "config", "config.yaml")


include: "workflow/rules/common.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/start.smk"
include: "workflow/rules/messages.smk"


localrules:
    all,
    figures,
    report,
    scans,
    statistics,


rule all:
    """Everything: the report, and with it all tables and figures."""
    default_target: True
    input:
        rules.write_report.output,
        [] if TABLES else [rules.describe_dataset.output, rules.check_measured.output],
        STATISTICS_FILES,


rule scans:
    """The volumes and quality metrics of all scans, no statistics."""
    input:
        every_scan(rules.measure_scan.output.volumes),
        every_scan(rules.measure_scan.output.metrics),


rule statistics:
    """All tables of the statistics, from volumes that exist."""
    input:
        STATISTICS_FILES,


rule report:
    """The report alone, from tables and figures that exist; nothing is measured again."""
    input:
        rules.write_report.output,


rule figures:
    """All figures, drawn from tables and images that exist; nothing is measured again."""
    input:
        [rule.output for rule in FIGURE_RULES],
        every_scan(rules.plot_overlay.output.png),

#!/bin/bash
# What `make test-slurm` does: a real Slurm of two nodes on this host, and the demo cohort through it with faults on the
# way. Takes about a quarter of an hour on two cores. Needs root and Debian's packages slurm-wlm and munge.
#
#   tests/slurm/run.sh [options of pytest]
set -eu
cd "$(dirname "$0")/../.."

environment=.venv/slurm # a place of its own for the plugins, on top of .venv, which stays as it is
for program in sbatch srun scontrol slurmctld slurmd munged; do
    PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || {
        echo "make test-slurm needs Slurm and munge, and $program is not here: apt-get install slurm-wlm munge"
        exit 2
    }
done
[ -x .venv/bin/python ] || { echo "make test-slurm needs .venv: make test"; exit 2; }
if ! "$environment/bin/python" -c "import snakemake_executor_plugin_slurm" 2>/dev/null; then
    rm -rf "$environment"
    .venv/bin/python -m venv --without-pip "$environment"
    below=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    above=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "import site; site.addsitedir('$below')" >"$above/below.pth"
    pip=(.venv/bin/python -m pip --python "$environment/bin/python" --disable-pip-version-check install --quiet)
    "${pip[@]}" --no-build-isolation -e ".[cluster]"
    "${pip[@]}" --no-deps -r profiles/slurm/requirements.txt
fi

folder=$(mktemp --directory --tmpdir morpho-slurm-XXXXXX)
chmod 711 "$folder" # munge wants the way to its socket open
finish() {
    echo "What became of each job (number, state, minutes allowed, from, to, node, memory):"
    grep -oP '(JobId|JobState|TimeLimit|StartTime|EndTime|NodeList|mem)=\K[^ ,]+' "$folder/cluster/log/jobs.log" 2>/dev/null |
        paste -d ' ' - - - - - - -
    [ ! -f "$folder/cluster/slurm.conf" ] || tests/slurm/stop.sh "$folder/cluster"
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM
tests/slurm/start.sh "$folder/cluster"
export SLURM_CONF="$folder/cluster/slurm.conf" MORPHO_SLURM="$folder"
"$environment/bin/python" -m pytest tests/slurm -p no:cacheprovider --basetemp "$folder/pytest" "$@"

#!/usr/bin/env python3
"""Submit a job script of Snakemake to the scheduler, and print the number of its job: submit.py SCRIPT.

What the job needs stands in the script's second line. One scheduler has its command here, Slurm; the others are
written down to start from, and nobody has run them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

PROPERTIES = "# properties = "

script = Path(sys.argv[1])
line = next(line for line in script.read_text(encoding="utf-8").splitlines() if line.startswith(PROPERTIES))
job = json.loads(line.removeprefix(PROPERTIES))
cpus, memory_mb, minutes = job["threads"], job["resources"]["mem_mb"], job["resources"]["runtime"]
name = f"morpho-{job.get('groupid') or job['rule']}"
logs = Path(os.environ.get("MORPHO_CLUSTER_LOGS", ".snakemake/cluster_logs"))
logs.mkdir(parents=True, exist_ok=True)

# Add here what your cluster asks for, for example --account or --partition.
# --no-requeue: the job of a node that failed is sent again by Snakemake, which counts its attempts.
command = [
    *("sbatch", "--parsable", "--no-requeue", f"--cpus-per-task={cpus}", f"--mem={memory_mb}", f"--time={minutes}"),
    *(f"--job-name={name}", f"--output={logs}/%j.log", str(script)),
]
# SGE (not run): ["qsub", "-terse", "-V", "-cwd", "-pe", "smp", f"{cpus}", "-l", f"h_vmem={memory_mb}M",
#                 "-l", f"h_rt={minutes * 60}", "-N", name, "-j", "y", "-o", str(logs), str(script)]
# PBS (not run): ["qsub", "-V", "-l", f"select=1:ncpus={cpus}:mem={memory_mb}mb", "-l", f"walltime={minutes * 60}",
#                 "-N", name, "-j", "oe", "-o", str(logs), str(script)]
sys.exit(subprocess.run(command, check=False).returncode)

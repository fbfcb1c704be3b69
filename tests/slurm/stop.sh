#!/bin/bash
# End what start.sh FOLDER began, its jobs too, and remove FOLDER: stop.sh FOLDER
#
# A configuration that outlives its controller would make every later call of Slurm's programs wait for it.
set -u

folder=$(realpath -m "${1:?stop.sh FOLDER}")
[ -f "$folder/slurm.conf" ] || { echo "stop.sh: $folder is no folder of start.sh"; exit 1; }
export SLURM_CONF="$folder/slurm.conf"

timeout 20 scancel --user=root 2>/dev/null
for _ in $(seq 20); do
    [ -z "$(timeout 20 squeue --noheader 2>/dev/null)" ] && break
    sleep 0.5
done
pids=$(cat "$folder"/run/*.pid "$folder"/munge/pid 2>/dev/null)
for pid in $pids; do
    kill "$pid" 2>/dev/null
done
for _ in $(seq 40); do
    alive=0
    for pid in $pids; do kill -0 "$pid" 2>/dev/null && alive=1; done
    [ "$alive" = 0 ] && break
    sleep 0.5
done
for pid in $pids; do
    kill -9 "$pid" 2>/dev/null
done
# Groups of the kernel that held the memory of jobs; empty by now.
find /sys/fs/cgroup -depth -type d \( -path '*/slurm_node1*' -o -path '*/slurm_node2*' \) -exec rmdir {} + 2>/dev/null
rm -rf "$folder"

#!/bin/bash
# Start a Slurm cluster of two nodes on this host: start.sh FOLDER [poll]
#
# Everything it writes lies in FOLDER (a new, private folder): configuration, key, sockets, logs. Nothing is written to
# /etc/slurm, and it listens on loopback only. Use it with `export SLURM_CONF=FOLDER/slurm.conf`; end it with stop.sh FOLDER.
# Needs root (slurmd starts jobs) and Debian's packages slurm-wlm and munge; no systemd, no database.
set -eu

folder=$(realpath -m "${1:?start.sh FOLDER [poll]}")
host=$(hostname -s)
controller_port=16817
node_ports=(17001 17002)

[ "$(id -u)" = 0 ] || { echo "start.sh: Slurm's node daemons need root"; exit 1; }
for program in slurmctld slurmd munged; do
    [ -x "/usr/sbin/$program" ] || { echo "start.sh: no $program (Debian: apt-get install slurm-wlm munge)"; exit 1; }
done
[ ! -e "$folder" ] || { echo "start.sh: $folder exists; name a new folder"; exit 1; }

mkdir -p "$folder"
chmod 711 "$folder" # munge wants its socket reachable for everybody
mkdir -m 711 "$folder/munge"
mkdir -m 700 "$folder/state" "$folder/spool" "$folder/log" "$folder/run"

# Limits of memory: the kernel's (cgroup v1), or, where it has none to give or with `poll`, Slurm's look once a second.
if [ "${2:-}" != poll ] && mkdir /sys/fs/cgroup/memory/morpho-can-limit 2>/dev/null; then
    rmdir /sys/fs/cgroup/memory/morpho-can-limit
    limits="ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup"
    cat >"$folder/cgroup.conf" <<CONF
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainRAMSpace=yes
ConstrainCores=no
ConstrainDevices=no
CONF
else
    limits="ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill"
fi

# Half of this host's memory each. Both nodes have both cores: what is tested is the traffic of jobs, not their speed.
memory_mb=$(($(awk '/^MemTotal/ {print $2}' /proc/meminfo) / 1024 / 2 - 512))
cat >"$folder/slurm.conf" <<CONF
ClusterName=morpho
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
SwitchType=switch/none
MpiDefault=none
$limits
JobAcctGatherFrequency=task=1
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/log/jobs.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
DefMemPerCPU=500
MinJobAge=7200
ReturnToService=1
KillWait=5
SlurmdTimeout=60
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${node_ports[0]} CPUs=2 RealMemory=$memory_mb
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=${node_ports[1]} CPUs=2 RealMemory=$memory_mb
PartitionName=main Nodes=ALL Default=YES DefaultTime=60 MaxTime=INFINITE State=UP
CONF

# Authentication: a key of its own, known to nobody else.
(umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
/usr/sbin/munged --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
    --seed-file="$folder/munge/seed" --log-file="$folder/munge/log"

export SLURM_CONF="$folder/slurm.conf"
/usr/sbin/slurmctld -f "$SLURM_CONF"
for node in node1 node2; do
    mkdir -m 700 "$folder/spool/$node"
    /usr/sbin/slurmd -f "$SLURM_CONF" -N "$node"
done
for _ in $(seq 60); do
    [ "$(sinfo --noheader --Node --states=idle 2>/dev/null | wc -l)" = 2 ] && { sinfo --Node --long; exit 0; }
    sleep 0.5
done
echo "start.sh: the nodes are not idle after 30 s; see $folder/log"
exit 1

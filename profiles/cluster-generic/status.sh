#!/bin/sh
# Print success, failed or running for the job of this number: status.sh JOB
#
# A scheduler that does not answer is asked again later: `running` is never wrong for long, `failed` would start the work anew.
job=$1
# The accounting database knows every job; without one, the controller knows those of the last MinJobAge seconds.
state=$(sacct --noheader --allocations --parsable2 --jobs="$job" --format=State 2>/dev/null | head -n 1)
[ -n "$state" ] || state=$(squeue --noheader --states=all --jobs="$job" --format=%T 2>/dev/null | head -n 1)
# SGE (not run):  qstat -j "$job" >/dev/null 2>&1 && echo running && exit;  qacct -j "$job" | grep -q '^exit_status *0' && echo success || echo failed; exit
# PBS (not run):  state=$(qstat -x -f "$job" | awk '/job_state/ {print $3} /Exit_status/ {print $3}' | paste -sd' ')  # "F 0" is success
case $state in
    COMPLETED*) echo success ;;
    BOOT_FAIL* | CANCELLED* | DEADLINE* | FAILED* | NODE_FAIL* | OUT_OF_MEMORY* | PREEMPTED* | TIMEOUT*) echo failed ;;
    *) echo running ;;
esac

#!/bin/sh
# Cancel the jobs of these numbers: cancel.sh JOB...
exec scancel "$@"
# SGE, PBS (not run):  exec qdel "$@"

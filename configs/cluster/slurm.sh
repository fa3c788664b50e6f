#!/bin/sh
# A Slurm job array that shares out a folder: sbatch --array=1-8 slurm.sh photos restored --task deblur
# Resubmit the same line after a failure or a time limit: what is finished is kept.
#SBATCH --job-name=dsg
#SBATCH --cpus-per-task=2
#SBATCH --signal=B:TERM@60
set -eu
photos=$1 restored=$2
shift 2
# Without B: only steps would be told that time is up; by exec, the process that is told is dsg.
exec "${DSG:-dsg}" restore "$photos" -o "$restored" --shard auto --resume --quiet "$@"

#!/bin/sh
# GNU parallel, one shard a job slot: sh parallel.sh 4 photos restored --task deblur
set -eu
jobs=$1 photos=$2 restored=$3
shift 3
seq "$jobs" | parallel -j "$jobs" --halt soon,fail=1 --quote \
  "${DSG:-dsg}" restore "$photos" -o "$restored" --shard "{}/$jobs" --resume --quiet "$@"

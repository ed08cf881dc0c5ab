#!/usr/bin/env bash
# A sweep as a job of a Ray cluster: its driver runs on the head, whatever becomes of this terminal.
#
#   examples/cluster/ray-job.sh http://HEAD:8265 SWEEP STORE [options of `fairdarts sweep run`]
#
# Needs `pip install "ray[default]"` here and on the head, where 8265 is the port of Ray's dashboard.
# SWEEP is a packaged sweep or a file that the head sees, STORE a folder that all nodes share.
#
#   ray job logs ID --follow --address http://HEAD:8265     what it prints
#   ray job stop ID --address http://HEAD:8265              end it; the same job continues
set -euo pipefail
dashboard=$1 sweep=$2 store=$3
shift 3

# Ray tells a job where its cluster is. A job may ask for CPUs of its own: a driver needs next to none.
exec ray job submit --address "$dashboard" --no-wait -- \
    sh -c 'exec fairdarts sweep run "$@" --address "$RAY_ADDRESS"' \
    sh "$sweep" --store "$store" "$@"

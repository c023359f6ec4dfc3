#!/usr/bin/env bash
# Train a small RT-1 in two minutes on two cores: record demonstrations, learn, play. Too little to succeed; the
# same commands with larger numbers train the shipped RT-1.
#
#     examples/train_rt1.sh [DEMONSTRATIONS] [STEPS] [EPISODES]
set -euo pipefail
demonstrations=${1:-24} steps=${2:-60} episodes=${3:-4}

rtbench demos -n "$demonstrations" --skill pick --output demos.h5
rtbench train rt1 --data demos.h5 --output my_rt1 --steps "$steps" --batch 8 --minutes 1 --episodes 0
rtbench run --policy my_rt1 --content my_rt1 --suite seen --skill pick --limit "$episodes"

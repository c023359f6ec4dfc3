#!/bin/bash
#SBATCH --job-name=rtbench
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@60
#
# One evaluation on all machines of a SLURM job: `sbatch examples/slurm_ray.sh --policy rt1 --suite novel`.
# What comes after the file's name is handed to `rtbench run`. The runs' folder must be on a disk that this script's
# machine can write. A job that was ended by its time limit goes on when it is submitted again.
# Without GPUs, delete the line with --gpus-per-task.
#
# RTBENCH_ENVIRONMENT is a virtual environment with rtbench[ray], on a disk that all machines share.
# PRETEND=1 prints the commands and starts nothing.
set -euo pipefail

ENVIRONMENT=${RTBENCH_ENVIRONMENT:-$HOME/rtbench}
PORT=${RAY_PORT:-6379}
step() { if [ -n "${PRETEND:-}" ]; then echo "$*"; else "$@"; fi; }

mapfile -t machines < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${machines[0]}
cores=${SLURM_CPUS_PER_TASK:-1}
gpus=${SLURM_GPUS_PER_TASK:-0}

export PATH="$ENVIRONMENT/bin:$PATH"
export RAY_USAGE_STATS_ENABLED=0
# Each user has a cluster of their own on a machine that several may share.
export RAY_ADDRESS="$head:$PORT"

step srun --nodes=1 --ntasks=1 -w "$head" \
    ray start --head --port "$PORT" --num-cpus "$cores" --num-gpus "$gpus" --include-dashboard=false --block &
# Machines that come before the first one try for a while.
if [ "${#machines[@]}" -gt 1 ]; then
    others=$(IFS=,; echo "${machines[*]:1}")
    step srun --nodes="$((${#machines[@]} - 1))" --ntasks="$((${#machines[@]} - 1))" -w "$others" \
        ray start --address "$RAY_ADDRESS" --num-cpus "$cores" --num-gpus "$gpus" --block &
fi
# rtbench counts the machines that are there when it begins.
there='import ray; ray.init(log_to_driver=False); print(sum(node["Alive"] for node in ray.nodes()))'
for _ in $([ -n "${PRETEND:-}" ] || seq 60); do
    [ "$(python -c "$there" 2>/dev/null)" = "${#machines[@]}" ] && break
    sleep 2
done

# SLURM's SIGTERM goes to this shell; rtbench then writes its summary and leaves.
step rtbench run --engine ray "$@" &
run=$!
trap 'kill -TERM "$run" 2>/dev/null || true' TERM
code=0
wait "$run" || code=$?
# A signal ends the first wait before the run has ended.
while kill -0 "$run" 2>/dev/null; do wait "$run" || code=$?; done
step ray stop >/dev/null 2>&1 || true
exit "$code"

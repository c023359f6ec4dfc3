"""Many episodes: workers that play them, one policy that decides, one record each.

Results depend on the list of episodes alone: not on the number of workers, on who plays what, on the order
in which episodes end, or on errors in others.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from rtbench.core.errors import RunError
from rtbench.core.fault import Fault
from rtbench.evaluation.batched_policy import BatchedPolicy
from rtbench.evaluation.ending import CONTINUES, LostPolicyError, NoWorkersError, stoppable
from rtbench.evaluation.messages import (
    Alive,
    Ask,
    Broken,
    Done,
    FromWorker,
    Idle,
    Play,
    Ready,
    Reply,
    Withdraw,
)
from rtbench.evaluation.plan import Plan
from rtbench.evaluation.progress import Reporter
from rtbench.evaluation.rollout import Decision
from rtbench.evaluation.tally import Tally
from rtbench.evaluation.worker_pool import Job, Worker, WorkerPool
from rtbench.policy.seed import policy_seed
from rtbench.result.record import Record, of_fault, of_result

TICK_S = 0.25
"""How long the scheduler waits for a message of a worker [s]."""
MAX_DEATHS = 2
"""Workers an episode may cost: it is run again once, for the first may have died of something else."""
MAX_LOSSES = 3
"""Times that the policy's server may be lost in one episode, or in a row, without a decision between."""


class Scheduler:
    """Plays a plan once."""

    def __init__(
        self, plan: Plan, policy: BatchedPolicy | None, *,
        sink: Callable[[Record], bool], reporter: Reporter, on_ready: Callable[[dict[str, str]], None],
    ) -> None:  # fmt: skip
        """Prepare a run; nothing is started.

        Args:
            plan: What to play.
            policy: The policy, or None where each worker has its own.
            sink: Given each record as its episode ends, or in order; says whether that is enough. Then the
                run stops at once, and what else has been played or begun is dropped.
            reporter: Told of the course.
            on_ready: Given the environment's `info()` by each worker that starts.
        """
        self._plan = plan
        self._policy = policy
        self._reporter = reporter
        self._on_ready = on_ready
        self._pool = WorkerPool(plan.hello, plan.devices)
        self._fresh = deque(Job(episode, number) for number, episode in plan.episodes)
        self._again = deque[Job]()
        order = [episode.key for _, episode in plan.episodes] if plan.in_order else None
        self._tally = Tally(sink, reporter, plan.limits, order)
        self._any_ready = False
        self._losses = 0
        """Times in a row that the policy's server was lost."""

    def run(self) -> None:
        """Play until every episode has its record, the sink has enough, or the time is up.

        Raises:
            InterruptedRunError: Ctrl-C.
            TerminatedRunError: SIGTERM.
            TooManyErrorsError: see `Limits`.
            NoWorkersError: workers do not start.
            LostPolicyError: the policy's server does not come back.
            RunError: the environment or the policy cannot be made, or the record cannot be written.
        """
        with stoppable(lambda: f"{self._tally.ended} of {len(self._plan.episodes)} episodes"):
            self._run()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            while self._goes_on():
                if time.monotonic() - began >= self._plan.limits.run_s:
                    self._fresh.clear()
                self._staff()
                for worker in self._pool.ready(TICK_S):
                    self._listen(worker)
                self._decide()
                self._discard_silent()
        finally:
            self._pool.close()
            if self._policy:
                self._policy.close()

    def _goes_on(self) -> bool:
        """Whether there is anything left to do; what the feed has, where there is one, is taken."""
        feed, coming = self._plan.feed, False
        if feed is not None:
            coming = feed.open  # asked first: what comes between the two is taken
            self._fresh.extend(Job(episode, number) for number, episode in feed.take())
        return not self._tally.enough and bool(self._waiting() or self._playing() or coming)

    def _playing(self) -> list[Worker]:
        return [worker for worker in self._pool.workers.values() if worker.job]

    def _waiting(self) -> int:
        """Number of episodes that wait for a worker."""
        return len(self._again) + len(self._fresh)

    def _staff(self) -> None:
        """Give every idle worker an episode, and have as many workers as there is work for."""
        for worker in list(self._pool.workers.values()):
            while worker.state == "idle" and self._waiting() and not self._tally.enough:
                self._assign(worker, (self._again or self._fresh).popleft())
        idle = sum(worker.job is None for worker in self._pool.workers.values())
        for slot in range(self._plan.workers):
            if slot not in self._pool.workers and idle < self._waiting() and self._pool.may_start:
                idle += self._start(slot)

    def _start(self, slot: int) -> bool:
        """Start a worker; False where the machine has no room for it."""
        try:
            self._pool.start(slot)
        except OSError as error:
            self._note_failed_start(f"a worker cannot be started: {error.strerror}", "")
            return False
        return True

    def _note_failed_start(self, reason: str, words: str) -> None:
        self._pool.note_start(good=False)
        times = self._pool.failed_starts
        # Those that play may yet finish the run.
        if times >= self._plan.limits.failed_starts and not self._playing():
            ending = f"{times} times in a row; {CONTINUES}\n{words}".rstrip()
            raise NoWorkersError(f"workers do not start: {reason}, {ending}")
        last = f" ({words.splitlines()[-1]})" if words else ""
        self._reporter.say(f"{reason} while starting{last}; another one is started.")

    def _assign(self, worker: Worker, job: Job) -> None:
        seed = policy_seed(job.episode, self._plan.repeat)
        if self._policy:
            answer = self._policy.reset(worker.slot, job.episode.instruction, seed)
            if answer.renewed:
                self._restart({worker.slot})
            if answer.lost:
                self._again.appendleft(job)
                self._note_loss(answer.lost)
                return
            if answer.fault:
                self._tally.add(of_fault(job.episode, self._convention, answer.fault, []))
                return
        worker.job, worker.state = job, "playing"
        worker.touch()
        worker.send(Play(job.episode, seed, self._video(job)))

    def _video(self, job: Job) -> str:
        video = self._plan.video
        if video.isdigit():
            return "all" if job.number < int(video) else "none"
        return video

    @property
    def _convention(self) -> str:
        return self._plan.hello.settings.convention

    def _listen(self, worker: Worker) -> None:
        message = worker.hear()
        if message is None:
            self._discard_dead(worker)
        elif isinstance(message, Ready):
            self._pool.note_start(good=True)
            self._any_ready = True
            worker.state = "idle"
            self._on_ready(message.info)
        elif isinstance(message, Broken):
            self._note_broken(worker, message)
        elif not isinstance(message, Alive):
            self._hear_of(worker, message)

    def _note_broken(self, worker: Worker, message: Broken) -> None:
        said = f"the {message.what} cannot be made: {message.message}"
        if not self._any_ready or not message.traceback:
            raise RunError(f"{said}\n{message.traceback}".rstrip())
        # It could be made before: that may pass as a worker's death does.
        self._pool.discard(worker)
        self._note_failed_start(said, "")

    def _hear_of(self, worker: Worker, message: FromWorker) -> None:
        """Go on with the episode that a worker plays."""
        job = worker.job
        if isinstance(message, Ask) and job and not job.withdrawn:
            worker.question, worker.state = message.observation, "asking"
        elif isinstance(message, Ask):
            worker.send(Withdraw())
        elif isinstance(message, Done | Idle):
            worker.job, worker.state = None, "idle"
            if isinstance(message, Done) and job and not job.withdrawn:
                self._finish(worker.slot, job, message)

    def _finish(self, slot: int, job: Job, done: Done) -> None:
        if done.warning:
            self._reporter.say(done.warning)
        report = self._policy.report(slot) if self._policy else done.report
        if done.result:
            played = of_result(job.episode, self._convention, done.result, done.video)
            record = replace(played, plans=done.plans)
        elif done.fault:
            record = of_fault(job.episode, self._convention, done.fault, done.tokens)
        else:
            return
        self._tally.add(replace(record, report=report) if report else record)

    def _decide(self) -> None:
        """Let the policy answer all that ask, together but for those that must be alone."""
        asking = [worker for worker in self._pool.workers.values() if worker.state == "asking"]
        alone = [worker for worker in asking if worker.job and worker.job.alone]
        together = [worker for worker in asking if worker not in alone]
        for batch in [*([worker] for worker in alone), together]:
            # An earlier batch may have cost the policy its memory, and these their episode.
            self._answer([worker for worker in batch if worker.state == "asking"])

    def _answer(self, batch: list[Worker]) -> None:
        if not batch or not self._policy:
            return
        observations = [worker.question for worker in batch if worker.question is not None]
        answer = self._policy.act(observations, [worker.slot for worker in batch])
        if answer.renewed:
            self._restart({worker.slot for worker in batch})
        if answer.lost:
            for worker in batch:
                self._void(worker, answer.lost)
            self._note_loss(answer.lost)
            return
        self._losses = 0
        if answer.fault and len(batch) > 1:
            # The fault cannot be assigned to one slot. Each episode is played again alone, from its start:
            # the policy may already have noted this observation in its history.
            for worker in batch:
                self._give_up(worker, alone=True)
            return
        rows = [answer.fault] if answer.fault else answer.rows
        plans = answer.plans or (None,) * len(rows)
        for worker, row, plan in zip(batch, rows, plans, strict=True):
            worker.question, worker.state = None, "playing"
            worker.touch()
            worker.send(Reply(row, plan) if isinstance(row, Decision) else Withdraw(row))

    def _void(self, worker: Worker, reason: str) -> None:
        """Play a worker's episode again, for its policy was lost; too often, and it is an error."""
        if worker.job is None:
            return
        worker.job.losses += 1
        if worker.job.losses < MAX_LOSSES:
            self._give_up(worker, alone=worker.job.alone)
            return
        fault = Fault("policy", f"the policy was lost {worker.job.losses} times in this episode: {reason}")
        worker.question, worker.state = None, "playing"
        worker.touch()
        worker.send(Withdraw(fault))

    def _note_loss(self, reason: str) -> None:
        self._losses += 1
        if self._losses >= MAX_LOSSES:
            raise LostPolicyError(
                f"the policy was lost {self._losses} times in a row: {reason} Then {CONTINUES}"
            )
        self._reporter.say(f"{reason} Its episodes are played again.")

    def _restart(self, but: set[int]) -> None:
        """The policy lost its memory: play all running episodes again but those in some slots."""
        for worker in self._playing():
            if worker.slot not in but and worker.job and not worker.job.withdrawn:
                self._give_up(worker, alone=worker.job.alone)

    def _give_up(self, worker: Worker, *, alone: bool) -> None:
        """Give a worker's episode up, to be played again before all others."""
        job = worker.job
        if job is None:
            return
        self._again.appendleft(replace(job, alone=alone))
        job.withdrawn = True
        if worker.state == "asking":
            worker.question, worker.state = None, "playing"
            worker.touch()
            worker.send(Withdraw())

    def _discard_dead(self, worker: Worker) -> None:
        exit_reason, words = worker.exit_reason(), worker.output_tail()
        self._pool.discard(worker)
        if worker.state == "starting":
            self._note_failed_start(exit_reason, words)
        job = worker.job
        if job is None or job.withdrawn:
            return
        job.deaths += 1
        if job.deaths < MAX_DEATHS:
            self._reporter.say(f"{job.episode.key}: {exit_reason}; the episode is run again.")
            self._again.appendleft(job)
        else:
            fault = Fault("worker_died", f"{exit_reason}, {job.deaths} times.", words)
            self._tally.add(of_fault(job.episode, self._convention, fault, []))

    def _discard_silent(self) -> None:
        limits = self._plan.limits
        for worker in list(self._pool.workers.values()):
            limit = {"starting": limits.start_s, "playing": limits.step_s}.get(worker.state)
            # It may have spoken while the policy was thinking.
            if limit is None or worker.silent_s() <= limit or worker.wire.poll():
                continue
            job, words = worker.job, worker.output_tail()
            self._pool.discard(worker)
            if worker.state == "starting":
                raise NoWorkersError(f"the environment was not ready within {limit:g} s.\n{words}".rstrip())
            if job and not job.withdrawn:
                fault = Fault("worker_timeout", f"no sign of life for {limit:g} s.", words)
                self._tally.add(of_fault(job.episode, self._convention, fault, []))

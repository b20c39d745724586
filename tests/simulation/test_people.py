"""What people may do at any moment of a history, in any order that Hypothesis thinks of: uploading, waiting, trying
again, replaying dead letters, aborting executions. Whatever they did, it ends well."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from imagemarket.platform.database import Database
from imagemarket.platform.errors import MarketError
from tests.simulation.world import World, settle_and_heal, simulated_engines

pytestmark = pytest.mark.engines

_UPLOADS = 5


def test_whatever_people_do_it_ends_well(truth: Database) -> None:
    class People(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.engines = ExitStack()
            self.engines.enter_context(simulated_engines())

        @initialize(seed=st.integers(0, 2**32))
        def open(self, seed: int) -> None:
            self.world = World(seed, truth)
            self.contributor = self.world.open()

        @rule(kind=st.sampled_from(["good", "daring", "broken", "twin"]), after=st.floats(0, 200))
        def upload(self, kind: str, after: float) -> None:
            pictures = self.world.pictures
            if len(pictures) < _UPLOADS:
                first = next((each for each in pictures if each.kind in {"good", "twin"}), None)
                own = f"people {self.contributor} {len(pictures)}"
                content = first.content if kind == "twin" and first is not None else own
                self.world.upload(self.contributor, kind, content, after=after)

        @rule(seconds=st.floats(0.1, 600))
        def wait(self, seconds: float) -> None:
            until = self.world.scheduler.now + seconds
            while self.world.scheduler.now < until:
                assert self.world.scheduler.step()

        @rule(which=st.integers(0, _UPLOADS - 1))
        def retry(self, which: int) -> None:
            if which < len(self.world.pictures):
                with suppress(MarketError):  # refused where it has not failed, or is still being cleaned up after
                    self.world.retry(self.world.pictures[which])

        @rule()
        def replay_dead_letters(self) -> None:
            self.world.replay_dead_letters()

        @rule()
        def abort(self) -> None:
            running = [each for each in self.world.executions.values() if each.status == "RUNNING"]
            if running:
                running[0].end("ABORTED")

        def teardown(self) -> None:
            try:
                settle_and_heal(self.world)
            finally:
                self.world.close()
                self.engines.close()

    run_state_machine_as_test(
        People,
        settings=settings(
            max_examples=40,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )

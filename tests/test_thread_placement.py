"""Threads of a team are spread over the CPUs, and are not bound to them afterwards."""

import os
import threading

import pytest

from nnkernels import thread_placement
from nnkernels.thread_placement import ThreadPlacement


def place_thread(team, here, allowed, monkeypatch):
    """Place a thread that runs on CPU ``here``, and return the affinities that were set, in order."""
    moves = []
    monkeypatch.setattr(thread_placement, "current_cpu", lambda: here)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(allowed), raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, cpus: moves.append(set(cpus)), raising=False)
    team.move_to_free_cpu()
    return moves


def test_thread_moves_only_from_cpu_of_another_team_member(monkeypatch):
    team = ThreadPlacement()
    assert place_thread(team, 1, {0, 1, 3}, monkeypatch) == []
    assert place_thread(team, 1, {0, 1, 3}, monkeypatch) == [{0}, {0, 1, 3}]
    assert place_thread(team, 0, {0, 1, 3}, monkeypatch) == [{3}, {0, 1, 3}]
    assert place_thread(team, 3, {0, 1, 3}, monkeypatch) == []  # more threads than CPUs: they share
    assert place_thread(ThreadPlacement(), 1, {0, 1, 3}, monkeypatch) == []  # other teams do not matter


def test_placement_does_nothing_if_current_cpu_is_unknown(monkeypatch):
    team = ThreadPlacement()
    assert place_thread(team, None, {0, 1}, monkeypatch) == []
    assert place_thread(team, None, {0, 1}, monkeypatch) == []


def test_refused_move_is_ignored(monkeypatch):
    team = ThreadPlacement()
    place_thread(team, 0, {0, 1}, monkeypatch)

    def refuse(_pid, cpus):
        if len(cpus) == 1:
            raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    team.move_to_free_cpu()


@pytest.mark.skipif(
    thread_placement.current_cpu() is None or len(os.sched_getaffinity(0)) < 2, reason="needs two distinguishable CPUs"
)
def test_real_thread_is_moved_and_not_bound(monkeypatch):
    allowed, move = os.sched_getaffinity(0), os.sched_setaffinity
    seen = []

    def move_from_occupied_cpu():
        move(0, {min(allowed)})  # makes sure that the thread runs there
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: allowed)
        monkeypatch.setattr(
            os, "sched_setaffinity", lambda pid, cpus: (move(pid, cpus), seen.append(thread_placement.current_cpu()))
        )
        ThreadPlacement({min(allowed)}).move_to_free_cpu()
        monkeypatch.undo()
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=move_from_occupied_cpu)
    thread.start()
    thread.join()
    assert seen[0] == min(allowed - {min(allowed)})
    assert seen[-1] == allowed

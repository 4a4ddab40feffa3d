"""How a step is cut to a budget: against a machine made up by hand, whose memory and speed are known."""

import pytest

from data_engineering.errors import RunError
from signvlm.vlm.budget import Choice, Cut, Trial, choose

LAYERS = 8
HELD, CLIP, LAYER = 1_000, 100, 50  # bytes: beside any step, of a clip, of a layer that keeps its activations


class Machine:
    """Takes memory as above; a kept layer saves time, and more clips at once do too."""

    def __init__(self, memory=10**9, wasteful=0):
        self.memory, self.wasteful, self.ran = memory, wasteful, []

    def __call__(self, cut):
        self.ran.append(cut)
        kept = LAYERS - cut.recomputed
        peak = HELD + cut.clips * (CLIP + kept * LAYER) + (self.wasteful if cut.clips > 1 else 0)
        if peak > self.memory:
            return None
        return Trial(cut, peak, (1 - 0.03 * kept) / cut.clips**0.1)


def pick(budget, machine=None, clips=(1, 2, 4, 8), fastest=True, recomputed=None):
    return choose(machine or Machine(), Choice(clips, fastest, recomputed, LAYERS), HELD, budget)


def test_with_room_all_clips_run_at_once_and_no_layer_computes_again():
    assert pick(100_000).cut == Cut(8, 0)


def test_as_few_layers_compute_again_as_fit():
    # One clip: 1,000 + 100 leave room for four layers in 1,300.
    assert pick(1_300, clips=(1,)).cut == Cut(1, 4)
    assert pick(1_299, clips=(1,)).cut == Cut(1, 5)


@pytest.mark.parametrize("budget", [1_100, 1_150, 1_400, 1_777, 2_500])
def test_what_is_chosen_fits_and_nothing_that_was_tried_and_fits_is_faster(budget):
    machine = Machine()
    chosen = pick(budget, machine)
    assert chosen.peak <= budget
    quick = [Machine()(cut) for cut in machine.ran]
    assert chosen.seconds == min(trial.seconds for trial in quick if trial.peak <= budget)


def test_outside_a_search_the_given_number_of_clips_is_kept_where_it_fits():
    assert pick(100_000, clips=(4, 2, 1), fastest=False).cut == Cut(4, 0)
    assert pick(1_399, clips=(4, 2, 1), fastest=False).cut == Cut(2, 7)


def test_a_guess_that_did_not_fit_is_followed_by_leaner_ones():
    machine = Machine(wasteful=150)
    chosen = pick(2_000, machine, clips=(4, 2, 1), fastest=False)
    assert chosen.peak <= 2_000
    assert chosen.cut.clips == 4
    assert len(machine.ran) > 3


def test_memory_that_runs_out_on_the_way_is_no_end():
    machine = Machine(memory=1_250)
    assert pick(10_000, machine).peak <= 1_250


def test_a_fixed_number_of_layers_is_kept():
    assert pick(100_000, recomputed=3).cut == Cut(8, 3)
    machine = Machine()
    assert pick(1_700, machine, recomputed=8).cut.recomputed == 8
    assert {cut.recomputed for cut in machine.ran} == {8}


def test_where_one_clip_does_not_fit_the_next_setting_is_named():
    with pytest.raises(RunError, match=r"memory\.budget_gb.*preprocess\.num_frames"):
        pick(1_050)
    with pytest.raises(RunError, match="memory ran out"):
        pick(10_000, Machine(memory=1_050))

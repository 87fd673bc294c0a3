"""Masking: what is sent keeps the costs up to scale and shift, and nothing that names a patient."""

from itertools import product

import numpy as np
import pytest

from agents.planning import Problem
from agents.quantum.ising import encode, penalty_ising
from agents.quantum.masking import mask_ising, mask_problem
from agents.quantum.simulator import IsingSimulation, Simulation


def problem(seed: int, groups: int = 3, options: int = 4, distinct: bool = False, plain: bool = False) -> Problem:
    """Random couplings, ids that would give patients away; unless plain, a forbidden and a shareable option."""
    rng = np.random.default_rng(seed)
    linear = rng.normal(size=(groups, options))
    linear[0, 1] = linear[0, 1] if plain else np.inf
    pairwise = rng.normal(size=(groups, options, groups, options))
    pairwise += pairwise.transpose(2, 3, 0, 1)
    pairwise *= ~np.eye(groups, dtype=bool)[:, None, :, None]
    ids = np.arange(groups) + 9000, np.arange(options) + 7000
    shareable = (np.arange(options) == 0) & (not plain)
    return Problem("triage of ward 3", linear, pairwise, distinct, shareable, *ids)


def choices_of(one: Problem) -> np.ndarray:
    return np.array(list(product(range(one.options), repeat=one.groups)))


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_relabelled_problem_has_the_same_costs_and_solutions(seed: int, distinct: bool) -> None:
    one = problem(seed, distinct=distinct)
    masked, mask = mask_problem(one, np.random.default_rng(seed))
    there = choices_of(masked)
    home = mask.choices(there)
    assert len(np.unique(home, axis=0)) == len(home)
    true, told = one.costs(home), masked.costs(there)
    assert (np.isfinite(true) == np.isfinite(told)).all()
    finite = np.isfinite(true)
    assert mask.costs(told[finite]) == pytest.approx(true[finite], abs=1e-12)
    assert mask.scale > 0.0 and np.argmin(true) == np.argmin(told)


@pytest.mark.parametrize("seed", range(5))
def test_a_gauged_energy_is_the_same_energy_relabelled(seed: int) -> None:
    ising = encode(problem(seed))
    masked, mask = mask_ising(ising, np.random.default_rng(seed))
    bits = np.random.default_rng(1).integers(0, 2, (200, ising.qubits))
    told = masked.energies(bits) / mask.scale + ising.offset
    assert told == pytest.approx(ising.energies(mask.bits(bits)), abs=1e-12)
    assert (masked.pairs[:, 0] < masked.pairs[:, 1]).all() and len(masked.pairs) == len(ising.pairs)


def test_nothing_that_is_sent_names_anything() -> None:
    one = problem(0)
    masked, _ = mask_problem(one, np.random.default_rng(0))
    gauged, _ = mask_ising(encode(one), np.random.default_rng(0))
    assert masked.name == "masked"
    assert masked.group_ids.tolist() == [0, 1, 2] and masked.option_ids.tolist() == [0, 1, 2, 3]
    assert not masked.shareable.any()  # without the distinct rule that column would show
    assert gauged.registers == () and not gauged.qubit_group.any() and not gauged.qubit_option.any()
    assert gauged.offset == 0.0 and not gauged.fixed.size


def test_masks_differ_from_request_to_request() -> None:
    one = problem(0)
    rng = np.random.default_rng(0)
    sent = [mask_problem(one, rng)[0].linear for _ in range(20)]
    finite = [np.sort(linear[np.isfinite(linear)]) for linear in sent]
    assert all(not np.allclose(a, b) for i, a in enumerate(finite) for b in finite[:i])
    flips = np.array([mask_ising(encode(one), rng)[1].flips for _ in range(64)])
    # 64 x 11 fair bits: 5 standard deviations (27 of 352), p < 6e-7
    assert abs(int(flips.sum()) - flips.size // 2) < 5 * np.sqrt(flips.size) / 2


@pytest.mark.parametrize("groups", [1, 2])
def test_flat_costs_and_single_groups_can_be_masked(groups: int) -> None:
    flat = Problem.from_costs(np.zeros((groups, 2)))
    masked, mask = mask_problem(flat, np.random.default_rng(0))
    assert np.isfinite(masked.linear).all() and mask.costs(masked.costs(choices_of(masked))) == pytest.approx(0.0)


def test_samples_of_a_gauged_instance_are_those_of_the_instance() -> None:
    """Under a transverse field the gauge relabels the distribution and does nothing else."""
    ising = penalty_ising(problem(2, 2, 4))
    masked, mask = mask_ising(ising, np.random.default_rng(5))
    gammas, betas = np.array([0.3, 0.7, 0.9]), np.array([0.6, 0.4, 0.2])
    shift = np.arange(ising.qubits - 1, -1, -1)
    bits = (np.arange(1 << ising.qubits)[:, None] >> shift) & 1
    home = IsingSimulation(ising).probabilities(gammas, betas)
    there = IsingSimulation(masked).probabilities(gammas / mask.scale, betas)
    states = (mask.bits(bits).astype(np.int64) << shift).sum(1)
    assert np.abs(there - home[states]).max() < 1e-12 and mask.flips.any()


def test_samples_of_a_relabelled_instance_are_those_of_the_instance_under_the_grover_mixer() -> None:
    one = problem(4, 3, 4)
    masked, mask = mask_problem(one, np.random.default_rng(5))
    gammas, betas = np.array([0.3, 0.7]), np.array([0.6, 0.4])
    home, there = Simulation(one, "grover"), Simulation(masked, "grover")
    choices = mask.choices(there.decode(np.arange(there.states))[0])
    order = np.ravel_multi_index(tuple(choices.T), (one.options,) * one.groups).argsort()
    told = there.probabilities(gammas, betas)[order]
    known = home.decode(np.arange(home.states))[0]
    assert (known == choices[order]).all()
    assert np.abs(told - home.probabilities(gammas, betas)).max() < 1e-12

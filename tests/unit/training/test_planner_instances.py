"""The benchmark set comes out of its command again."""

import json

import numpy as np
import pytest

from agents.planning.instances import FAMILIES, NATURAL, load_instances
from training import planner_instances
from training.planner_instances import cut, extract, main, snapshots


@pytest.mark.slow
@pytest.mark.parametrize("building", ["ward", "clinic"])
def test_instances_of_generated_buildings_are_made_again(building):
    """Each stored instance of a building is cut from the snapshot that its source names."""
    stored = [
        instance
        for family in FAMILIES
        for instance in load_instances(family, coupling=NATURAL)
        if instance.source.building == building and instance.source.step <= 60
    ]
    assert stored
    repeated = 0
    for building_seed in (0, 1):
        wanted = [instance for instance in stored if instance.source.building_seed == building_seed]
        seeds = list(planner_instances.SEEDS)
        for index, snapshot in enumerate(snapshots(building, building_seed, None, seeds)):
            if snapshot.step > 60:
                break
            for instance in wanted:
                if (instance.source.seed, instance.source.step) == (seeds[index % len(seeds)], snapshot.step):
                    problem = cut(instance.family, extract(instance.family, snapshot), snapshot, instance.size)
                    assert problem is not None
                    assert np.allclose(problem.linear, instance.problem.linear, rtol=1e-5, atol=1e-9)
                    assert np.allclose(problem.pairwise, instance.problem.pairwise, rtol=1e-5, atol=1e-9)
                    assert problem.option_ids.tolist() == instance.problem.option_ids.tolist()
                    repeated += 1
    assert repeated == len(stored)


@pytest.mark.slow
def test_the_command_writes_files_that_load(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(planner_instances, "BUILDINGS", (("ward", 0),))
    monkeypatch.setattr(planner_instances, "STEPS", (0, 12, 30))
    main(["--folder", str(tmp_path), "--per-cell", "2"])
    assert f"instances in {tmp_path}" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "instances.json").read_text(encoding="utf-8"))
    assert manifest["command"] == "python -m training.planner_instances --per-cell 2"
    assert 0 < len(manifest["instances"]) <= 2 * 21
    loaded = [made for family in FAMILIES for made in load_instances(family, coupling=NATURAL, folder=tmp_path)]
    assert len(loaded) == len(manifest["instances"])
    assert {(made.source.building, made.source.building_seed) for made in loaded} == {("ward", 0)}


def test_the_packages_own_set_is_not_made_without_the_real_clinic(capsys):
    with pytest.raises(SystemExit):
        main(["--per-cell", "2"])
    assert "name another --folder" in capsys.readouterr().err


def test_the_real_clinic_needs_its_file():
    with pytest.raises(ValueError, match="needs the file of the real clinic"):
        next(snapshots("real-clinic", 0, None, [0]))

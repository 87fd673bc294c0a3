"""QOKit's own C simulator, timed: run by a Python that has it, prints one line of JSON.

    python -m pip install --no-deps qokit==0.1.4 && python -m pip install numpy
    python benchmarks/_qokit.py --qubits 12 16 20

QOKit (Lykov et al. 2023, "Fast Simulation of High-Depth QAOA Circuits", arXiv 2309.04841) keeps the cost diagonal and
applies the transverse field by a fast Walsh-like transform. Its package 0.1.4 ships the C files without their headers
and without a library; declare the functions in diagonal.h, fur.h and qaoa_fur.h and build, in qokit/fur/c/csim,

    gcc -O3 -march=native -fopenmp -fPIC -shared src/*.c -o libcsim.so -lm

The rest of QOKit (qiskit and more) is not loaded.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np


def c_simulator() -> ModuleType:
    """The package qokit.fur.c.csim without its parents."""
    found = importlib.util.find_spec("qokit")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("this Python has no qokit")
    folder = Path(next(iter(found.submodule_search_locations))) / "fur" / "c" / "csim"
    if not (folder / "libcsim.so").is_file():
        raise SystemExit(f"{folder}: libcsim.so is not built")
    spec = importlib.util.spec_from_file_location(
        "csim", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["csim"] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Time expectations on a random diagonal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--qubits", type=int, nargs="+", default=[8, 12, 16, 20])
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    csim = c_simulator()
    try:
        version = importlib.metadata.version("qokit")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    results = {}
    for qubits in chosen.qubits:
        costs = np.random.default_rng(qubits).normal(size=1 << qubits)
        gammas, betas = np.full(chosen.depth, 0.3), np.linspace(0.6, 0.1, chosen.depth)
        times = []
        for _ in range(chosen.repeats + 1):
            start = time.thread_time()
            re, im = np.full(costs.size, costs.size**-0.5), np.zeros(costs.size)
            csim.apply_qaoa_furx(re, im, gammas, betas, costs, qubits)
            float(costs @ (re * re + im * im))
            times.append(time.thread_time() - start)
        results[str(qubits)] = times[1:]
    print(json.dumps({"version": version, "expectation_s": results}))


if __name__ == "__main__":
    main()

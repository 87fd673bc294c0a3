"""Every policy by name: hand-written, the trained ones that come with the package, and files of trained ones."""

from pathlib import Path
from typing import TYPE_CHECKING

from agents import heuristics
from agents.policy import Policy
from qdt_env.records import require
from qdt_env.spaces import ActionCodec, ObservationLayout

if TYPE_CHECKING:
    from agents.networks import TeamPolicy

SUFFIX = ".safetensors"
LEARNED = "learned"  # trained on wards, then on clinics
SHIPPED = {file.stem: file for file in sorted((Path(__file__).parent / "data").glob(f"*{SUFFIX}"))}
POLICY_NAMES = (*heuristics.POLICY_NAMES, *SHIPPED)


def make_policy(name: str, layout: ObservationLayout, codec: ActionCodec) -> Policy:
    """A policy by name or file.

    Args:
        name: one of ``POLICY_NAMES``, or the path of a trained policy (``.safetensors``).
        layout, codec: of the observations and actions that it is for.

    Raises:
        ValueError: an unknown name (the message lists the names), a file that is missing or no policy, or a trained
            policy without PyTorch.
    """
    if name in heuristics.POLICY_NAMES:
        return heuristics.make_policy(name, layout, codec)
    allowed = f"one of {', '.join(POLICY_NAMES)}, or a trained policy's {SUFFIX} file"
    require(policy_file(name) is not None, "policy", name, allowed)
    network = trained_network(name)
    from agents.learned import LearnedPolicy

    return LearnedPolicy(network, layout, codec, name if name in SHIPPED else Path(name).stem)


def policy_file(name: str) -> Path | None:
    """Where the weights of a trained policy are; None for a rule, or a name that is none."""
    return SHIPPED.get(name, Path(name) if Path(name).suffix == SUFFIX else None)


def trained_network(name: str) -> "TeamPolicy":
    """The network of a trained policy, one of ``SHIPPED`` or the path of its file.

    Raises:
        ValueError: no such name or file, a file that is no policy, or PyTorch is not installed.
    """
    file = policy_file(name)
    if file is None:
        rule = f" (a rule, without weights: qdt train --imitate {name})" if name in heuristics.POLICY_NAMES else ""
        allowed = f"one of {', '.join(SHIPPED)}, or a {SUFFIX} file"
        raise ValueError(f"trained policy: got {name!r}{rule}, allowed is {allowed}")
    try:
        from agents.learned import load_network
    except ModuleNotFoundError as error:
        raise ValueError(f"policy={name!r} needs {error.name}: pip install 'qdt-env[train]'") from None
    return load_network(file)[0]

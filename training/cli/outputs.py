"""The files that a command writes: refused before the work, written when what was found is on the screen."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from qdt_env.records import require
from training.cards import card, write_card

JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the results as JSON to this file.")]
Figure = Annotated[Path | None, typer.Option("--figure", help="Also draw the results: .png, .svg, .pdf or .jpg.")]

PICTURES = (".png", ".svg", ".pdf", ".jpg")  # the suffix says the format


def check_outputs(
    files: Mapping[str, Path | None],
    read: Iterable[str | Path | None] = (),
    *,
    made: Path | None = None,
    pictures: Iterable[str] = ("--figure",),
) -> None:
    """Refuse, before any work, files that cannot be written or must not be.

    Args:
        files: by option, such as "--json"; None where it was not given.
        read: what the command reads or keeps for itself, which is not overwritten: paths, and as text names that are
            paths where they have a suffix ("ward" has none).
        made: a folder that the command makes if it is not there.
        pictures: options of which the suffix says the format.

    Raises:
        ValueError: a file in a folder that is not there or cannot be written to, a folder, a picture of an unknown
            format, a file that the command reads, or one file for two options.
    """
    kept = [Path(one) for one in read if isinstance(one, Path) or (one is not None and Path(one).suffix)]
    taken = {_place(one): "one that the command reads or keeps" for one in kept}
    for option, path in files.items():
        if path is None:
            continue
        place = _place(path)
        folder = place.parent if made is None or place.parent != _place(made) else _there(made)
        known = option not in pictures or path.suffix.lower() in PICTURES
        require(known, option, str(path), f"a picture, its suffix one of {', '.join(PICTURES)}")
        whole = folder.is_dir() and not place.is_dir() and not place.is_symlink()  # one that is left leads to itself
        require(whole, option, str(path), "a file in an existing folder")
        may = os.access(place, os.W_OK) if place.exists() else os.access(folder, os.W_OK | os.X_OK)
        require(may, option, str(path), "a file that you may write")
        require(place not in taken, option, str(path), f"another file than {taken.get(place)}")
        if place.exists() and not place.is_file():
            continue  # /dev/stdout and the like hold nothing, and serve any number of options
        taken[place] = f"that of {option}"


def check_folder(path: Path | None, option: str = "--out") -> None:
    """Refuse, before any work, a folder that cannot be made or written to.

    Raises:
        ValueError: it is a file, lies in one, or may not be written.
    """
    if path is None:
        return
    there = _there(path)
    require(there.is_dir() and os.access(there, os.W_OK | os.X_OK), option, str(path), "a folder that you may write")


@contextmanager
def writing(option: str, path: Path) -> Iterator[None]:
    """Errors of the system in the block name the option and the file.

    Raises:
        ValueError: in place of an OSError, such as that of a full disk.
    """
    try:
        yield
    except OSError as error:
        raise ValueError(f"{option}: {str(path)!r} was not written: {error.strerror or error}") from error


def write_json(path: Path | None, command: str, config: dict[str, Any], results: Any, option: str = "--json") -> None:
    """Write results with what is needed to repeat them, see :mod:`training.cards`; nothing where ``path`` is None.

    Numbers that do not exist (an interval of one mission) are written as null.
    """
    if path is not None:
        with writing(option, path):
            write_card(path, card(command, sys.argv[1:], config, results))


def write_figure(path: Path | None, draw: Callable[[Path], None], option: str = "--figure") -> None:
    """Draw a picture; nothing where ``path`` is None."""
    if path is not None:
        with writing(option, path):
            draw(path)


def _place(path: Path) -> Path:
    """Where a file is or would be, whatever the way there; a link that leads to itself stays as it is."""
    return Path(os.path.realpath(path))


def _there(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())

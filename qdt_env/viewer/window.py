"""The window of ``render_mode="human"``: the picture on screen where there is one."""

import os
import sys
from typing import Any

import numpy as np


def has_display() -> bool:
    """Whether a window could open here."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_frame(image: np.ndarray[Any, Any], name: str) -> None:
    """Show an image in the window called ``name``, opened on first use; does nothing without a display.

    This alone uses pyplot, since a window needs an event loop; the pictures themselves never do.

    Args:
        image: (H, W, 3) uint8.
        name: title and identity of the window.
    """
    if not has_display():
        return
    import matplotlib
    from matplotlib import pyplot
    from matplotlib.backends.registry import BackendFilter, backend_registry

    interactive = {backend.lower() for backend in backend_registry.list_builtin(BackendFilter.INTERACTIVE)}
    if matplotlib.get_backend().lower() not in interactive:
        return
    height, width = image.shape[:2]
    figure = pyplot.figure(num=name, figsize=(width / 100.0, height / 100.0), dpi=100)
    if not figure.axes:
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.imshow(image)
        figure.show()
    figure.axes[0].images[0].set_data(image)
    figure.canvas.draw_idle()
    figure.canvas.flush_events()

"""Pictures and texts of a mission. Importing this loads no matplotlib; drawing does."""

from qdt_env.viewer.frame import FrameRenderer
from qdt_env.viewer.text import describe
from qdt_env.viewer.window import show_frame

__all__ = ["FrameRenderer", "describe", "show_frame"]

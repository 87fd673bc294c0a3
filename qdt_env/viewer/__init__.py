"""Pictures and texts of a mission. Importing this loads no matplotlib; drawing does."""

from qdt_env.viewer.charts import Panel, draw_panels, draw_values
from qdt_env.viewer.frame import FrameRenderer
from qdt_env.viewer.plan import draw_building
from qdt_env.viewer.text import describe
from qdt_env.viewer.window import show_frame

__all__ = ["FrameRenderer", "Panel", "describe", "draw_building", "draw_panels", "draw_values", "show_frame"]

"""The replay page: one HTML file that holds the player and a recording, and needs nothing else.

The page is built from ``viewer/page`` beforehand ("make page") and lies in the package; here the recording is put into
it, byte by byte as it was written. The page checks the chain and the ledger itself before it shows anything.
"""

import base64
from pathlib import Path

__all__ = ["PAGE", "replay_page"]

PAGE = Path(__file__).parent / "page" / "replay.html"
_PLACE = "<!--recording-->"


def replay_page(recording: bytes, name: str) -> str:
    """The page that plays a recording.

    Args:
        recording: a whole recording file; the page reports one that was cut or altered.
        name: of the file, shown on the page.

    Returns:
        HTML that makes no request to anywhere.
    """
    page = PAGE.read_text(encoding="utf-8")
    shown = "".join(f"&#{ord(one)};" if one in "&<>\"'" else one for one in name)
    data = base64.b64encode(recording).decode()
    block = f'<script type="application/octet-stream" id="recording" data-name="{shown}">{data}</script>'
    before, place, after = page.partition(_PLACE)
    assert place, "the page was built without a place for the recording"
    return before + block + after

# SPDX-License-Identifier: Apache-2.0
"""Pages in a real browser, where one is installed."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

from experiments.screenshots import BROWSERS

_POLICY = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')


def look(folder: pathlib.Path, text: str, probe: str, *, width: int = 1280, dark: bool = False):
    """What a page says of itself: the value that `probe`, a script's expression, has in it.

    The page's policy is taken out: it forbids the probe, and what it forbids others must not be
    there in the first place.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    file = folder / "page.html"
    script = (
        "<script>addEventListener('load', () => "
        f"{{ document.title = JSON.stringify({probe}); }});</script></body>"
    )
    file.write_text(_POLICY.sub("", text).replace("</body>", script))
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},900",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--dump-dom",
        file.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None
    return json.loads(title[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))

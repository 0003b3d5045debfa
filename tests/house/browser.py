"""A page as headless Chromium has it."""
import html
import json
import pathlib
import re
import subprocess


def seen_in(chromium, text, probe, directory):
    """Opens the page with a script before its end that puts JSON into the title; what that says. Nothing may be said on
    the console."""
    probed = pathlib.Path(directory) / "probed.html"
    probed.write_text(text.replace("</body>", probe + "</body>"))
    run = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                          f"--user-data-dir={directory}/profile", "--enable-logging=stderr", "--virtual-time-budget=5000",
                          "--dump-dom", probed.as_uri()], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]
    said = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    assert not said, said
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", run.stdout, re.S)[1]))

import os
import subprocess
import sys
from pathlib import Path

from kindex.core.layout import Layout
from tasks import leftovers
from tasks.leftovers import NIGHT, PAGES

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)  # prefect.server.api.server"]


def test_the_server_of_a_killed_night_is_ended(tmp_path):
    layout = Layout(tmp_path)
    with subprocess.Popen(SLEEP) as server:
        while not Path(f"/proc/{server.pid}/cmdline").read_bytes():
            pass  # between exec and its first instruction a process has no command line
        leftovers.note(layout, NIGHT, leftovers.own_servers())
        leftovers.end(layout, NIGHT)
        assert server.wait(10) == -9
    leftovers.end(layout, NIGHT)  # nothing is left to end


def test_a_process_that_only_has_its_number_is_left_alone(tmp_path):
    layout = Layout(tmp_path)
    with subprocess.Popen(SLEEP) as stranger:
        layout.var.mkdir()
        (layout.var / "ephemeral-server.json").write_text(f'{{"{stranger.pid}": "12345"}}')
        leftovers.end(layout, NIGHT)
        assert stranger.poll() is None
        stranger.kill()


def test_other_children_are_not_servers(tmp_path):
    layout = Layout(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        assert child.pid in leftovers.descendants(os.getpid())
        leftovers.note(layout, NIGHT, leftovers.own_servers())
        leftovers.end(layout, NIGHT)
        assert child.poll() is None
        child.kill()


def test_what_a_server_has_started_is_ended_with_it(tmp_path):
    layout = Layout(tmp_path)
    starts = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", starts]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as server:
        assert server.stdout
        own = int(server.stdout.readline())
        leftovers.note(layout, PAGES, [server.pid])
        leftovers.end(layout, NIGHT)
        assert server.poll() is None
        leftovers.end(layout, PAGES)
        assert server.wait(10) == -9
    while leftovers._lives(own, leftovers.started(own)):
        pass  # the kernel takes it apart
    assert list(layout.var.iterdir()) == []


def test_a_damaged_note_ends_nothing(tmp_path):
    layout = Layout(tmp_path)
    layout.var.mkdir()
    (layout.var / "ephemeral-server.json").write_text('{"x": "1"')
    leftovers.end(layout, NIGHT)


def test_all_that_this_process_started_is_ended():
    parent = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read()"
    ends = f"""
import subprocess, sys
from tasks import leftovers
child = subprocess.Popen([sys.executable, "-c", {parent!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
grandchild = int(child.stdout.readline())
leftovers.end_descendants()
print(child.wait(), leftovers._lives(grandchild, leftovers.started(grandchild)))
"""
    told = subprocess.run([sys.executable, "-c", ends], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "-9 False\n"

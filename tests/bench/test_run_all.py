"""The run of all benches: what fails is a row, Ctrl-C keeps what is there. Stand-ins are measured, in milliseconds."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import psutil
import pytest
from page_requests import external_requests

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.append(str(BENCH))

import common  # noqa: E402
import run_all  # noqa: E402

STAND_IN = """
import json, subprocess, sys, time
from pathlib import Path
name, out = Path(sys.argv[0]).stem, Path(sys.argv[-1].removeprefix("--out="))
if name == "broken":
    raise SystemExit("there is no <model> to measure")
if name == "slow":  # with a process in a session of its own
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    (out / "pid").write_text(str(child.pid))
    time.sleep(60)
ratio = float(str(out)[-1])  # of the first run 1, of the second 2
rows = [{"what": f"speed {x}", "ours": 20 * ratio, "peer": 20, "ratio": ratio, "goal": "ratio >= 1.5",
         "met": ratio > 1.5, "curve": ["Training against width", x]} for x in (64, 128)]
rows.append({"what": "a & b", "ours": 2, "peer": 1, "ratio": ratio, "spread": [ratio, 9]})
(out / "x.json").write_text(json.dumps({"name": name, "command": "", "rows": rows, "notes": "One core."}))
if name == "found":
    sys.exit("3 things went wrong")
"""


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that runs parts and returns report.html and report.json."""

    def run(*parts: run_all.Part, ends: str = "") -> tuple[str, dict]:
        for part in parts:
            (tmp_path / f"{part.name}.py").write_text(STAND_IN)
        monkeypatch.setattr(run_all, "ROOT", tmp_path)
        (tmp_path / "bench").symlink_to(tmp_path, target_is_directory=True)
        monkeypatch.setattr(sys, "argv", ["bench/run_all.py", "--out", str(tmp_path / "out")])
        if ends:
            with pytest.raises(SystemExit, match=ends):
                run_all.main(parts)
        else:
            run_all.main(parts)
        out = tmp_path / "out"
        return (out / "report.html").read_text(), json.loads((out / "report.json").read_text())

    return run


def test_medians_curves_and_a_bench_that_fails(measured) -> None:
    fine = run_all.Part("fine", "It means something.", repeats=2)
    page, kept = measured(
        fine,
        run_all.Part("broken", "It breaks."),
        run_all.Part("found", "It finds."),
        run_all.Part("scored", "Models.", alone=False),
        ends="failed: broken, found; the report says how",
    )
    benches = [(one["runs"], one["problem"]) for one in kept["benches"]]
    assert benches == [
        (2, ""),
        (0, "failed: there is no <model> to measure"),
        (1, "failed: 3 things went wrong"),
        (1, ""),
    ]
    rows = kept["benches"][0]["result"]["rows"]
    assert (rows[0]["ratio"], rows[0]["spread"], rows[0]["met"]) == (1.5, [1, 2], True)
    assert rows[2]["spread"] == [1, 9]
    assert "No figures of this run: failed: there is no &lt;model&gt; to measure" in page
    assert "Ours is slower at no point" in page
    assert not external_requests(page)
    pictures: list[str] = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attrs: pictures.append(dict(attrs)["alt"]) if tag == "img" else None
    reader.feed(page)
    assert len(pictures) == 2
    assert "fine: a & b 1.5" in pictures[0]
    assert "64: ours 30, peer 20" in pictures[1]


def test_a_bench_without_time_says_so_and_leaves_no_process(measured, tmp_path: Path) -> None:
    page, _ = measured(run_all.Part("slow", "It is slow.", minutes=0.03))
    assert "stopped after 0.0 minutes" in page
    (pid,) = tmp_path.glob("out/runs/slow-1/pid")
    assert not psutil.pid_exists(int(pid.read_text())) or psutil.Process(int(pid.read_text())).status() == "zombie"


def test_a_bench_without_time_shows_what_was_measured_before(measured, tmp_path: Path) -> None:
    rows = [common.row("speed", 3.0, 2.0)]
    where = {"machine": common.machine() | {"date": "2026-01-02"}, "versions": {}, "command": "python bench/slow.py"}
    sections = [common.as_markdown(where | {"name": name, "rows": rows}) for name in ("fine", "slow")]
    (tmp_path / "RESULTS.md").write_text("\n".join(["# Figures", "", *sections]))
    page, _ = measured(run_all.Part("slow", "It is slow.", minutes=0.01))
    assert "Before, by <code>python bench/slow.py</code>" in page
    assert '<th scope="row">speed</th><td>3</td><td>2</td><td>1.5</td>' in page
    assert page.count("Measured on 2026-01-02") == 1


def test_speeds_of_a_run_go_into_results(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text("")
    rows = [common.row("speed", 3.0, 2.0)]
    where = {
        "machine": common.machine(),
        "versions": {},
        "command": "python bench/x.py --out PATH",
        "notes": "One core.",
    }
    fast, scored = run_all.Part("fast", "Fast."), run_all.Part("scored", "Scored.", alone=False)
    run_all.keep(
        [
            run_all.Found(fast, "python bench/fast.py", where | {"name": "fast", "rows": rows}, runs=3),
            run_all.Found(scored, "python bench/scored.py", where | {"name": "scored", "rows": rows}, runs=1),
        ],
        page,
    )
    assert "`python bench/fast.py`\n\nOne core. Measured within `make bench`, medians of 3 runs." in page.read_text()
    assert "scored" not in page.read_text()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_ctrl_c_keeps_what_is_there(measured) -> None:
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    page, kept = measured(
        run_all.Part("fine", "First."), run_all.Part("slow", "Second."), run_all.Part("later", "Third."), ends="130"
    )
    assert [one["problem"] for one in kept["benches"]][:2] == ["", "stopped by hand"]
    assert "stopped by hand" in page


def test_every_bench_is_part_of_the_run(tmp_path: Path) -> None:
    assert {part.name for part in run_all.PARTS} <= {path.stem for path in BENCH.glob("*.py")}
    (tmp_path / "new.py").write_text('"""How new it is.\n\nVery."""')
    (added,) = run_all.parts_of(tmp_path)[len(run_all.PARTS) :]
    assert (added.name, added.means, added.alone) == ("new", "How new it is.", False)

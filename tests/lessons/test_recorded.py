"""What was recorded for the lessons: runs for lesson 04, and replies for 07, written by `workshop record 07`."""

import json

from workshop_utils.lessons import recorded, stoic_run
from workshop_utils.machine.profiles import choose


def test_replies_are_recorded_with_model_date_and_device_and_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recorded, "SHIPPED", tmp_path / "shipped" / "recorded_07.json")
    recorded.show(tmp_path)
    assert "have been recorded yet" in capsys.readouterr().out
    monkeypatch.setattr(stoic_run, "before_after", lambda model, prompts, new: (prompts, [p.upper() for p in prompts]))
    path = recorded.record(choose("pocket"), tmp_path)
    found = json.loads(path.read_text())
    assert len({pair["prompt"] for pair in found["pairs"]}) == recorded.PAIRS
    assert found["model"] == "pocket-instruct"
    capsys.readouterr()
    recorded.show(tmp_path)
    shown = capsys.readouterr().out
    assert all(text in shown for text in (found["date"], found["device"], found["pairs"][0]["after"]))
    path.write_text(json.dumps(found | {"model": "half a \ud800 pair"}))
    recorded.show(tmp_path)
    assert "half a ? pair" in capsys.readouterr().out


def test_there_is_one_run_for_each_place_of_lesson_04s_sliders():
    runs = recorded.rates_and_warmups()
    rates, warmups = ({run[knob] for run in runs} for knob in ("rate", "warmup"))
    assert len({(run["rate"], run["warmup"]) for run in runs}) == len(runs) == len(rates) * len(warmups) == 16
    assert {len(run["curve"]) for run in runs} == {30}

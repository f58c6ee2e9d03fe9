"""Make the adapter that comes with the package: the pocket run of lesson 07, for those who begin with lesson 09.

python tools/build_adapter.py     half a minute on two cores; writes workshop_utils/pocket/models/stoic
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.machine.profiles import setup
from workshop_utils.tuning import finetune, lora

KEPT = ("adapter_model.safetensors", "adapter_config.json", lora.BELONGS, finetune.RESULT)


def main() -> None:
    """Tune and copy."""
    profile = setup("pocket")
    train, held_out = stoic_run.pairs_for(profile)
    rows = [stoic_set.messages(pair) for pair in train + stoic_run.ordinary_for(profile)]
    looks = [stoic_set.messages(pair) for pair in held_out]
    model = lora.attach(lora.load_base(profile.models[1], profile))
    with tempfile.TemporaryDirectory() as folder:
        finetune.tune(model, rows, stoic_run.stoic_config(profile), folder, profile, held_out=looks)
        shutil.rmtree(stoic_run.SHIPPED, ignore_errors=True)
        stoic_run.SHIPPED.mkdir(parents=True)
        for name in KEPT:
            shutil.copy(Path(folder) / name, stoic_run.SHIPPED / name)


if __name__ == "__main__":
    main()

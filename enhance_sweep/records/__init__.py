"""What a run writes down, and how it is found again.

Records are the only thing that passes from running to reporting. A folder of runs holds

    trained/<learned_key>/record.json     one network trained once: what it learned from, its scores, its curve
    timed/<measured_key>/<when>.json      one architecture timed once: how, on which host, every raw sample
    challenge/<architecture_key>/<when>.json  one architecture timed by the PIRM 2018 challenge's rules
    exports/<learned_key>/<format>-<precision>/export.json  a trained network as a file for another runtime, checked

All carry the `architecture_key`. On it `load_records` joins the first two: three seeds of one network share its timing.
Every file is written whole or not at all.
"""

from enhance_sweep.records.frame import load_records

__all__ = ["load_records"]

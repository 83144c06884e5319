"""See, judge and mend what a model's attention does.

capture(model).predict(arrays)          # its maps beside its output
collect(model, arrays)                  # statistics of each head, computed in the graph
AttentionDetector().fit(statistics)     # what is normal, and what is not
reweight(model, "temperature")          # rules that change maps; calibrate(model, data) learns them
"""

from attention_zoo.calibrate.ablation import head_effects
from attention_zoo.calibrate.adapting import adapt
from attention_zoo.calibrate.balancer import AttentionBalancer
from attention_zoo.calibrate.balancing import balance
from attention_zoo.calibrate.capture import Captured, capture
from attention_zoo.calibrate.detector import AttentionDetector
from attention_zoo.calibrate.faithfulness import Faithfulness, faithfulness
from attention_zoo.calibrate.faults import FAULTS, FaultRule
from attention_zoo.calibrate.monitor import AttentionMonitor
from attention_zoo.calibrate.penalties import PENALTIES, Penalized, Penalty, penalize
from attention_zoo.calibrate.probe import Probed, collect, probe
from attention_zoo.calibrate.reweight import RULES, Reweighted, apart, reweight, rule, sites_of
from attention_zoo.calibrate.rules import Rule
from attention_zoo.calibrate.tune import Calibration, calibrate

__all__ = [
    "FAULTS",
    "PENALTIES",
    "RULES",
    "AttentionBalancer",
    "AttentionDetector",
    "AttentionMonitor",
    "Calibration",
    "Captured",
    "Faithfulness",
    "FaultRule",
    "Penalized",
    "Penalty",
    "Probed",
    "Reweighted",
    "Rule",
    "adapt",
    "apart",
    "balance",
    "calibrate",
    "capture",
    "collect",
    "faithfulness",
    "head_effects",
    "penalize",
    "probe",
    "reweight",
    "rule",
    "sites_of",
]

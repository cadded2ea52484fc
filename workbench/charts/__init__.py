"""Charts: a frame goes in, a plotly Figure comes out; nothing is read and nothing is shown here."""

from workbench.charts.bars import conditions, runs, shrinking, waterfall
from workbench.charts.combinations import combinations
from workbench.charts.measures import lifts, love
from workbench.charts.moves import moves
from workbench.charts.sizes import sizes
from workbench.charts.style import FAILED, HELD_OUT, LEFT_OUT, MIME, SENT, UNCLEAR, WHOLE, bundle, capital
from workbench.charts.thresholds import thresholds

__all__ = [
    "FAILED", "HELD_OUT", "LEFT_OUT", "MIME", "SENT", "UNCLEAR", "WHOLE", "bundle", "capital", "combinations", "conditions",
    "lifts", "love", "moves", "runs", "shrinking", "sizes", "thresholds", "waterfall",
]  # fmt: skip

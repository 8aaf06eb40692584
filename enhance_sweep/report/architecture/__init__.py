"""A network drawn from the layers in its record: de Stoutz et al. 2018, Fig. 1 and Fig. 3, and any other."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from enhance_sweep.report.architecture.layout import draw_across, draw_down
from enhance_sweep.report.architecture.network import in_words
from enhance_sweep.report.architecture.reading import network_of
from enhance_sweep.report.figures.style import WIDE, Shape, style


def architecture_figure(record: Mapping[str, Any], shape: Shape = WIDE) -> Figure | None:
    """The layers of a trained or timed record, with what is added to what.

    Each convolution is a box, as long as its output is high and as thick as it has channels, its color the deeper the
    more of the multiply-adds it has; norms and activations are bands beside it. Where there is room the network runs
    from left to right, a row for each resolution; else downwards.

    Args:
        record: with `description.layers`, and `description.joins` where it is known what is added to what; of the
            two published topologies it is known from the layers' names.
        shape: how wide; the height is what the network needs.

    Returns:
        None where the record has no layers.
    """
    network = network_of(record)
    if network is None:
        return None
    with style():
        figure = draw_across(network, shape.width) if shape.is_wide else None
        return figure or draw_down(network, min(shape.width, 4.6))


def architecture_in_words(record: Mapping[str, Any]) -> str:
    """What the figure shows, for who cannot see it; empty where there is no figure."""
    network = network_of(record)
    return "" if network is None else in_words(network)

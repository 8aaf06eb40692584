"""A network drawn from the layers in its record: de Stoutz et al. 2018, Fig. 1 and Fig. 3, and any other."""

from matplotlib.figure import Figure

from enhance_sweep.records.schema import TimedRecord, TrainedRecord
from enhance_sweep.report.architecture.layout import draw_across, draw_down
from enhance_sweep.report.architecture.network import in_words
from enhance_sweep.report.architecture.reading import network_of
from enhance_sweep.report.figures.style import WIDE, Shape, style


def architecture_figure(record: TrainedRecord | TimedRecord, shape: Shape = WIDE) -> Figure | None:
    """Draw the layers of a network and their connections.

    Each convolution is a box, as long as its output is high and as thick as it has channels. The more of the
    multiply-adds it has, the deeper its color. Norms and activations are bands beside it. Where there is room, the
    network runs from left to right with a row for each resolution, otherwise downwards.

    Args:
        record: its `description` has the layers and joins. Records of the two published topologies that lack the joins
            are drawn with those that the layers' names tell.
        shape: gives the width; the height is what the network needs.

    Returns:
        None where the record has no layers.
    """
    network = network_of(record)
    if network is None:
        return None
    with style():
        figure = draw_across(network, shape.width) if shape.is_wide else None
        return figure or draw_down(network, min(shape.width, 4.6))


def architecture_in_words(record: TrainedRecord | TimedRecord) -> str:
    """The figure in words, for readers who cannot see it; empty where there is no figure."""
    network = network_of(record)
    return "" if network is None else in_words(network)

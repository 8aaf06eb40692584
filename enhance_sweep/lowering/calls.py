"""Which layer of a network is followed by which, so that two can become one."""

from collections import Counter
from collections.abc import Iterator

from torch import fx, nn

from enhance_sweep.models.blocks import Conv2d, ConvTranspose2d
from enhance_sweep.models.instance_norm import InstanceNorm2d
from enhance_sweep.models.statistics import ChannelMoments

_WHOLE = (Conv2d, ConvTranspose2d, InstanceNorm2d, ChannelMoments)


class Calls:
    """The calls of a network's layers, found by tracing it. A network that cannot be traced shows none.

    Args:
        network: it is not changed but by `replace`.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._graph: fx.Graph | None
        try:
            self._graph = _Tracer().trace(network)
        except Exception:  # tracing runs the network's own code on stand-ins for tensors
            self._graph = None

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Names of layers of which the second takes the first's result, which nothing else takes.

        Each is called once, and has one name.
        """
        nodes = [node for node in self._graph.nodes if node.op == "call_module"] if self._graph else []
        calls = Counter(str(node.target) for node in nodes)
        names = Counter(id(module) for _, module in self._network.named_modules(remove_duplicate=False))
        for node in nodes:
            before = node.args[0] if node.args else None
            if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
                continue
            pair = str(before.target), str(node.target)
            if all(calls[name] == 1 and names[id(self.layer(name))] == 1 for name in pair):
                yield pair

    def layer(self, name: str) -> nn.Module:
        """The layer of this name."""
        return self._network.get_submodule(name)

    def replace(self, pair: tuple[str, str], layer: nn.Module) -> None:
        """Let `layer` stand for both: in the place of the first, and nothing in the second's."""
        for name, new in zip(pair, (layer, nn.Identity()), strict=True):
            parent, _, last = name.rpartition(".")
            setattr(self.layer(parent), last, new)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _WHOLE) or super().is_leaf_module(m, module_qualified_name)

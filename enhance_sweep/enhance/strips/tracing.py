"""A network as a graph, and what each of its nodes gives: an image, numbers about the whole of one, or a size."""

import copy
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from enhance_sweep.enhance.strips import parts
from enhance_sweep.enhance.strips.images import Shape
from enhance_sweep.enhance.strips.moments import Moments
from enhance_sweep.enhance.strips.operators import Operator
from enhance_sweep.enhance.strips.parts import Call, NotByStripsError, Statistic

__all__ = ["NotByStripsError", "Sized", "Traced"]

#: Height and width of the photograph on which a network is tried out before it gets a real one.
_TRIAL = (37, 41)


class Traced:
    """A network whose every part is known.

    Each node of its graph gives one of these:
    - an image, of the photograph's size or some other: its rows are computed strip by strip from those of its inputs;
    - few numbers: a statistic of a whole image, weights, and whatever is computed from such numbers alone;
    - a part of the network's own bookkeeping, such as a size.

    Args:
        network: in evaluation mode, on the CPU.
        dtype: its precision.

    Raises:
        NotByStripsError: it has parts that are not known; names the first.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._module = _trace(network)
        self._modules = dict(self._module.named_modules())
        self._on_meta = copy.deepcopy(self._module).to("meta")
        self.nodes: list[fx.Node] = [node for node in self._module.graph.nodes if node.op != "output"]
        self.images: dict[fx.Node, list[fx.Node]] = {}
        self.statistics: dict[fx.Node, fx.Node] = {}
        self._pieces: dict[fx.Node, fx.Node] = {}
        try:
            results = self._results(*_TRIAL)
        except Exception as error:  # the network's own code, traced on stand-ins for tensors
            raise NotByStripsError(f"the network cannot be traced ({error})") from error
        for node in self.nodes:
            self._classify(node, results)
        (output,) = (node for node in self._module.graph.nodes if node.op == "output")
        result = output.args[0]
        if not isinstance(result, fx.Node) or result not in self.images:
            raise NotByStripsError("the network must give one image to run strip by strip")
        self.result = result
        self.consumers: dict[fx.Node, list[fx.Node]] = {node: [] for node in self.images}
        for node, inputs in self.images.items():
            for one in dict.fromkeys(inputs):
                self.consumers[one].append(node)
        for node, image in self.statistics.items():
            self.consumers[image].append(node)
        self.gathered = self.sized(*_TRIAL).gathered  # also says which part is not known

    def sized(self, height: int, width: int) -> "Sized":
        """The network for photographs of one size."""
        return Sized(self, self._results(height, width))

    def call(self, node: fx.Node) -> Call:
        """What a node calls, and with what."""
        return Call(node, self._modules[str(node.target)] if node.op == "call_module" else None)

    def cut_from(self, node: fx.Node) -> fx.Node | None:
        """The node that gave all pieces, where this one is one of them: `chunk` or `split`."""
        source = node.args[0] if node.args else None
        return source if isinstance(source, fx.Node) and source in self._pieces else None

    def compute(self, node: fx.Node, results: Callable[[fx.Node], Any]) -> Any:
        """What a node gives that does not depend on images, but on few numbers and sizes."""
        if node.op == "get_attr":
            value: Any = self._module
            for name in str(node.target).split("."):
                value = getattr(value, name)
            return value
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), results)
        return self.call(node).function(*args, **kwargs)

    def _classify(self, node: fx.Node, results: dict[fx.Node, Any]) -> None:
        if node.op == "placeholder":
            if isinstance(results[node], Tensor):
                self.images[node] = []
            return
        inputs = [one for one in node.all_input_nodes if one in self.images or one in self._pieces]
        if not inputs or not _has_tensors(results[node]):
            return  # computed from few numbers, or a size
        call, pieces = self.call(node), self._pieces.get(inputs[0])
        if pieces is not None:
            self.images[node] = [pieces]
        elif parts.is_split(call):
            self._pieces[node] = inputs[0]
        elif parts.statistic(call):
            self.statistics[node] = inputs[0]
        elif isinstance(results[node], Tensor) and results[node].dim() == 4 and not self._pieces.keys() & {*inputs}:
            self.images[node] = parts.read_by(call, inputs)
        else:
            raise parts.unknown(call)

    @torch.no_grad()
    def _results(self, height: int, width: int) -> dict[fx.Node, Any]:
        """Every node's result, computed without arithmetic, on the meta device."""
        results: dict[str, Any] = {}

        class Watch(fx.Interpreter):
            def run_node(self, n: fx.Node) -> Any:
                result = results[n.name] = super().run_node(n)
                return result

        Watch(self._on_meta).run(torch.empty(1, 3, height, width, device="meta", dtype=self.dtype))
        # What the network makes for its own device is made here.
        here = {name: torch.device("cpu") for name, result in results.items() if isinstance(result, torch.device)}
        return {node: (results | here)[node.name] for node in self.nodes}


class Sized:
    """A network for photographs of one size: each image's shape and how its rows are computed.

    Attributes:
        moments: statistics that it needs, of which image and which of its pixels (every step-th of every step-th row).
            Gathered before the nodes that use them are computed.
    """

    def __init__(self, traced: Traced, results: dict[fx.Node, Any]) -> None:
        self._traced, self._results = traced, results
        self._numbers: dict[fx.Node, Any] = {}
        self.shapes = {node: Shape.of(results[node]) for node in traced.images}
        self.moments: dict[tuple[fx.Node, int], Moments] = {}
        self._statistics: dict[fx.Node, Statistic] = {}
        for node, image in traced.statistics.items():
            statistic = parts.statistic(traced.call(node))
            assert statistic
            self._statistics[node] = statistic
            self._gathering(image, statistic.step)
        self.operators = {node: self._operator(node) for node, inputs in traced.images.items() if inputs}

    def moments_of(self, node: fx.Node) -> list[Moments]:
        """The statistics to be gathered of an image."""
        return [moments for (image, _), moments in self.moments.items() if image is node]

    @property
    def gathered(self) -> set[fx.Node]:
        """The images of which statistics are needed."""
        return {image for image, _ in self.moments}

    def compute(self, node: fx.Node) -> None:
        """Compute what is no image: few numbers, once the statistics are gathered that they come from."""
        if node in self._statistics:
            moments = self.moments[self._traced.statistics[node], self._statistics[node].step]
            wanted = self._results[node]
            values = self._statistics[node].of(moments.mean, moments.variance)
            self._numbers[node] = values.view(wanted.shape).to(wanted.dtype)
        elif _has_tensors(self._results[node]):
            self._numbers[node] = self._traced.compute(node, self.result_of)

    def result_of(self, node: fx.Node) -> Any:
        """What a node gave that gives no image."""
        return self._numbers[node] if node in self._numbers else self._results[node]

    def _gathering(self, image: fx.Node, step: int) -> Moments:
        return self.moments.setdefault((image, step), Moments(self.shapes[image].channels, step))

    def _operator(self, node: fx.Node) -> Operator:
        call, inputs = self._traced.call(node), self._traced.images[node]
        before, after = self.shapes[inputs[0]], self.shapes[node]
        split = self._traced.cut_from(node)
        if split is not None:
            return parts.piece(call, self._results[split])
        norm = parts.norm_step(call)
        if norm is not None:
            return parts.normed(call, self._gathering(inputs[0], norm), after)
        if parts.is_pointwise(call):
            self._check_joined(call, inputs)
            return parts.pointwise(call, inputs, self.result_of, after)
        return parts.operator(call, before, after, self.result_of)

    def _check_joined(self, call: Call, images: Sequence[fx.Node]) -> None:
        """Whatever meets images must be of their size, or the same all over them."""
        sizes = {(self.shapes[one].height, self.shapes[one].width) for one in images}
        others = [self._results[one] for one in call.node.all_input_nodes if one not in images]
        shapes = [tuple(other.shape) for other in others if isinstance(other, Tensor)]
        spread = [shape for shape in shapes if len(shape) > 4 or any(size != 1 for size in shape[-2:])]
        if len(sizes) > 1 or spread:
            found = " and ".join(str(one) for one in [*sorted(sizes), *spread])
            raise NotByStripsError(
                f"the network has a part that does not run strip by strip, {call.name} of an image and another of "
                f"another size ({found}), and takes whole images"
            )


def _has_tensors(result: Any) -> bool:
    if isinstance(result, Sequence) and not isinstance(result, str | torch.Size):
        return any(_has_tensors(one) for one in result)
    return isinstance(result, Tensor)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, parts.OWN_LAYERS) or super().is_leaf_module(m, module_qualified_name)

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        """The pieces of an image, as in `for piece in features.chunk(3, dim=1)`."""
        count = parts.pieces(Call(obj.node, None))
        if count is None:
            return super().iter(obj)
        return (self.create_proxy("call_function", operator.getitem, (obj, index), {}) for index in range(count))


def _trace(network: nn.Module) -> fx.GraphModule:
    try:
        traced = fx.GraphModule(network, _Tracer().trace(network))
    except Exception as error:  # tracing runs the network's own code on stand-ins for tensors
        raise NotByStripsError(f"{type(network).__name__} cannot be traced ({error})") from error
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return traced

"""Networks that are no topologies are refused before anything is trained."""

import pytest
import torch
from torch import nn

from enhance_sweep.models import PlainGenerator, StridedGenerator
from enhance_sweep.models.checking import ShapeError, check_shapes
from tests.unit.models.made_up_topologies import Gated, Matrices, Odd, Pooled, Shuffled, Student, WrongSize


@pytest.mark.parametrize("made", [PlainGenerator, StridedGenerator, Gated, Matrices, Pooled, Shuffled, Student])
def test_a_topology_passes_and_stays_as_it_is(made: type[nn.Module]) -> None:
    generator = made().train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    check_shapes(generator)
    assert generator.training
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


@pytest.mark.parametrize(
    ("generator", "said"),
    [
        (WrongSize(), r"for 2 photographs of 41x37 it gives 39x35: expected the same size\. .*\"same\" padding"),
        (WrongSize(stride=2), r"for 2 photographs of 41x37 it gives 21x19"),
        (Odd("tuple"), r"for 2 photographs of 41x37 it gives a tuple: return one tensor"),
        (Odd("one"), r"a tensor of \(2, 3, 37, 41\), it gives one of \(1, 3, 37, 41\)"),
        (Odd("gray"), r"a tensor of \(2, 3, 37, 41\), it gives one of \(2, 1, 37, 41\)"),
        (Odd("raises"), r"for 2 photographs of 41x37 it raises RuntimeError: no such: expected"),
        (Odd("values"), r"it raises RuntimeError: .*torch's meta device, which has no values"),
        (nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(3, 3, 3)), r"for 1 photograph of 1x1 it raises RuntimeError"),
    ],
)
def test_what_is_none_is_told_with_its_sizes_and_what_to_do(generator: nn.Module, said: str) -> None:
    with pytest.raises(ShapeError, match=said) as caught:
        check_shapes(generator)
    assert "\n" not in str(caught.value)

"""The PIRM 2018 challenge's reference for speed: a super-resolution network of three layers."""

from torch import Tensor, nn

from enhance_sweep.models import identity
from enhance_sweep.models.blocks import Conv2d, start_as_identity, to_unit_range


class SRCNN(nn.Module):
    """The three layers of Dong et al. 2014, as the PIRM 2018 challenge used them for enhancement; all sizes are fixed.

    ::

        input (3) -> 9x9 conv (64), ReLU -> 5x5 conv (32), ReLU -> 5x5 conv (3) -> tanh(x) * 0.58 + 0.5

    (N, 3, H, W), RGB in [0, 1], to the same shape, a little beyond [0, 1]; any height and width. Speed-ups in the
    challenge's scores are relative to this network (de Stoutz et al. 2018, Table 3: "SRCNN (baseline)").

    The challenge's public code has one bias for all three outputs; here each has its own (69,251 parameters, not
    69,249). Initial weights are those of our other topologies, so scores compare topologies alone.
    """

    multiple = 1

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Sequential(Conv2d(3, 64, 9), nn.ReLU(inplace=True))
        self.mapping = nn.Sequential(Conv2d(64, 32, 5), nn.ReLU(inplace=True))
        self.output = Conv2d(32, 3, 5)

    def forward(self, input: Tensor) -> Tensor:
        """Enhance a batch of photographs."""
        return to_unit_range(self.output(self.mapping(self.patches(input))))

    def start_as_identity(self) -> None:
        """Start as the photograph: see `enhance_sweep.models.identity`."""
        for layers in (self.patches, self.mapping):
            start_as_identity(layers)
        identity.show(self.output)

"""The discriminator's shape and size."""

import pytest
import torch

from enhance_sweep.models import Discriminator


@pytest.mark.parametrize("patch_size", [1, 17, 64, 100])
def test_two_logits_a_patch(patch_size: int) -> None:
    assert Discriminator(patch_size)(torch.rand(3, 1, patch_size, patch_size)).shape == (3, 2)


def test_parameters_for_patches_of_100_by_hand() -> None:
    convolutions = [(1, 48, 11), (48, 128, 5), (128, 192, 3), (192, 192, 3), (192, 128, 3)]
    wanted = sum(i * o * k * k + o for i, o, k in convolutions)
    wanted += sum(2 * o for _, o, _ in convolutions[1:])  # norms, after all but the first
    wanted += 128 * 7 * 7 * 1024 + 1024 + 1024 * 2 + 2
    assert sum(p.numel() for p in Discriminator(100).parameters()) == wanted


def test_a_batch_is_judged_patch_by_patch() -> None:
    discriminator = Discriminator(32)
    patches = torch.rand(3, 1, 32, 32)
    alone = torch.cat([discriminator(patch[None]) for patch in patches])
    torch.testing.assert_close(discriminator(patches), alone, atol=1e-6, rtol=1e-4)

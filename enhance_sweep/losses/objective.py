"""The weighted sum that a generator minimises."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from enhance_sweep.losses.content import ContentLoss
from enhance_sweep.losses.texture import TextureLoss


class Objective(nn.Module):
    """Loss terms and their weights (de Stoutz et al. 2018, Eq. 7).

    Args:
        terms: name to loss, each `(enhanced, target) -> scalar`, unweighted.
        weights: name to weight, with the same names.
        simultaneous: let the discriminator learn in the generator's step: one batch, one enhancement and one pass of
            the discriminator serve both players. The DPED code (Ignatov et al. 2017) gives each player its own batch
            and turn.

    Raises:
        ValueError: the names differ, there is no term, a weight is negative, or there are two texture terms.
    """

    def __init__(
        self, terms: Mapping[str, nn.Module], weights: Mapping[str, float], simultaneous: bool = False
    ) -> None:
        super().__init__()
        if not terms or set(terms) != set(weights):
            raise ValueError(f"expected a weight for each loss term, got {sorted(weights)} for {sorted(terms)}")
        if any(weight < 0 for weight in weights.values()):
            raise ValueError(f"expected weights of at least 0, got {dict(weights)}")
        if sum(isinstance(term, TextureLoss) for term in terms.values()) > 1:
            raise ValueError("expected at most one texture term: there is one discriminator to train")
        self.terms = nn.ModuleDict(terms)
        self.weights = dict(weights)
        self.simultaneous = simultaneous

    @property
    def texture(self) -> TextureLoss | None:
        """The term with a discriminator to train, if this objective has one."""
        return next((term for term in self.terms.values() if isinstance(term, TextureLoss)), None)

    @property
    def comparing(self) -> dict[str, nn.Module]:
        """The terms that compare with a target, which are those that a teacher's target serves, too.

        Terms that ignore the target say so with `ignores_target`: the adversarial one and total variation.
        """
        return {name: term for name, term in self.terms.items() if not getattr(term, "ignores_target", False)}

    def taught_gradient(
        self,
        enhanced: Tensor,
        taught: Tensor,
        watch: Callable[[str], AbstractContextManager[object]],
        patches: Sequence[int] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The weighted sum of the comparing terms against a teacher's targets, and its gradient to `enhanced`.

        Both are (N, 3, H, W) in [0, 1]. The terms are computed as in `gradient`. `patches` numbers recurring targets,
        by other numbers than those of the real targets.
        """
        leaf, taught = enhanced.detach().float().requires_grad_(), taught.float()
        total = leaf.new_zeros(())
        for name, term in self.comparing.items():
            with watch(name):
                value = term(leaf, taught, patches) if isinstance(term, ContentLoss) else term(leaf, taught)
                if value.requires_grad:
                    (self.weights[name] * value).backward()
                total += self.weights[name] * value.detach()
        return total, leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)

    def gradient(
        self,
        enhanced: Tensor,
        target: Tensor,
        watch: Callable[[str], AbstractContextManager[object]],
        shown_target: Tensor | None = None,
        patches: Sequence[int] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The weighted sum, each unweighted term, and the sum's gradient with respect to `enhanced`, (N, 3, H, W).

        `enhanced` and `target` are (N, 3, H, W) in [0, 1]. Terms are computed in fp32, one by one: each frees what it
        holds for its backward pass before the next begins, and `watch` can time each by its name.

        With `shown_target`, (N,) bool, the discriminator learns as well: its parameters get their gradients, and its
        loss is among the terms as `discriminator`, but not in the sum. `patches` numbers recurring targets.
        """
        leaf, target = enhanced.detach().float().requires_grad_(), target.float()
        total, values = leaf.new_zeros(()), {}
        for name, term in self.terms.items():
            with watch(name):
                if isinstance(term, TextureLoss) and shown_target is not None:
                    loss, value = term.of_both_players(leaf, target, shown_target, self.weights[name])
                    loss.backward()  # type: ignore[no-untyped-call]
                    values["discriminator"] = loss.detach()
                else:
                    value = term(leaf, target, patches) if isinstance(term, ContentLoss) else term(leaf, target)
                    if value.requires_grad:
                        (self.weights[name] * value).backward()
                values[name] = value.detach()
                total += self.weights[name] * values[name]
        return total, values, leaf.grad if leaf.grad is not None else torch.zeros_like(leaf)

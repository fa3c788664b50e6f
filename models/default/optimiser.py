"""Optimisers of the network's parameters: AdamW, or Muon for the inner convolutions."""

import torch


def rows(weight):
    """A convolution's weight (o, i, h, w) as (o, h w i): a view, if its memory is channels-last."""
    return weight.permute(0, 2, 3, 1).flatten(1)


class Muon:
    """Muon (K. Jordan, Muon: an optimizer for hidden layers in neural networks, 2024) on the matrices
    of the inner convolutions, AdamW on everything else, behind the interface of one optimiser.

    Muon's steps are scaled to the size of AdamW's (J. Liu et al., Muon is scalable for LLM training,
    2025), so that one rate serves both.
    """

    def __init__(self, net, rate, others):
        """A network in channels-last memory; `others` are AdamW's options."""
        convolutions = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
        self.weights = [m.weight for m in convolutions if m not in (net.stem, net.out)]
        self.matrices = [torch.nn.Parameter(rows(w.data)) for w in self.weights]
        for matrix, weight in zip(self.matrices, self.weights, strict=True):
            if matrix.data_ptr() != weight.data_ptr():
                raise ValueError('Muon: the network is not in channels-last memory')
        inner = {id(w) for w in self.weights}
        rest = [p for p in net.parameters() if id(p) not in inner]
        self.muon = torch.optim.Muon(
            self.matrices,
            lr=rate,
            weight_decay=others['weight_decay'],
            adjust_lr_fn='match_rms_adamw',
        )
        self.adamw = torch.optim.AdamW(rest, lr=rate, **others)

    @property
    def param_groups(self):
        return self.muon.param_groups + self.adamw.param_groups

    def zero_grad(self):
        self.adamw.zero_grad()
        for weight in self.weights:
            weight.grad = None

    def step(self):
        for matrix, weight in zip(self.matrices, self.weights, strict=True):
            matrix.grad = rows(weight.grad)
        self.muon.step()
        self.adamw.step()

    def state_dict(self):
        return {'muon': self.muon.state_dict(), 'adamw': self.adamw.state_dict()}

    def load_state_dict(self, saved):
        self.muon.load_state_dict(saved['muon'])
        self.adamw.load_state_dict(saved['adamw'])


def optimiser_of(net, name, rate):
    """`adamw` or `muon` for a network in channels-last memory."""
    options = {'betas': (0.9, 0.99), 'weight_decay': 1e-3}
    if name == 'muon':
        return Muon(net, rate, options)
    return torch.optim.AdamW(net.parameters(), lr=rate, **options)

"""Adafactor as in t5x, which prompt tuning was published with; transformers' version differs in the marked places."""

import torch

FACTORED_FROM = 128  # rows and columns; transformers factors every matrix


class Adafactor(torch.optim.Optimizer):
    """One step, with t the global step (its first value is `step_offset`):

    g2    = g g + 1e-30
    d     = 1 - (t + 1)^-0.8                           no bias correction
    v     = d v + (1 - d) g2                           factored into row and column means from 128 x 128 on
    y     = g / sqrt(v),  y = y / max(1, RMS(y))
    param = (1 - weight_decay) param - lr y            transformers: weight decay times lr

    With `scale_parameter` lr is multiplied by max(1e-3, RMS(param)).
    """

    def __init__(self, parameters, lr, weight_decay=0.0, step_offset=0, scale_parameter=False):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "step": step_offset, "scale": scale_parameter})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            decay = 1.0 - (group["step"] + 1.0) ** -0.8
            for parameter in group["params"]:
                update = scaled_gradient(parameter.grad, self.state[parameter], decay)
                update /= max(1.0, update.square().mean().sqrt().item())
                scale = max(1e-3, parameter.square().mean().sqrt().item()) if group["scale"] else 1.0
                parameter.mul_(1.0 - group["weight_decay"]).sub_(update, alpha=group["lr"] * scale)
            group["step"] += 1


def scaled_gradient(gradient, state, decay):
    squared = gradient.square() + 1e-30
    if gradient.dim() == 2 and min(gradient.shape) >= FACTORED_FROM:
        rows = moving_mean(state, "rows", squared.mean(dim=1, keepdim=True), decay)
        columns = moving_mean(state, "columns", squared.mean(dim=0, keepdim=True), decay)
        return gradient * (rows / rows.mean()).rsqrt() * columns.rsqrt()
    return gradient * moving_mean(state, "all", squared, decay).rsqrt()


def moving_mean(state, name, value, decay):
    state[name] = decay * state.get(name, torch.zeros_like(value)) + (1.0 - decay) * value
    return state[name]

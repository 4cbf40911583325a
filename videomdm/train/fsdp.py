"""Weights, their average and the optimiser's moments split over the processes, for models that no device can hold.

PyTorch's ``fully_shard``: fully sharded data parallel (FSDP), the third stage of ZeRO.  What is saved is whole, so a
run can go on with any number of processes, sharded or not.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from videomdm.train import distributed


def shard(model: nn.Module, blocks: Iterable[nn.Module]) -> None:
    """Split every weight over the processes, in place; alone, nothing happens.

    A block's weights are put together when it computes, in both directions, and dropped after it (FSDP, ZeRO's
    third stage); the backward pass averages gradients over the processes, each keeping its share of them.  States
    that are saved and loaded stay whole, so a run can go on with any number of processes; all of them have to ask
    for ``state_dict()``, as every one holds a part.

    Args:
        model: has the same weights in every process.
        blocks: its parts that are put together one at a time.
    """
    if distributed.world() > 1:
        mesh = init_device_mesh(distributed.device().type, (distributed.world(),))
        for block in (*blocks, model):
            fully_shard(block, mesh=mesh)
        model.register_state_dict_post_hook(_gather_weights)
        model.register_load_state_dict_pre_hook(_scatter_weights)


def shard_moments(optimizer: Optimizer) -> None:
    """States of an optimiser of sharded weights that are saved and loaded whole, as :func:`shard` has it."""
    if distributed.world() > 1:
        optimizer.register_state_dict_post_hook(_gather_moments)
        optimizer.register_load_state_dict_pre_hook(_scatter_moments)


def _part(value: Tensor, like: Tensor) -> Tensor:
    """This process' part of a whole tensor that all of them hold, split as ``like`` is."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    value = value.to(like.device, like.dtype)
    return distribute_tensor(value, like.device_mesh, like.placements, src_data_rank=None)


def _gather_weights(model: nn.Module, state: dict, prefix: str, metadata: dict) -> None:
    for name, value in state.items():
        if isinstance(value, DTensor):
            state[name] = distributed.whole(value).cpu()  # one at a time: they need not fit a device together


def _scatter_weights(model: nn.Module, state: dict, *unused: object) -> None:
    for name, parameter in model.named_parameters():
        if name in state:
            state[name] = _part(state[name], parameter)


def _gather_moments(optimizer: Optimizer, state: dict) -> dict:
    moments = {i: {k: distributed.whole(v).cpu() for k, v in values.items()} for i, values in state["state"].items()}
    return {**state, "state": moments}


def _scatter_moments(optimizer: Optimizer, state: dict) -> dict:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments = {i: {k: _part(v, parameters[i]) for k, v in values.items()} for i, values in state["state"].items()}
    return {**state, "state": moments}

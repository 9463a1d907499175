"""Where torch trains: the device that is asked for is tried before any work."""

from __future__ import annotations

import torch

from edge_rerank.errors import InputError

PROCESSOR = "cpu"
_REMEDY = "name another one, such as cpu, or install a torch that was built for it"
_REMEDY_BEGUN = (
    "go on where it works, or leave out --resume and name a new --output to train on another one"
)


def usable_device(name: str, *, begun: bool = False) -> str:
    """Return the device as torch calls it in full, so that ``cuda`` and ``cuda:0`` are one.

    ``begun`` says that the name is not the user's but what the run was begun with. Raises
    InputError where torch knows no such device, or cannot compute there.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(
            f"--device is {name!r}; expected cpu, cuda, cuda:1 for the second of several, mps, or "
            "another name that torch knows"
        ) from error
    try:
        tried = torch.ones(1, device=device) + 1
        tried.item()  # which waits until it was computed
    except Exception as error:  # each kind of device has its own
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(
            f"--device is {name!r}, and torch cannot compute there ({reason}); "
            f"{_REMEDY_BEGUN if begun else _REMEDY}"
        ) from error
    return str(tried.device)

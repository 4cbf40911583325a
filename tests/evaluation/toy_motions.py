"""Motions that only their captions explain."""

import torch

NAMES = ("walk", "run", "jump", "kick", "squat", "dance")


def toy(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, list[tuple[str, ...]]]:
    """Noise with one of six channels up or down; captions say which, in two phrasings."""
    generator = torch.Generator().manual_seed(seed)
    channel, up = torch.randint(6, (n,), generator=generator), torch.randint(2, (n,), generator=generator)
    lengths = torch.randint(24, 49, (n,), generator=generator)
    features = 0.3 * torch.randn(n, 48, 10, generator=generator)
    features[torch.arange(n), :, channel] += 2.0 * up[:, None] - 1
    captions = []
    for c, u in zip(channel.tolist(), up.tolist(), strict=True):
        speed = "quickly" if u else "slowly"
        captions.append((f"a person {NAMES[c]}s {speed}", f"{speed}, someone is {NAMES[c]}ing"))
    return features, lengths, captions

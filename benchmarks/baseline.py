"""The straightforward version that all speed is measured against: eager, float32, every clip padded to the longest.

Written as one writes it first, from torch's own layers, and as published code of this kind works.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videomdm import losses
from videomdm.config import Config
from videomdm.denoiser import sinusoids
from videomdm.diffusion import Diffusion, Multistep
from videomdm.train.dataset import TrainingSet


class PlainMDM(nn.Module):
    """MDM from ``nn.TransformerEncoder``, called like :class:`videomdm.denoiser.MDM`; padding is attended."""

    def __init__(self, config: Config, n_features: int, text_width: int) -> None:
        super().__init__()
        width = config.model.width
        self.embed_motion, self.embed_text = nn.Linear(n_features, width), nn.Linear(text_width, width)
        self.embed_step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        layer = nn.TransformerEncoderLayer(
            width, config.model.n_heads, config.model.feedforward, config.model.dropout, "gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.model.n_layers, enable_nested_tensor=False)
        self.predict = nn.Linear(width, n_features)
        self.dropout = nn.Dropout(config.model.dropout)
        self.register_buffer("positions", sinusoids(1000, width))

    def forward(self, x: Tensor, t: Tensor, text: Tensor) -> Tensor:
        token = self.embed_text(text) + self.embed_step(self.positions[t])
        h = torch.cat([token[:, None], self.embed_motion(x)], dim=1)
        h = self.encoder(self.dropout(h + self.positions[: h.shape[1]]))
        return self.predict(h[:, 1:])


class PlainTrainer:
    """Training as one writes it first; ``timesteps`` as in :class:`videomdm.train.trainer.Trainer`."""

    def __init__(self, config: Config, data: TrainingSet) -> None:
        self.config, self.data, self.where = config, data, data.features.device
        sizes = config, data.features.shape[-1], data.text.shape[-1]
        self.model, self.average = PlainMDM(*sizes).to(self.where), PlainMDM(*sizes).to(self.where)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.optimiser.lr)
        t_star = config.optimiser.t_star if data.seen is not None else 0
        self.timesteps = Multistep(config.model.n_steps, t_star, config.optimiser.n_buckets)

    def step(self, step: int, lr: float) -> None:
        config, data = self.config, self.data
        torch.manual_seed(step)
        rows = torch.randint(len(data), (config.optimiser.batch_size,))
        diffusion = Diffusion(config.model.n_steps)
        timesteps = self.timesteps.sample(config.optimiser.batch_size).to(self.where)
        text = data.text[data.first[rows]]
        text = torch.where(torch.rand(len(rows), 1).to(self.where) < config.optimiser.condition_drop, 0.0, text)
        clean, lengths = data.features[rows], data.lengths[rows]
        self.model.train()
        self.optimizer.zero_grad()
        x_t = diffusion.q_sample(clean, timesteps[0], torch.randn(clean.shape).to(self.where))
        for i, t in enumerate(timesteps):
            predicted = self.model(x_t, t, text)
            loss = self._loss(rows, predicted, clean, lengths)
            (loss / len(timesteps)).backward()
            loss.item()  # logged
            if i + 1 < len(timesteps):
                x_t = diffusion.ddim_step(x_t, predicted.detach(), t, timesteps[i + 1])
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimiser.clip_norm)
        self.optimizer.step()
        with torch.no_grad():
            for average, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
                average.copy_(config.optimiser.ema * average + (1 - config.optimiser.ema) * weight)

    def _loss(self, rows: Tensor, predicted: Tensor, clean: Tensor, lengths: Tensor) -> Tensor:
        data = self.data
        if data.seen is None:
            return losses.x0(predicted, clean, lengths)
        loss = losses.VideoMDM(self.config.optimiser.weights, data.normaliser, data.skeleton)
        return loss(predicted, clean, data.seen.select(rows))[0]


@torch.no_grad()
def generate(model: PlainMDM, text: Tensor, n_frames: int, guidance: float, diffusion: Diffusion) -> Tensor:
    """Guided ancestral sampling, (B, n_frames, D): two passes per step, every clip as long as the longest."""
    x = torch.randn(len(text), n_frames, model.predict.out_features).to(text)
    for t in reversed(range(diffusion.n_steps)):
        steps = torch.full((len(text),), t, device=text.device)
        conditional, unconditional = model(x, steps, text), model(x, steps, torch.zeros_like(text))
        clean = unconditional + guidance * (conditional - unconditional)
        x = diffusion.ddpm_step(x, clean, t, torch.randn(x.shape).to(x))
    return x

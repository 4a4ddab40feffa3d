"""The prompt, run once: its keys and values, the nodes of a glossary's tree run after it, and the head on few."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from transformers import BatchFeature, DynamicCache, PreTrainedModel

from signvlm.vlm.anatomy import anatomy

HEAD_ROWS = 256  # positions whose logits are held at once: 150 MB in float32 at 151,936 words


class Prefill:
    """A batch of prompts that were run once, and the nodes held in the cache after them.

    Attributes:
        cache: The keys and values of the P positions of the prompts, then of the `held` nodes.
        first: float32 (B, V): log-probabilities of the answer's first token.
        held: Nodes a clip in the cache.
    """

    def __init__(self, model: PreTrainedModel, inputs: BatchFeature) -> None:
        """Runs the prompts.

        Args:
            model: The image-text-to-text model itself (unwrapped from PEFT), attention `sdpa` or `eager`.
            inputs: input_ids and attention_mask (B, P), left-padded, and the clips' pixel_values, on its device.
        """
        self.model = model
        self.held = 0
        self.cache = DynamicCache(config=model.config.get_text_config())
        self._mask = inputs["attention_mask"].bool()
        self._lengths = self._mask.sum(dim=1)
        self._planes = anatomy(model.config).planes
        positions = (inputs["attention_mask"].long().cumsum(dim=1) - 1).clamp(min=0)
        output = model(
            **inputs,
            **({} if self._planes else {"position_ids": positions}),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        if self._planes:  # a clip's tokens share positions, so text goes on from fewer than there are tokens
            self._lengths = self._lengths + model.model.rope_deltas[:, 0]
        self.first = output.logits[:, -1].float().log_softmax(dim=-1)

    def __len__(self) -> int:
        return len(self._mask)

    def run(self, tokens: np.ndarray, depths: np.ndarray, sees: np.ndarray) -> torch.Tensor:
        """Runs nodes after the prompts and the held nodes, and holds them too.

        Args:
            tokens: int64 (B, n) or, the same for every clip, (1, n).
            depths: int64, the same shape: how many tokens of the answer stand before each.
            sees: bool (B, n, held + n) or (1, n, held + n): which held and new nodes each new one attends to.

        Returns:
            The last hidden states (B, n, D).
        """
        device, batch = self._mask.device, len(self)
        count = tokens.shape[1]
        visible = torch.cat(
            [
                self._mask[:, None, None, :].expand(-1, 1, count, -1),
                torch.from_numpy(sees).to(device)[:, None].expand(batch, -1, -1, -1),
            ],
            dim=-1,
        )
        if self.model.config.get_text_config()._attn_implementation == "eager":  # eager adds its mask to the scores
            dtype = self.model.dtype
            visible = torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)
        self.held += count
        positions = self._lengths[:, None] + torch.from_numpy(depths).to(device)
        return self.model.model(
            input_ids=torch.from_numpy(tokens).to(device).expand(batch, -1),
            attention_mask=visible,
            position_ids=positions.expand(3, -1, -1) if self._planes else positions,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state

    def forget(self) -> None:
        """Drops the held nodes; the prompts stay."""
        if self.held:  # transformers 4 empties the cache at crop(0)
            self.cache.crop(-self.held)
        self.held = 0

    def keep(self, clips: Sequence[int]) -> None:
        """Keeps only these clips of the batch, in this order."""
        indices = torch.tensor(clips, device=self._mask.device)
        self.cache.batch_select_indices(indices)
        self._mask, self._lengths, self.first = self._mask[indices], self._lengths[indices], self.first[indices]


def token_log_probs(
    model: PreTrainedModel, hidden: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Log-probabilities of given next tokens, the whole vocabulary's logits never held for more than a few positions.

    Args:
        model: Gives the head.
        hidden: (M, D) last hidden states.
        rows: int64 (E,), ascending: the position that each token follows.
        tokens: int64 (E,).

    Returns:
        float32 (E,).
    """
    parts = []
    edges = torch.searchsorted(rows, torch.arange(0, len(hidden) + HEAD_ROWS, HEAD_ROWS, device=rows.device)).tolist()
    for index, (start, stop) in enumerate(pairwise(edges)):
        top = index * HEAD_ROWS
        logits = model.lm_head(hidden[top : top + HEAD_ROWS]).float()
        local = rows[start:stop] - top
        parts.append(logits[local, tokens[start:stop]] - logits.logsumexp(dim=-1)[local])
    return torch.cat(parts)

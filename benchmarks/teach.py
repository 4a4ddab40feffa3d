"""A brief training that makes a random model's answers unequal: it learns to name a few random clips.

Every clip has an order of its own over the glosses, and is called by the r-th of them with probability proportional to
r^-1.5, as if signs that look alike were often confused. Only what can be trained without running the prompts again
learns: the last layer's query, output and MLP. The prompts' keys and values stay as they are, so this is no
approximation, and a minute on one core is enough.
"""

from typing import Any

import numpy as np
import torch

from signvlm.vlm.prefill import Prefill
from signvlm.vlm.tree import TokenTree

LABELS = 8  # names a clip is called in one step
EXPONENT = -1.5
SHARPNESS = 4.0  # where the final norm starts: at 1, logits of weights drawn at random hardly differ


def teach(model: Any, inputs: Any, tree: TokenTree, steps: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Trains the model on these clips.

    Args:
        model: The image-text-to-text model.
        inputs: The clips' prompts, a batch.
        tree: The glossary's tree in its tokens.
        steps: Optimizer steps.
        seed: Draws the names.

    Returns:
        The weights that changed, by name.
    """
    rng = np.random.default_rng(seed)
    glosses, clips = len(tree.answers), len(inputs["input_ids"])
    orders = [rng.permutation(glosses) for _ in range(clips)]
    chances = np.arange(1, glosses + 1) ** EXPONENT
    chances /= chances.sum()
    last, norm = model.model.language_model.layers[-1], model.model.language_model.norm
    learning = (last.self_attn.q_proj, last.self_attn.o_proj, last.post_attention_layernorm, last.mlp, norm)
    model.requires_grad_(False)
    for module in learning:
        module.requires_grad_(True)
    with torch.no_grad():
        norm.weight.fill_(SHARPNESS)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    with torch.no_grad():
        cache = Prefill(model, inputs).cache
    cache.crop(-1)
    cache.batch_repeat_interleave(LABELS)
    seen = inputs["attention_mask"].repeat_interleave(LABELS, dim=0)
    asked = inputs["input_ids"][:, -1:].repeat_interleave(LABELS, dim=0)
    for _ in range(steps):
        named = [int(order[rng.choice(glosses, p=chances)]) for order in orders for _ in range(LABELS)]
        answers = [tree.answers[gloss] for gloss in named]
        width = max(map(len, answers))
        labels = torch.tensor([[*answer, *[-100] * (width - len(answer))] for answer in answers], device=model.device)
        said = torch.cat([asked, labels[:, :-1].clamp(min=0)], dim=1)
        mask = torch.cat([seen, torch.ones_like(said[:, 1:])], dim=1)
        logits = model(
            input_ids=said,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1)[:, -width:],
            past_key_values=cache,
        ).logits.float()
        cache.crop(-width)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / len(named)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learnt = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    model.requires_grad_(False)
    return learnt

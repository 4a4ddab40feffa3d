"""Exact ranking: every gloss's log-probability from ONE prefill of the prompt, the glossary's tree scored in slices.

The prompt's keys and values are computed once. The tree's nodes then run in slices, each node attending to the prompt
and to its own ancestors only, so that one forward pass serves many glosses and memory is bounded by the slice.
`signvlm.vlm.certified` finds the best few glosses for less.
"""

import numpy as np
import torch
from transformers import BatchFeature, PreTrainedModel

from signvlm.vlm.prefill import Prefill, token_log_probs
from signvlm.vlm.tree import TokenTree


@torch.inference_mode()
def rank(model: PreTrainedModel, inputs: BatchFeature, tree: TokenTree, chunk_size: int = 256) -> torch.Tensor:
    """Scores every gloss for every clip.

    Args:
        model: The image-text-to-text model itself (unwrapped from PEFT), attention `sdpa` or `eager`.
        inputs: input_ids and attention_mask (B, P), left-padded, and the clips' pixel_values, on the model's device.
        tree: The glossary's tree in this model's tokens.
        chunk_size: Nodes in one forward pass, not counting their ancestors.

    Returns:
        float32 (B, G): the sum of the log-probabilities of a gloss's tokens and its end token, given clip and prompt.
    """
    prompts = Prefill(model, inputs)
    nodes, device = len(tree.tokens), prompts.first.device
    edges = torch.from_numpy(tree.edges).to(device)
    scores = torch.empty((len(prompts), len(edges)), device=device)
    roots = int(np.searchsorted(tree.edges[:, 0], 0))
    scores[:, edges[:roots, 2]] = prompts.first[:, edges[:roots, 1]]
    for start in range(0, nodes, chunk_size):
        wanted = np.arange(start, min(start + chunk_size, nodes))
        above = np.array(tree.ancestry(start)[:-1], dtype=np.int64)
        present = np.concatenate([above, wanted])[None]
        hidden = prompts.run(tree.tokens[present], tree.depths[present], tree.sees(present, present))
        prompts.forget()
        places, rows = (torch.from_numpy(part).to(device) for part in tree.outgoing(wanted))
        clips = torch.arange(len(prompts), device=device)[:, None]
        scores[:, edges[places, 2]] = token_log_probs(
            model,
            hidden[:, len(above) :].flatten(0, 1),
            (clips * len(wanted) + rows).flatten(),
            edges[places, 1].repeat(len(prompts)),
        ).view(len(prompts), -1)

    # Parents are numbered before their children, and a level at a time needs no more steps than the longest gloss has.
    depths = torch.from_numpy(tree.depths).to(device)
    parents = torch.from_numpy(tree.parents).to(device)
    for depth in range(1, int(tree.depths.max()) + 1):
        level = (depths == depth).nonzero()[:, 0]
        scores[:, level] += scores[:, parents[level]]
    return scores[:, nodes:] + scores[:, torch.from_numpy(tree.ends).to(device)]

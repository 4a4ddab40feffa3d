"""Exact ranking: every gloss's log-probability from ONE prefill of the prompt, the glossary's tree scored in slices.

The prompt's keys and values are computed once. The tree's nodes then run in slices, each node attending to the prompt
and to its own ancestors only, so that one forward pass serves many glosses and memory is bounded by the slice.
"""

import numpy as np
import torch
from transformers import BatchFeature, DynamicCache, PreTrainedModel

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
    mask = inputs["attention_mask"].bool()
    lengths = mask.sum(dim=1)
    cache, first = prefill(model, inputs)
    batch, device = len(mask), mask.device

    # One column a node (its token after its parent), one a gloss (the end token after its last node), one of zeros.
    nodes, glosses = len(tree.tokens), len(tree.glossary)
    scores = torch.zeros((batch, nodes + glosses + 1), device=device)
    tokens = torch.from_numpy(tree.tokens).to(device)
    roots = torch.from_numpy(np.flatnonzero(tree.parents < 0)).to(device)
    scores[:, roots] = first[:, tokens[roots]]

    eos = tree.answers[0][-1]
    children = np.argsort(tree.parents, kind="stable")
    for start in range(0, nodes, chunk_size):
        wanted = np.arange(start, min(start + chunk_size, nodes))
        present = np.unique(np.concatenate([tree.ancestry(int(wanted[0])), wanted]))
        log_probs = _node_log_probs(model, cache, mask, lengths, tree, present)
        cache.crop(-len(present))
        place = np.searchsorted(present, wanted)
        # What follows a node of this slice: its children, wherever they lie, and the ends of glosses.
        parents = tree.parents[children]
        mine = children[np.searchsorted(parents, wanted[0]) : np.searchsorted(parents, wanted[-1], side="right")]
        rows = torch.from_numpy(place[tree.parents[mine] - start]).to(device)
        scores[:, torch.from_numpy(mine).to(device)] = log_probs[:, rows, tokens[mine]]
        ending = np.flatnonzero((tree.ends >= wanted[0]) & (tree.ends <= wanted[-1]))
        rows = torch.from_numpy(place[tree.ends[ending] - start]).to(device)
        scores[:, torch.from_numpy(nodes + ending).to(device)] = log_probs[:, rows, eos]

    longest = max(map(len, tree.paths))
    columns = np.full((glosses, longest + 1), nodes + glosses)
    for gloss, path in enumerate(tree.paths):
        columns[gloss, : len(path)] = path
    columns[:, longest] = nodes + np.arange(glosses)
    return scores[:, torch.from_numpy(columns).to(device)].sum(dim=-1)


@torch.inference_mode()
def prefill(model: PreTrainedModel, inputs: BatchFeature) -> tuple[DynamicCache, torch.Tensor]:
    """Runs the prompts once.

    Args:
        model: The image-text-to-text model itself.
        inputs: input_ids and attention_mask (B, P), left-padded, and pixel_values.

    Returns:
        The keys and values of all P positions, and the float32 (B, V) log-probabilities of the answer's first token.
    """
    cache = DynamicCache(config=model.config.get_text_config())
    output = model(
        **inputs,
        position_ids=(inputs["attention_mask"].long().cumsum(dim=1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return cache, output.logits[:, -1].float().log_softmax(dim=-1)


def _node_log_probs(
    model: PreTrainedModel,
    cache: DynamicCache,
    prompt_mask: torch.Tensor,
    prompt_lengths: torch.Tensor,
    tree: TokenTree,
    present: np.ndarray,
) -> torch.Tensor:
    """Runs a slice of the tree (with its ancestors) after the cached prompt; returns log-probabilities (B, n, V)."""
    device = prompt_mask.device
    batch, count = len(prompt_mask), len(present)
    place = {int(node): row for row, node in enumerate(present)}
    sees = np.eye(count, dtype=bool)
    for row, node in enumerate(present):
        parent = int(tree.parents[node])
        if parent >= 0:  # parents come first: their row is complete
            sees[row] |= sees[place[parent]]
    visible = torch.cat(
        [
            prompt_mask[:, None, None, :].expand(batch, 1, count, -1),
            torch.from_numpy(sees).to(device)[None, None].expand(batch, 1, -1, -1),
        ],
        dim=-1,
    )
    if model.config.get_text_config()._attn_implementation == "eager":  # eager adds its mask to the scores
        dtype = model.dtype
        visible = torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)
    hidden = model.model(
        input_ids=torch.from_numpy(tree.tokens[present]).to(device).expand(batch, -1),
        attention_mask=visible,
        position_ids=prompt_lengths[:, None] + torch.from_numpy(tree.depths[present]).to(device),
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    return model.lm_head(hidden).float().log_softmax(dim=-1)

"""The best few glosses of a glossary, proven to be the best, for little more than a prefill of the prompt.

A gloss is never likelier than its first tokens are. So the likeliest beginnings are run first, and once k whole glosses
score at least as high as every beginning that was not continued, no other gloss can be among the best k (best-first
branch and bound). Beginnings exclude one another, so their probabilities also bound what all others have together; who
needs the answers' shares of the glossary's probability has further beginnings run until the bounds are close enough.
"""

from typing import NamedTuple

import numpy as np
import torch
from transformers import BatchFeature, PreTrainedModel

from signvlm.recognizer import RULED_OUT, Answer, Ranking, log_sum
from signvlm.vlm.prefill import Prefill, token_log_probs
from signvlm.vlm.tree import TokenTree

FIRST_ROUND = 32  # nodes; each round may be twice the one before
WHOLE = 8  # a subtree of up to this part of a round is run with its root, before it is known whether it must be


class Certified(NamedTuple):
    """A clip's best glosses, and what finding them took.

    Attributes:
        ranking: The answers with their exact log-probabilities, and the bounds on all other glosses.
        nodes: Tokens run after the prompt, those run again included.
    """

    ranking: Ranking
    nodes: int


@torch.inference_mode()
def best(
    model: PreTrainedModel,
    inputs: BatchFeature,
    tree: TokenTree,
    top: int,
    chunk_size: int = 256,
    *,
    temperature: float = 1.0,
    tolerance: float | None = None,
) -> list[Certified]:
    """Finds every clip's best glosses.

    Args:
        model: The image-text-to-text model itself (unwrapped from PEFT), attention `sdpa` or `eager`.
        inputs: input_ids and attention_mask (B, P), left-padded, and the clips' pixel_values, on the model's device.
        tree: The glossary's tree in this model's tokens.
        top: How many, at least 1.
        chunk_size: Nodes of a clip run or held at once, not counting their ancestors: bounds the memory.
        temperature: What log-probabilities are divided by before they become shares of the whole glossary's.
        tolerance: How far apart an answer's least and greatest share may be; None asks for no shares.

    Returns:
        One result a clip. Scores that are not numbers, as a diverged model gives, are never ruled out.
    """
    prompts = Prefill(model, inputs)
    roots = tree.edges[: int(np.searchsorted(tree.edges[:, 0], 0))]
    firsts = prompts.first[:, torch.from_numpy(roots[:, 1])].cpu().numpy()
    searches = [_Search(tree, top, row, temperature, tolerance) for row in firsts]
    live = list(range(len(searches)))
    opened = [search.open() for search in searches]
    held = np.empty((len(live), 0), dtype=np.int64)
    size = min(FIRST_ROUND, chunk_size)
    while live:
        chosen = [searches[clip].choose(size, open_) for clip, open_ in zip(live, opened, strict=True)]
        if prompts.held + max(map(len, chosen)) > chunk_size:
            prompts.forget()
            held = held[:, :0]
        present = _padded([_with_ancestors(tree, new, old) for new, old in zip(chosen, held, strict=True)], tree)
        held = np.concatenate([held, present], axis=1)
        real = np.minimum(present, len(tree.tokens) - 1)
        hidden = prompts.run(tree.tokens[real], tree.depths[real], tree.sees(present, held))
        _score(model, hidden, present, chosen, [searches[clip] for clip in live])
        size = min(2 * size, chunk_size)
        opened = [searches[clip].open() for clip in live]
        going = [row for row, open_ in enumerate(opened) if open_.any()]
        opened = [opened[row] for row in going]
        if len(going) < len(live):
            live, held = [live[row] for row in going], held[going]
            if live:
                prompts.keep(going)
    return [Certified(search.ranking(), search.nodes) for search in searches]


class _Search:
    """What is known of one clip's tree: which nodes are reached, which have run, which glosses are scored."""

    def __init__(
        self, tree: TokenTree, top: int, first: np.ndarray, temperature: float, tolerance: float | None
    ) -> None:
        self.tree = tree
        self.top = top
        self.temperature = temperature
        self.tolerance = tolerance
        self.below = tree.below()
        self.nodes = 0
        self.ran = np.zeros(len(tree.tokens), dtype=bool)
        # One column a node (the log-probability of the answer's beginning), one a gloss; NaN also where none is known.
        self.known = np.zeros(len(tree.edges), dtype=bool)
        self.log_probs = np.full(len(tree.edges), np.nan)
        self.add(np.arange(len(first)), first)

    def add(self, places: np.ndarray, log_probs: np.ndarray) -> None:
        """Takes the log-probabilities of some of the tree's edges, those above them known or among them."""
        sources, _, targets = self.tree.edges[places].T
        depths = np.where(sources < 0, -1, self.tree.depths[sources])
        for depth in np.unique(depths):
            level = depths == depth
            above = self.log_probs[sources[level]] if depth >= 0 else 0.0
            self.log_probs[targets[level]] = above + log_probs[level]
        self.known[targets] = True
        self.ran[sources[sources >= 0]] = True

    def open(self) -> np.ndarray:
        """Returns bool (N,): the beginnings that may still lead to one of the best glosses, or to their shares."""
        beginnings, scores = np.split(self.log_probs, [len(self.ran)])
        scored = np.sort(-scores[self.known[len(self.ran) :]])
        waiting = self.known[: len(self.ran)] & ~self.ran
        if len(scored) < self.top:
            return waiting
        may_win = waiting & ~(beginnings <= -scored[self.top - 1])
        return may_win if may_win.any() or self._shares_known() else waiting

    def _shares_known(self) -> bool:
        if self.tolerance is None:
            return True
        return all(most - least <= self.tolerance for least, most in self.ranking().shares())

    def choose(self, size: int, opened: np.ndarray) -> np.ndarray:
        """Returns up to `size` nodes to run next, ascending: the likeliest of what is open, and small trees below."""
        beginnings = np.flatnonzero(opened)
        chosen: list[np.ndarray] = []
        room = size
        for node in beginnings[np.argsort(-self.log_probs[beginnings], kind="stable")]:
            whole = self.tree.stops[node] - node
            taken = np.arange(node, self.tree.stops[node] if whole <= min(room, size // WHOLE) else node + 1)
            chosen.append(taken)
            room -= len(taken)
            if room == 0:
                break
        return np.sort(np.concatenate(chosen))

    def ranking(self) -> Ranking:
        """Returns the best glosses, and the bounds on the others."""
        glosses = np.flatnonzero(self.known[len(self.ran) :])
        scores = self.log_probs[len(self.ran) + glosses]
        order = np.argsort(-scores, kind="stable")
        answers = tuple(Answer(self.tree.glossary[glosses[i]], float(scores[i])) for i in order[: self.top])
        others = scores[order[self.top :]]
        waiting = self.known[: len(self.ran)] & ~self.ran
        beginnings = self.log_probs[: len(self.ran)][waiting]
        scored = np.maximum(others, RULED_OUT) / self.temperature
        # A beginning's probability is at most shared out among its glosses, and roots of it sum to most if evenly: n
        # times the T-th root of p / n. At T below 1 they sum to most if one gloss has it all.
        spread = np.log(self.below[waiting]) * max(0.0, 1 - 1 / self.temperature)
        most = np.maximum(beginnings, RULED_OUT) / self.temperature + spread
        return Ranking(
            answers=answers,
            bound=max((float(part.max()) for part in (others, beginnings) if len(part)), default=-np.inf),
            rest=(log_sum(scored), log_sum(np.concatenate([scored, most]))),
            temperature=self.temperature,
        )


def _with_ancestors(tree: TokenTree, nodes: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Adds the ancestors that are not held, which the cache had to drop."""
    present = set(nodes.tolist())
    there = set(held.tolist())
    for node in nodes:
        above = int(tree.parents[node])
        while above >= 0 and above not in there and above not in present:
            present.add(above)
            above = int(tree.parents[above])
    return np.array(sorted(present), dtype=np.int64)


def _padded(rows: list[np.ndarray], tree: TokenTree) -> np.ndarray:
    """Stacks node numbers, N (no node) behind the shorter rows."""
    stacked = np.full((len(rows), max(map(len, rows))), len(tree.tokens))
    for row, nodes in zip(stacked, rows, strict=True):
        row[: len(nodes)] = nodes
    return stacked


def _score(
    model: PreTrainedModel,
    hidden: torch.Tensor,
    present: np.ndarray,
    chosen: list[np.ndarray],
    searches: list[_Search],
) -> None:
    """Scores what leaves the chosen nodes, and hands it to the clips' searches."""
    tree, device = searches[0].tree, hidden.device
    count = present.shape[1]
    positions: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for clip, (nodes, line) in enumerate(zip(chosen, present, strict=True)):
        leaving, sources = tree.outgoing(nodes)
        rows.append(sources + sum(map(len, positions)))
        positions.append(clip * count + np.searchsorted(line, nodes))
        places.append(leaving)
    log_probs = token_log_probs(
        model,
        hidden.flatten(0, 1)[torch.from_numpy(np.concatenate(positions)).to(device)],
        torch.from_numpy(np.concatenate(rows)).to(device),
        torch.from_numpy(tree.edges[np.concatenate(places), 1]).to(device),
    )
    parts = np.split(log_probs.cpu().numpy(), np.cumsum([len(part) for part in places])[:-1])
    for search, leaving, line, part in zip(searches, places, present, parts, strict=True):
        search.add(leaving, part)
        search.nodes += int((line < len(tree.tokens)).sum())

"""The glossary as a tree of tokens: what exact ranking scores and constrained beams may say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerBase

from data_engineering.errors import ConfigError
from signvlm.vlm.prompt import encode_answer


@dataclass(frozen=True)
class TokenTree:
    """The glosses' token sequences, shared prefixes merged; nodes are numbered depth first, parents before children.

    Attributes:
        glossary: The glosses, G of them.
        answers: Each gloss's token ids, the end token last.
        tokens: int64 (N,): each node's token. End tokens are no nodes: nothing follows them.
        parents: int64 (N,): each node's parent, -1 below the prompt.
        depths: int64 (N,): 0 below the prompt.
        stops: int64 (N,): the number after a node's subtree, which is the numbers from the node to there.
        ends: int64 (G,): the node after which a gloss ends.
        paths: each gloss's nodes from the first token to the last.
        edges: int64 (N + G, 3), by source: what is scored. A source (a node, -1 for the prompt), the token that follows
            it, and what is then reached: a node, or N + g where gloss g ends.
    """

    glossary: tuple[str, ...]
    answers: tuple[tuple[int, ...], ...]
    tokens: np.ndarray
    parents: np.ndarray
    depths: np.ndarray
    stops: np.ndarray
    ends: np.ndarray
    paths: tuple[tuple[int, ...], ...]
    edges: np.ndarray

    @classmethod
    def build(cls, glossary: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> "TokenTree":
        """Builds the tree of a glossary.

        Raises:
            ConfigError: Two glosses have the same tokens, so that no model could tell them apart.
        """
        answers = tuple(tuple(encode_answer(tokenizer, gloss)) for gloss in glossary)
        seen: dict[tuple[int, ...], str] = {}
        for gloss, answer in zip(glossary, answers, strict=True):
            if answer in seen:
                raise ConfigError(f"glosses {seen[answer]!r} and {gloss!r}: the same tokens in this model's tokenizer")
            seen[answer] = gloss
        # In sorted order the nodes come out depth first: a slice of them needs few ancestors from outside.
        nodes: dict[tuple[int, ...], int] = {}
        stops: dict[int, int] = {}
        for answer in sorted(answers):
            for length in range(1, len(answer)):
                nodes.setdefault(answer[:length], len(nodes))
            stops |= {nodes[answer[:length]]: len(nodes) for length in range(1, len(answer))}
        paths = tuple(tuple(nodes[a[:length]] for length in range(1, len(a))) for a in answers)
        tokens = np.array([prefix[-1] for prefix in nodes], dtype=np.int64)
        parents = np.array([nodes.get(prefix[:-1], -1) for prefix in nodes], dtype=np.int64)
        ends = np.array([path[-1] for path in paths], dtype=np.int64)
        sources = np.concatenate([parents, ends])
        following = np.concatenate([tokens, [answer[-1] for answer in answers]])
        edges = np.stack([sources, following, np.arange(len(sources))], axis=1)
        return cls(
            glossary=tuple(glossary),
            answers=answers,
            tokens=tokens,
            parents=parents,
            depths=np.array([len(prefix) - 1 for prefix in nodes], dtype=np.int64),
            stops=np.array([stops[node] for node in range(len(nodes))], dtype=np.int64),
            ends=ends,
            paths=paths,
            edges=edges[np.argsort(sources, kind="stable")],
        )

    def ancestry(self, node: int) -> list[int]:
        """Returns a node's ancestors from the first token down, and the node itself."""
        line = []
        while node >= 0:
            line.append(node)
            node = int(self.parents[node])
        return line[::-1]

    def sees(self, nodes: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Returns bool (..., n, m): whether each of `others` (..., m) is one of `nodes` (..., n) or an ancestor of it.

        N stands for no node: it neither sees nor is seen.
        """
        stops = np.append(self.stops, 0)
        below, above = nodes[..., :, None], others[..., None, :]
        return (above <= below) & (below < stops[above])

    def outgoing(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the places in `edges` of what leaves each of some nodes, and each one's place in `nodes`."""
        sources = self.edges[:, 0]
        starts = np.searchsorted(sources, nodes)
        counts = np.searchsorted(sources, nodes, side="right") - starts
        rows = np.repeat(np.arange(len(nodes)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return starts[rows] + within, rows

    def below(self) -> np.ndarray:
        """Returns int64 (N,): how many glosses begin with what each node ends."""
        ended = np.append(0, np.cumsum(np.bincount(self.ends, minlength=len(self.tokens))))
        return ended[self.stops] - ended[:-1]

    def following(self) -> dict[tuple[int, ...], list[int]]:
        """Returns {tokens said so far: tokens that may follow}, end tokens included."""
        allowed: dict[tuple[int, ...], set[int]] = {}
        for answer in self.answers:
            for length, token in enumerate(answer):
                allowed.setdefault(answer[:length], set()).add(token)
        return {said: sorted(tokens) for said, tokens in allowed.items()}

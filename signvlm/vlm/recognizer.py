"""The vision-language recogniser behind the seam: a model, its processor, a prompt and a glossary."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from transformers import PreTrainedModel, ProcessorMixin

from signvlm.hardware import Hardware
from signvlm.recognizer import Answer, Ranking
from signvlm.sampling import choose_frames
from signvlm.vlm.beam import beam_search
from signvlm.vlm.certified import best
from signvlm.vlm.model import autocast, torch_device
from signvlm.vlm.prompt import Encode, encode_prompts
from signvlm.vlm.ranking import rank
from signvlm.vlm.tree import TokenTree


class VLMRecognizer:
    """Answers clips by beam search or by exact ranking of the glossary.

    Attributes:
        modes: `beam`, `beam_constrained`, `exact`.
    """

    modes: tuple[str, ...] = ("beam", "beam_constrained", "exact")

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        *,
        prompt: str,
        glossary: tuple[str, ...],
        num_frames: int,
        hardware: Hardware,
        generation: dict[str, Any] | None = None,
        chunk_size: int = 256,
        encode: Encode | None = None,
    ) -> None:
        """Takes a loaded model.

        Args:
            model: The image-text-to-text model itself (unwrapped from PEFT), on its device.
            processor: Its processor.
            prompt: The question put with every clip.
            glossary: The glosses that can be recognised.
            num_frames: Frames shown of each clip; where a clip holds more, they are chosen evenly.
            hardware: What the model runs on.
            generation: GenerationConfig keys for the beams.
            chunk_size: Glossary tokens scored in one forward pass.
            encode: Makes batches of clips that come as something else than frames; None for frames.

        Raises:
            ConfigError: Two glosses have the same tokens.
        """
        self.model = model
        self.processor = processor
        self.prompt = prompt
        self.num_frames = num_frames
        self.hardware = hardware
        self.generation = generation or {}
        self.chunk_size = chunk_size
        self.encode = encode or partial(encode_prompts, processor, prompt)
        self.tree = TokenTree.build(glossary, processor.tokenizer)

    @property
    def glossary(self) -> tuple[str, ...]:
        """The glosses that can be recognised."""
        return self.tree.glossary

    def answer(self, clips: Sequence[np.ndarray], mode: str) -> list[list[Answer]]:
        """Answers a batch of uint8 (T, H, W, 3) RGB clips of equal T; see `Recognizer`."""
        if mode == "exact":
            scores = self.log_probs(clips)
            return [list(Ranking.of(self.glossary, row, len(self.glossary)).answers) for row in scores]
        with autocast(self.hardware):
            return beam_search(
                self.model,
                self.processor.tokenizer,
                self._inputs(clips),
                self.tree,
                self.generation,
                constrained=mode == "beam_constrained",
            )

    def rank(
        self, clips: Sequence[np.ndarray], top: int, *, temperature: float = 1.0, tolerance: float | None = None
    ) -> list[Ranking]:
        """Finds each clip's `top` best glosses, running only what can still be among them; see `Recognizer`."""
        if top >= len(self.glossary):
            return [Ranking.of(self.glossary, scores, top, temperature) for scores in self.log_probs(clips)]
        with autocast(self.hardware):
            found = best(
                self.model,
                self._inputs(clips),
                self.tree,
                top,
                self.chunk_size,
                temperature=temperature,
                tolerance=tolerance,
            )
        return [certified.ranking for certified in found]

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Scores every gloss for every clip: float32 (B, G); see `Recognizer`."""
        with autocast(self.hardware):
            return rank(self.model, self._inputs(clips), self.tree, self.chunk_size).cpu().numpy()

    def _inputs(self, clips: Sequence[np.ndarray]) -> Any:
        shown = [clip[choose_frames(len(clip), self.num_frames, jitter=False)] for clip in clips]
        return self.encode(shown).to(torch_device(self.hardware))

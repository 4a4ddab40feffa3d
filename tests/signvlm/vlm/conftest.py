"""A tiny InternVL with random weights, and clips for it to look at."""

import numpy as np
import pytest
import torch
from glosses import GLOSSARY, PROMPT

import signvlm.vlm.train
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.tiny import make_model, make_processor
from signvlm.vlm.tree import TokenTree


@pytest.fixture(scope="session")
def processor():
    return make_processor(["Which sign is this? Answer with its gloss."] * 20 + ["book", "thank you"] * 20)


@pytest.fixture(scope="session")
def model(processor):
    """Weights drawn wide enough that no two glosses score alike."""
    made = make_model(processor, seed=1).eval()
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return made


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8) for _ in range(3)]


@pytest.fixture
def inputs(processor, clips):
    return encode_prompts(processor, PROMPT, clips)


@pytest.fixture
def tree(processor):
    return TokenTree.build(GLOSSARY, processor.tokenizer)


@pytest.fixture
def trained_models(monkeypatch):
    """Keeps the model in memory of every training, as it was when its bundle was saved."""
    models = []
    save = signvlm.vlm.train.save_bundle

    def keep(folder, model, *rest):
        models.append(model)
        save(folder, model, *rest)

    monkeypatch.setattr(signvlm.vlm.train, "save_bundle", keep)
    return models

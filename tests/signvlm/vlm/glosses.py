"""A small, awkward glossary, and what ranking must agree with."""

import torch

from signvlm.vlm.prompt import encode_answer

PROMPT = "Which sign is this? Answer with its gloss."
# Glosses that are prefixes of others, with spaces, hyphens, an apostrophe, and outside ASCII.
GLOSSARY = ("book", "books", "no", "not", "don't want", "a", "ab", "abc", "thank you", "THANK-YOU", "größe", "手話")


@torch.no_grad()
def brute_force(model, tokenizer, inputs, glossary=GLOSSARY):
    """Every gloss appended to the whole prompt and scored by a forward pass of its own."""
    prompt_length = inputs["input_ids"].shape[1]
    scores = []
    for gloss in glossary:
        answer = torch.tensor(encode_answer(tokenizer, gloss)).expand(len(inputs["input_ids"]), -1)
        logits = model(
            input_ids=torch.cat([inputs["input_ids"], answer], dim=1),
            attention_mask=torch.cat([inputs["attention_mask"], torch.ones_like(answer)], dim=1),
            pixel_values=inputs["pixel_values"],
        ).logits[:, prompt_length - 1 : -1]
        scores.append(logits.log_softmax(-1).gather(-1, answer[..., None]).sum((1, 2)))
    return torch.stack(scores, dim=1)

"""What naming a sign costs, in units of the prompt's prefill: the certified best five, every gloss's score, beams.

    python benchmarks/ranking.py [--shape tiny|mid|2b] [--glosses 320] [--index WLASL_v0.3.json]

prefill         the prompt run once, and the distribution of the answer's first token
certified_top5  the five best glosses, proven: signvlm.vlm.certified
predicted_top5  the same, and their probabilities at a temperature of 1.5 to within 0.001: what `signvlm predict` runs
exact           every gloss's log-probability: signvlm.vlm.ranking
naive           the same scores: each gloss run by itself on a copy of the prompt's cache
naive_batched   the same, 16 glosses of like length in a batch, a copy of the cache each
generate_beam5  transformers' generate, 5 beams
our_beam5       the same beams on a prompt that was run once: signvlm.vlm.beam

A clip at a time, without reading and processing it, on a model with random weights (benchmarks/shapes.py) that is
briefly trained to name these clips (benchmarks/teach.py); `--steps 0` measures a model to which all answers are about
equally likely. The methods take turns, and each clip counts with its fastest run, because the machine may be shared;
the naive ways take a minute and run once, on the first clip. On a CPU with one thread (OMP_NUM_THREADS=1) seconds are
those that the process computed. Memory: the largest resident set of a process that does nothing else, or what was
allocated on a GPU. Where there is a GPU the model runs on it, in bfloat16. Prints a table and, as the last line, one
JSON object with the same figures.
"""

import argparse
import copy
import gzip
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from safetensors.torch import load_file, save_file
from shapes import PROMPT, SHAPES, build_model, build_processor, make_clips, make_glossary
from teach import teach

from signvlm.predict import TOLERANCE
from signvlm.vlm.beam import DEFAULTS, FREE_TOKENS, beam_search
from signvlm.vlm.certified import Certified, best
from signvlm.vlm.prefill import Prefill
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.ranking import rank
from signvlm.vlm.tree import TokenTree

METHODS = (
    "prefill",
    "certified_top5",
    "predicted_top5",
    "exact",
    "naive",
    "naive_batched",
    "generate_beam5",
    "our_beam5",
)
TEMPERATURE = 1.5  # a model that is too sure of itself is flattened, and the other glosses count for more
TOGETHER = 16  # glosses in a batch of `naive_batched`
CUDA = torch.cuda.is_available()
DEVICE, DTYPE = ("cuda", torch.bfloat16) if CUDA else ("cpu", torch.float32)


def run(method: str, model: Any, processor: Any, tree: TokenTree, inputs: Any) -> Any:
    """Answers one prompt by one of `METHODS`."""
    match method:
        case "prefill":
            with torch.inference_mode():
                return Prefill(model, inputs).first
        case "certified_top5":
            return best(model, inputs, tree, 5)[0]
        case "predicted_top5":
            return best(model, inputs, tree, 5, temperature=TEMPERATURE, tolerance=TOLERANCE)[0]
        case "exact":
            return rank(model, inputs, tree)[0]
        case "naive":
            return naive(model, inputs, tree, 1)
        case "naive_batched":
            return naive(model, inputs, tree, TOGETHER)
        case "generate_beam5":
            return generate(model, inputs, tree)
        case _:
            return beam_search(model, processor.tokenizer, inputs, tree, {}, constrained=False)


@torch.inference_mode()
def naive(model: torch.nn.Module, inputs: Any, tree: TokenTree, together: int) -> torch.Tensor:
    """Scores every gloss the plain way: each on a copy of the prompt's cache, so many together. Returns (G,)."""
    prompt = Prefill(model, inputs)
    scores = torch.empty(len(tree.answers), device=model.device)
    by_length = sorted(range(len(tree.answers)), key=lambda gloss: len(tree.answers[gloss]))
    for start in range(0, len(by_length), together):
        glosses = by_length[start : start + together]
        answers = [tree.answers[gloss] for gloss in glosses]
        width = max(map(len, answers)) - 1
        said = torch.tensor([[*answer[:-1], *[0] * (width - len(answer) + 1)] for answer in answers]).to(model.device)
        cache = copy.deepcopy(prompt.cache)
        cache.batch_repeat_interleave(len(answers))
        mask = torch.cat([inputs["attention_mask"].expand(len(answers), -1), torch.ones_like(said)], dim=1)
        logits = model(
            input_ids=said,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1)[:, -width:],
            past_key_values=cache,
        ).logits
        log_probs = torch.cat([prompt.first.expand(len(answers), 1, -1), logits.float().log_softmax(-1)], dim=1)
        for row, (gloss, answer) in enumerate(zip(glosses, answers, strict=True)):
            scores[gloss] = log_probs[row, range(len(answer)), list(answer)].sum()
    return scores


@torch.inference_mode()
def generate(model: Any, inputs: Any, tree: TokenTree) -> Any:
    """Beam search by transformers itself, with the settings of ours."""
    return model.generate(
        **inputs,
        **DEFAULTS,
        max_new_tokens=max(FREE_TOKENS, *map(len, tree.answers)),
        eos_token_id=tree.answers[0][-1],
        pad_token_id=model.generation_config.pad_token_id,
        return_dict_in_generate=True,
        output_scores=True,
    )


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Returns what a call took and what it gave.

    With one thread on a CPU, the seconds are those the process computed, so that other people's work does not count.
    """
    clock = time.process_time if not CUDA and torch.get_num_threads() == 1 else time.perf_counter
    if CUDA:
        torch.cuda.synchronize()
    started = clock()
    given = call()
    if CUDA:
        torch.cuda.synchronize()
    return clock() - started, given


def peak_memory(
    method: str, shape: str, processor: Any, tree: TokenTree, prompts: Sequence[Any], weights: Path | None
) -> int:
    """Returns bytes: the most that a process holds that only builds the model and answers the prompts by one method."""
    model = trained_model(shape, processor, weights)
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    process, done = psutil.Process(), threading.Event()
    peaks = [process.memory_info().rss]

    def watch() -> None:
        while not done.wait(0.002):
            peaks.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for inputs in prompts:
        run(method, model, processor, tree, inputs.to(DEVICE))
    done.set()
    watcher.join()
    return torch.cuda.max_memory_allocated() if CUDA else max(peaks)


def trained_model(shape: str, processor: Any, weights: Path | None) -> Any:
    """Builds the model, and gives it the weights that `teach` changed."""
    model = build_model(SHAPES[shape], processor, DTYPE, DEVICE)
    if weights is not None:
        model.load_state_dict(load_file(weights, device=DEVICE), strict=False)
    return model


def glosses_of(index: Path | None, count: int) -> list[str]:
    """The first glosses of a WLASL index (.json or .json.gz), else words."""
    if index is None:
        return make_glossary(count)
    text = gzip.decompress(index.read_bytes()) if index.suffix == ".gz" else index.read_bytes()
    return [entry["gloss"] for entry in json.loads(text)][:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="mid")
    parser.add_argument("--glosses", type=int, default=320)
    parser.add_argument("--index", type=Path, help="take the glosses of this WLASL index")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100, help="of training; 0 leaves the weights random")
    arguments = parser.parse_args()

    processor = build_processor(SHAPES[arguments.shape])
    model = build_model(SHAPES[arguments.shape], processor, DTYPE, DEVICE)
    tree = TokenTree.build(glosses_of(arguments.index, arguments.glosses), processor.tokenizer)
    clips = make_clips(SHAPES[arguments.shape], arguments.clips)
    with tempfile.TemporaryDirectory() as folder:
        weights = None
        if arguments.steps:
            weights = Path(folder) / "taught.safetensors"
            learnt = teach(model, encode_prompts(processor, PROMPT, clips).to(DEVICE, DTYPE), tree, arguments.steps)
            save_file(learnt, weights)
        prompts = [encode_prompts(processor, PROMPT, [clip]).to(DEVICE, DTYPE) for clip in clips]
        seconds, given = measure(model, processor, tree, prompts, arguments.repeats)
        del model
        memory = {}
        one = [inputs.to("cpu") for inputs in prompts[:1]]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
            for name in METHODS:
                job = pool.submit(peak_memory, name, arguments.shape, processor, tree, one, weights)
                memory[name] = job.result()
    figures = summarise(seconds, given, memory, tree)
    figures["setting"] = {
        "shape": arguments.shape,
        "glosses": len(tree.glossary),
        "prompt_tokens": prompts[0]["input_ids"].shape[1],
        "device": torch.cuda.get_device_name() if CUDA else "cpu",
        "dtype": str(DTYPE).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "steps": arguments.steps,
    }
    print(" ".join(f"{key}={value}" for key, value in {**figures["setting"], **figures["distribution"]}.items()))
    print(f"{'method':>15}  {'s a clip':>9}  {'prefills':>8}  {'peak MB':>8}")
    for name in METHODS:
        taken, peak = figures[name]["seconds_per_clip"], figures[name]["peak_memory_bytes"]
        print(f"{name:>15}  {taken:>9.4f}  {figures['prefills'][name]:>8.2f}  {peak / 1e6:>8.0f}")
    for name in ("certified", "predicted"):
        print(f"nodes that {name}_top5 ran: {figures['nodes'][name]} of {figures['nodes']['tree']}")
    print(json.dumps(figures))


def measure(
    model: Any, processor: Any, tree: TokenTree, prompts: Sequence[Any], repeats: int
) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Lets the methods take turns; returns each one's fastest seconds and its answer, a clip."""
    seconds: dict[str, list[float]] = {name: [float("inf")] * len(prompts) for name in METHODS}
    given: dict[str, list[Any]] = {name: [None] * len(prompts) for name in METHODS}
    run("prefill", model, processor, tree, prompts[0])  # the first call of all is slower
    for repeat in range(repeats):
        for clip, inputs in enumerate(prompts):
            for name in METHODS:
                if name.startswith("naive") and (repeat or clip):  # minutes, and far from the others: once is enough
                    continue
                taken, given[name][clip] = timed(
                    lambda name=name, inputs=inputs: run(name, model, processor, tree, inputs)
                )
                seconds[name][clip] = min(seconds[name][clip], taken)
    return seconds, given


def summarise(
    seconds: dict[str, list[float]], given: dict[str, list[Any]], memory: dict[str, int], tree: TokenTree
) -> dict[str, Any]:
    """Returns the figures, and how far the methods' answers lie apart."""
    scores = torch.stack(given["exact"]).double().cpu()
    shares = scores.softmax(dim=1)
    found: list[Certified] = given["certified_top5"]
    cost = {name: float(np.mean([each for each in taken if np.isfinite(each)])) for name, taken in seconds.items()}
    return {
        **{name: {"seconds_per_clip": round(cost[name], 5), "peak_memory_bytes": memory[name]} for name in METHODS},
        "prefills": {name: round(taken / cost["prefill"], 3) for name, taken in cost.items()},
        "certified_over_generate": round(cost["generate_beam5"] / cost["certified_top5"], 2),
        "exact_over_naive": round(cost["naive"] / cost["exact"], 2),
        "exact_over_naive_batched": round(cost["naive_batched"] / cost["exact"], 2),
        "beams_over_generate": round(cost["generate_beam5"] / cost["our_beam5"], 2),
        "nodes": {
            "tree": len(tree.tokens),
            "certified": [result.nodes for result in found],
            "predicted": [result.nodes for result in given["predicted_top5"]],
        },
        "largest_difference": {
            "exact_naive": float((scores[0] - given["naive"][0].cpu()).abs().max()),
            "certified_exact": max(
                abs(answer.log_prob - float(score))
                for result, row in zip(found, scores, strict=True)
                for answer, score in zip(result.ranking.answers, row.sort(descending=True).values, strict=False)
            ),
        },
        "distribution": {
            "in_glossary": round(float(scores.exp().sum(dim=1).mean()), 3),
            "top1_share": round(float(shares.max(dim=1).values.mean()), 3),
            "top5_share": round(float(shares.topk(5).values.sum(dim=1).mean()), 3),
            "effective_glosses": round(float((-(shares * shares.log()).nansum(dim=1)).exp().mean()), 1),
        },
    }


if __name__ == "__main__":
    main()

"""The demo's accuracy on signers it never saw, for several seeds, next to its controls.

    python benchmarks/demo.py --out DIR [--seeds 0 1 2] [--controls 1]

Each seed draws other signers, clips, broken files and training. The controls answer on the same test clips:

    zero-shot     the base as it is, never fine-tuned
    random base   the same LoRA training on a base of the same shape with random weights
    all weights   every weight of such a random model trained on the same clips, as often, as long
    chance        one gloss in as many as there are

They are run for the first `--controls` seeds. Prints a table and, as the last line, one JSON object with the same
figures. A minimal pair's accuracy is a choice between its two signs, by score.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import AutoModelForImageTextToText, AutoProcessor, get_cosine_schedule_with_warmup

from signvlm.config import Config, load, shipped
from signvlm.corpus import Corpus, load_corpus
from signvlm.demo import demo
from signvlm.eval import evaluate_checkpoint
from signvlm.train import train
from signvlm.vlm.arguments import choose_hardware
from signvlm.vlm.collator import VideoCollator
from signvlm.vlm.examples import as_examples
from signvlm.vlm.loss import answer_logits, answer_loss
from signvlm.vlm.pretrain_clips import corpus as tokenizer_corpus
from signvlm.vlm.recognizer import VLMRecognizer
from signvlm.vlm.tiny import save_tiny

LEARNING_RATE = 1e-3  # of all weights from random: what the base itself was pre-trained with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--controls", type=int, default=1, help="of the first so many seeds")
    arguments = parser.parse_args()
    rows = []
    for place, seed in enumerate(arguments.seeds):
        out = arguments.out / str(seed)
        started = time.perf_counter()
        demo(out, seed=seed)
        row = {"seed": seed, "seconds": round(time.perf_counter() - started, 1), **learned(out)}
        if place < arguments.controls:
            row |= controls(out, seed)
        rows.append(row)
    show(rows)
    print(json.dumps({"demo": rows}))


def learned(out: Path) -> dict[str, object]:
    """The demo's own figures."""
    exact = json.loads((out / "runs" / "demo" / "evaluation_results.json").read_text())["summary"]["exact"]
    pairs = exact["minimal_pairs"]
    return {
        "top1": exact["top1"],
        "interval": exact["intervals"]["top1"][:2],
        "minimal_pairs": pairs["accuracy"],
        "chance": exact["chance"]["top1"],
    }


def controls(out: Path, seed: int) -> dict[str, float]:
    """Top-1 of the untaught on the demo's test clips, an unreadable one counting as wrong."""
    config = load("params/demo.yaml", [f"data.root={out}", f"data.index={out / 'index.json'}", f"training.seed={seed}"])
    corpus = load_corpus(config)
    random_base = save_tiny(out / "random_base", tokenizer_corpus(seed), seed)
    retrained = load(
        "params/demo.yaml",
        [
            f"data.root={out}",
            f"data.index={out / 'index.json'}",
            f"model.base={random_base}",
            f"training.seed={seed}",
            f"training.output_dir={out / 'runs' / 'random_base'}",
            "selection.patience=null",
            "evaluation.modes=[exact]",
            "evaluation.occlusion=0",
        ],
    )
    lora = evaluate_checkpoint(retrained, train(retrained).bundle).summary["exact"]["top1"]
    return {
        "zero_shot_top1": ranked(shipped(config.model.base), None, config, corpus),
        "random_base_top1": lora,
        "all_weights_top1": ranked(random_base, int(config.training["num_train_epochs"]), config, corpus),
    }


def ranked(base: Path, epochs: int | None, config: Config, corpus: Corpus) -> float:
    """Exact top-1 of a base; with `epochs`, after training all of its weights on the training clips."""
    model = AutoModelForImageTextToText.from_pretrained(base)
    processor = AutoProcessor.from_pretrained(base)
    if epochs is not None:
        train_all_weights(model, processor, epochs, config, corpus)
    recognizer = VLMRecognizer(
        model.eval(),
        processor,
        prompt=config.model.prompt,
        glossary=corpus.glossary,
        num_frames=config.preprocess.num_frames,
        hardware=choose_hardware(config),
        generation={},
        chunk_size=config.evaluation.chunk_size,
    )
    right = 0
    for batch in DataLoader(as_examples(corpus.rows["test"], config.preprocess), 16, collate_fn=list):
        best = recognizer.log_probs([clip["frames"] for clip in batch]).argmax(axis=1)
        right += sum(corpus.glossary[int(i)] == clip["gloss"] for i, clip in zip(best, batch, strict=True))
    return right / (len(corpus.rows["test"]) + sum(row["split"] == "test" for row in corpus.unreadable))


def train_all_weights(model: torch.nn.Module, processor: object, epochs: int, config: Config, corpus: Corpus) -> None:
    examples = as_examples(corpus.rows["train"], config.preprocess, config.augmentation)
    collate = VideoCollator(processor, config.model.prompt)
    batches = DataLoader(
        examples, int(config.training["per_device_train_batch_size"]), shuffle=True, collate_fn=collate, drop_last=True
    )
    steps = epochs * len(batches)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = get_cosine_schedule_with_warmup(optimizer, steps // 20, steps)
    model.train()
    with tqdm(total=steps, desc="all weights") as bar:
        for _ in range(epochs):
            for batch in batches:
                labels = batch.pop("labels")
                loss = answer_loss(answer_logits(model, batch, labels), labels)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                bar.update()
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


def show(rows: list[dict[str, object]]) -> None:
    heads = ("seed", "top-1", "95 %", "pairs", "zero-shot", "random base", "all weights", "chance", "seconds")
    print("  ".join(f"{head:>15}" if head == "95 %" else f"{head:>11}" for head in heads))
    for row in rows:
        low, high = row["interval"]
        shown = [f"{row[key]:.1%}" if key in row else "-" for key in CONTROLS]
        cells = (str(row["seed"]), f"{row['top1']:.1%}", f"{low:.1%} - {high:.1%}", f"{row['minimal_pairs']:.1%}")
        texts = (*cells, *shown, f"{row['chance']:.1%}", f"{row['seconds']}")
        print(
            "  ".join(
                f"{text:>15}" if head == "95 %" else f"{text:>11}" for head, text in zip(heads, texts, strict=True)
            )
        )


CONTROLS = ("zero_shot_top1", "random_base_top1", "all_weights_top1")


if __name__ == "__main__":
    main()

import base64
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from signvlm.calibration import Calibration
from signvlm.evaluation import charts, digest
from signvlm.evaluation.pictures import Filmstrips, data_uri, spread
from signvlm.evaluation.report import flatten, leaks, protocol, render, verdict
from signvlm.evaluation.synonyms import Synonyms

EVIL = "<script>alert(1)</script>"
LEAKAGE = {
    "clips": {"train": 120, "validation": 20, "test": 61},
    "glosses_without": {"train": [], "validation": ["red", "blue"], "test": ["orange"]},
    "signers_shared": {"train-test": 0},
    "test_by_train_signers": 0,
    "same_file": {"groups": 3, "across": 1, "test_in_train": 2},
}
NOTE = "These are an avatar's ASL-like signs, not ASL."


HISTORY = [
    {"step": 1, "loss": 3.0},
    {"step": 2, "loss": float("nan")},
    {"step": 3, "loss": 1.5},
    *({"step": step, "eval_loss": 2.0 / step, "eval_top1": 0.2 * step} for step in (1, 2, 3)),
]
SIGNS = {"red": {"hand": "1", "place": "a"}, "green": {"hand": "1", "place": "b"}}


@pytest.fixture(scope="module")
def results(evaluated, tmp_path_factory):
    return evaluated(
        tmp_path_factory.mktemp("out"),
        modes=("beam", "exact"),
        context={"note": NOTE, "command": "signvlm eval --config my.yaml", "leakage": LEAKAGE},
        history=HISTORY,
        phonology={"file": "signs.yaml", "signs": SIGNS, "pairs": [["red", "green", "place"]]},
        calibrate=lambda clips: Calibration(1.5, "95 validation clips"),
        synonyms=Synonyms((("red", "orange"),), "a test"),
        protocol="wlasl-official",
    )


class Page(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_no_network_and_runs_no_script(results):
    page = Page(results.report.read_text())
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    addresses = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")]
    assert addresses
    assert all(address.startswith("data:image/webp;base64,") for address in addresses)
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_the_page_shows_what_a_reviewer_asks_for(results):
    text = " ".join(Page(results.report.read_text()).text.split())
    figures = results.summary["exact"]
    for wanted in (
        NOTE,
        f"{100 * figures['top1']:.1f} %",
        f"[{100 * figures['intervals']['top1'][0]:.1f}, {100 * figures['intervals']['top1'][1]:.1f}]",
        "{:.3f} [{:.3f}, {:.3f}]".format(figures["mrr"], *figures["intervals"]["mrr"]),
        "Coverage 93.8 %",
        "None of the 61 test clips is by a person who signs in train.",
        "2 test clips are the same file as a training clip.",
        "signers shared: train-test",
        "90001",
        "moov_missing: moov atom not found",
        "91002",
        "signvlm eval --config my.yaml",
        "bootstrap, 100 resamples of whole signers (3)",
        "chance",
        "Which frames mattered",
        "at temperature 1.50, fitted on 95 validation clips",
        "Top-1 on validation",
        "As the WLASL authors compute it",
        "with synonyms right",
        "red / green",
        "Signers: least",
    ):
        assert wanted in text


def test_everything_foreign_is_escaped(results, dataset):
    evil = f"{EVIL}'\"&"
    data = results.data
    summary = {
        mode: {
            **figures,
            "parameters": {evil: {"clips": 1, "accuracy": 1.0, "values": {evil: {"clips": 1, "accuracy": 1.0}}}},
            "peak_memory_of": evil,
        }
        for mode, figures in data["summary"].items()
    }
    summary["exact"]["minimal_pairs"] = {
        "accuracy": 1.0,
        "interval": [0.5, 1.0],
        "pairs": [{"glosses": [evil, evil], "parameter": evil, "choices": 1, "right": 1}],
    }
    data = {
        **data,
        "summary": summary,
        "synonyms": {"source": evil, "groups": [[evil, evil]]},
        "occlusion": [{"clip_id": evil, "answer": evil, "drops": [1.0, -0.5]}],
        "calibration": {"temperature": 1.0, "fitted_on": evil},
        "glossary": [*data["glossary"], evil],
        "run": {
            **data["run"],
            "note": evil,
            "command": evil,
            "leakage": {evil: evil},
            "hardware": {evil: [evil]},
            "deviations": [evil],
        },
        "missing": [{"clip_id": evil, "gloss": evil, "signer_id": evil}],
        "clips": [
            {
                "clip_id": evil,
                "gloss": evil,
                "signer_id": evil,
                "beam": [evil],
                "exact": [{"gloss": evil, "log_prob": 0.0}],
            },
            {"clip_id": "x", "gloss": evil, "signer_id": 1, "beam": [], "exact": [], "unreadable": evil},
            {"clip_id": "y", "gloss": evil, "signer_id": 1, "beam": ["a"], "exact": [{"gloss": "a", "log_prob": None}]},
        ],
    }
    page = render(data, lambda clip_id: np.zeros((4, 8, 8, 3), np.uint8))
    read = Page(page)
    assert "script" not in {tag for tag, _ in read.tags}
    assert "<script" not in page.lower()
    assert read.text.count(EVIL) > 10
    assert all(not key.startswith("on") for _, attributes in read.tags for key in attributes)


def test_a_page_stays_small_however_large_the_clips(results):
    rng = np.random.default_rng(0)
    clips = [{**clip, "gloss": "red"} for clip in results.data["clips"]]
    frames = rng.integers(0, 256, (16, 448, 448, 3), dtype=np.uint8)  # noise compresses worst
    page = render({**results.data, "clips": clips}, lambda clip_id: frames)
    assert len(page.encode()) < 5_000_000
    assert page.count("data:image/webp") > 80
    tight = render(results.data, lambda clip_id: frames, budget=100_000)
    assert "filmstrips were left out" in tight
    assert len(tight.encode()) < 300_000


def test_a_filmstrip_shows_the_clips_own_frames_in_time_order(dataset):
    frames = np.stack([np.full((300, 300, 3), 10 * index, np.uint8) for index in range(16)])
    uris = Filmstrips(lambda clip_id: frames).strip("any")
    shades = []
    for uri in uris:
        image = Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))
        assert max(image.size) <= 128
        shades.append(int(np.asarray(image.convert("L")).mean()))
    assert shades == pytest.approx([10 * index for index in range(1, 16, 2)], abs=4)


@pytest.mark.parametrize("count", [1, 3, 8, 9])
def test_a_strip_holds_at_most_eight_frames_and_never_one_twice(count):
    chosen = spread(np.arange(count).reshape(-1, 1, 1, 1))
    assert len(chosen) == min(8, count)
    assert len(np.unique(chosen)) == len(chosen)


def test_a_tiny_frame_is_not_enlarged():
    image = Image.open(BytesIO(base64.b64decode(data_uri(np.zeros((64, 64, 3), np.uint8)).partition(",")[2])))
    assert image.size == (64, 64)


def clip(clip_id, gloss, *answers, signer=1, unreadable=""):
    scores = [{"gloss": answer, "log_prob": -float(index)} for index, answer in enumerate(answers)]
    return {"clip_id": clip_id, "gloss": gloss, "signer_id": signer, "exact": scores} | (
        {"unreadable": unreadable} if unreadable else {}
    )


def seen(*clips) -> list[digest.Outcome]:
    return digest.outcomes({"modes": ["exact"], "calibration": None, "clips": clips}, "exact")


def test_confusions_count_both_directions_and_show_the_mistaken_clips():
    [first, second] = digest.confusions(
        seen(
            clip("1", "book", "book", "read"),
            clip("2", "book", "read", "book"),
            clip("3", "read", "book", "read"),
            clip("4", "read", "book", "read"),
            clip("5", "book", "tea", "book"),
        )
    )
    assert first.pair == ("read", "book")
    assert first.mistakes == (2, 1)
    assert [each.clip_id for each in first.shown] == ["3", "2"]
    assert second.pair == ("book", "tea")
    assert second.shown[1] is None


def test_rates_count_an_unreadable_clip_and_name_the_usual_mistake():
    clips = seen(
        clip("1", "book", "read"),
        clip("2", "book", "book"),
        clip("3", "tea", "tea"),
        clip("4", "tea", unreadable="empty"),
    )
    rates = digest.rates(clips, lambda each: each.gloss)
    assert [(rate.name, rate.right, rate.clips, rate.mistaken) for rate in rates] == [
        ("book", 1, 2, "read"),
        ("tea", 1, 2, ""),
    ]


def test_shares_sum_to_one_over_the_glossary():
    [outcome] = seen(clip("1", "b", "a", "b", "c"))
    assert sum(share for _, share in outcome.answers) == pytest.approx(1)
    assert outcome.rank == 2
    assert outcome.share == outcome.answers[1][1]


def test_picked_clips_are_the_extremes_and_a_seeded_sample_none_twice():
    clips = seen(
        *(clip(f"w{place}", "z", *"abcdefgh"[:place], "z") for place in range(1, 9)),
        *(clip(f"r{place}", "z", "z", *"abcdefgh"[:place]) for place in range(9)),
    )
    chosen = digest.picked(clips, seed=1)
    assert [each.clip_id for each in chosen["worst"]] == ["w8", "w7", "w6", "w5", "w4", "w3"]
    assert [each.clip_id for each in chosen["best"]] == ["r0", "r1", "r2", "r3", "r4", "r5"]
    assert {each.clip_id for each in chosen["sample"]} == {"w1", "w2", "r6", "r7", "r8"}
    assert chosen == digest.picked(clips, seed=1)


def test_a_run_without_exact_ranking_looks_into_its_beams(evaluated, tmp_path):
    results = evaluated(tmp_path, modes=("beam",), unreadable=[], missing=[])
    page = results.report.read_text()
    assert "Free beam search" in page
    assert "not a calibrated confidence" not in page
    assert "Which frames mattered" not in page


def test_bars_are_at_the_fitted_temperature(results):
    clip = results.data["clips"][0]
    hot = digest.outcomes(results.data, "exact")[0].share
    plain = digest.outcomes({**results.data, "calibration": None}, "exact")[0].share
    scores = [answer["log_prob"] for answer in clip["exact"]]
    place = [answer["gloss"] for answer in clip["exact"]].index(clip["gloss"])
    assert hot == pytest.approx(softmax(np.array(scores) / 1.5)[place])
    assert plain == pytest.approx(softmax(scores)[place])


def test_the_protocol_says_how_often_the_test_was_looked_at():
    run = {"selected_by": "eval_top1", "times": 1}
    once = protocol({"split": "test", "run": run})
    assert "chosen on the validation split (by validation top-1)" in once
    assert once.endswith("asked for this run once.")
    assert "makes them too good" in protocol({"split": "test", "run": {**run, "times": 3}})
    assert "makes them too good" not in protocol({"split": "validation", "run": {**run, "times": 3}})


def test_learning_curves_pass_over_what_is_no_number():
    assert [title for title, _ in charts.learning_curves(HISTORY)] == [
        "Loss: training, and validation",
        "Top-1 on validation",
    ]
    assert charts.learning_curves([]) == []
    assert charts.learning_curves([{"step": 1, "loss": 2.0}, {"loss": "x", "step": 2}]) == []


def test_charts_escape_what_they_are_told():
    assert EVIL not in charts.line_chart({"held": [(0, 1), (1, 2)]}, x_name=EVIL, y_name=EVIL)


def test_shared_signers_are_said_in_words():
    leakage = {**LEAKAGE, "test_by_train_signers": 40, "same_file": {}, "same_looks": {"test_in_train": 3}}
    assert leaks(leakage) == [
        "40 of 61 test clips are by people who also sign in train: this does not measure new signers.",
        "3 test clips are to look at the same as a training clip.",
    ]
    assert leaks({}) == []


def test_the_verdict_compares_the_interval_with_chance():
    figures = {"chance": {"top1": 0.1}, "intervals": {"top1": [0.2, 0.4]}}
    assert verdict(figures).startswith("clearly above chance")
    assert verdict({**figures, "intervals": {"top1": [0.05, 0.4]}}).startswith("not distinguishable")
    assert verdict({**figures, "intervals": {"top1": [0.0, 0.05]}}).startswith("below chance")


def test_settings_are_flattened_to_dotted_keys_and_long_lists_cut():
    rows = dict(flatten({"a": {"b": None, "c": True, "d": 1e-4}, "e": list(range(20)), "f": []}))
    assert rows == {
        "a.b": "-",
        "a.c": "yes",
        "a.d": "0.0001",
        "e": "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, and 8 more",
        "f": "none",
    }

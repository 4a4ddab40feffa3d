"""Contact sheets: a page a sign or a signer, captioned with signer and phase, saying what the signs are not."""

import cv2
import numpy as np
import pytest

from data_engineering.synthetic.sheet import NOTICE, main, sheet, sign_sheet
from data_engineering.synthetic.signs import load_signs
from data_engineering.synthetic.timing import PHASES


def test_the_notice_says_plainly_what_the_signs_are_not():
    assert "not ASL" in NOTICE
    assert "No Deaf signer has reviewed" in NOTICE


def test_a_sheet_a_sign_and_one_of_a_signer(tmp_path, capsys):
    main(["--sign", "CHAIR", "SIT", "--signers", "2", "--out", str(tmp_path)])
    main(["--signer", "1", "--sign", "CHAIR", "SIT", "BOOK", "--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sign_CHAIR.png", "sign_SIT.png", "signer_1.png"]
    page = cv2.imread(str(tmp_path / "sign_CHAIR.png"))
    # Two rows of eight frames of 200 px.
    assert page.shape[0] > 400
    assert page.shape[1] > 1600
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "signer_1.png")


def test_every_frame_stands_over_its_phase(monkeypatch):
    captions = []
    monkeypatch.setattr(
        "data_engineering.synthetic.sheet.sheet",
        lambda title, rows: captions.extend([caption for caption, _ in row] for row in rows),
    )
    sign_sheet(load_signs()["YES"], signers=2, size=32)
    for number, row in enumerate(captions):
        assert row[0].startswith(f"signer {number}")
        phases = [caption.rpartition(": ")[2] for caption in row]
        assert set(phases) <= set(PHASES)
        assert phases.count("stroke") >= 3


def test_captions_do_not_touch_the_pictures():
    picture = np.full((40, 50, 3), 7, np.uint8)
    page = sheet("title", [[("left", picture), ("right", picture)]])
    assert (page == 7).all(axis=-1).sum() == 2 * picture[..., 0].size


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--sign", "NOPE"], "NOPE is not in params/signs.yaml"),
        (["--sign", "YES", "--signers", "0"], "--signers starts at 1"),
        (["--signer", "-1"], "--signer at 0"),
    ],
)
def test_a_wrong_call_is_refused(arguments, reason, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--out", str(tmp_path / "none")])
    assert stop.value.code == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "none").exists()

"""The scorer: what training learns, and that the file that ships says the same."""

import numpy as np
import pytest

from alma.extraction.scoring.confidence import SIGNALS, Calibration, Signals
from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS
from alma.extraction.scoring.scorer import Scorer, base_scorer
from alma.extraction.scoring.tokens import token
from alma.learning.model_file import own_buckets, read_model, write_model
from alma.learning.scorer_training import Group, train_member

FIELDS = ["form.total", "form.party"]
LABEL, OTHER = token("L1:total"), token("L1:change")


def groups(count: int, *, repeated: bool = False, seed: int = 0) -> list[Group]:
    """Return documents with six candidates, of which those after the word `total` are right."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        right = np.zeros(6, np.int8)
        right[rng.choice(6, 2 if repeated else 1, replace=False)] = 2
        tokens = np.zeros((6, TOKENS), np.int32)
        tokens[:, 0] = np.where(right > 0, LABEL, OTHER)
        dense = np.zeros((6, len(DENSE)), np.float32)
        dense[:, :3] = rng.standard_normal((6, 3))
        name = FIELDS[1] if repeated else FIELDS[0]
        made.append(Group(name, repeated, 0, dense, tokens, np.zeros(6, bool), right))
    return made


def test_a_word_beside_the_right_value_is_learnt() -> None:
    model = write_model([train_member(groups(60), FIELDS, 1, epochs=60)], {"fields": FIELDS})
    scorer = Scorer(model)
    judged = 0
    for group in groups(20, seed=9):
        scores = scorer.score("form", {"total": (group.dense, group.tokens)})["total"]
        judged += int(np.argmax(scores.logits) == np.argmax(group.right))
    assert judged >= 19


def test_values_of_a_repeated_field_are_judged_one_by_one() -> None:
    scorer = Scorer(
        write_model([train_member(groups(60, repeated=True), FIELDS, 1, epochs=60)], {"fields": FIELDS})
    )
    (group,) = groups(1, repeated=True, seed=9)
    scores = scorer.score("form", {"party": (group.dense, group.tokens)})["party"]
    assert sorted(np.argsort(-scores.logits)[:2]) == sorted(np.flatnonzero(group.right))


def test_the_same_seed_gives_the_same_file_and_another_does_not() -> None:
    once, twice, other = (
        write_model([train_member(groups(8), FIELDS, seed, epochs=1)], {"fields": FIELDS})
        for seed in (3, 3, 4)
    )
    assert once == twice
    assert once != other


def test_the_file_computes_what_was_trained() -> None:
    w = train_member(groups(8), FIELDS, 1, epochs=1)
    (group,) = groups(1, seed=5)
    x = np.clip((group.dense - w["mean"]) * w["scale"], -5, 5)
    field = np.full(6, 1)
    tokens = group.tokens.astype(np.int64)
    present = (tokens > 0).astype(np.float32)
    half = {name: w[name].astype(np.float16).astype(np.float32) for name in ("embedding", "own")}
    text = np.tanh((half["embedding"][tokens] * present[:, :, None]).sum(1) / 4)
    h = np.concatenate([x, text, w["field"][field]], 1)
    h = np.maximum(h @ w["w1"].T + w["b1"], 0)
    h = np.maximum(h @ w["w2"].T + w["b2"], 0)
    expected = (h @ w["w3"].T + w["b3"])[:, 0] + (half["own"][own_buckets(tokens, field), 0] * present).sum(1)
    expected += (w["skip"][field] * x).sum(1) + w["bias"][field, 0]

    scores = Scorer(write_model([w, w], {"fields": FIELDS})).score(
        "form", {"total": (group.dense, group.tokens)}
    )

    assert scores["total"].logits == pytest.approx(expected, abs=1e-4)
    assert scores["total"].spread == pytest.approx(np.zeros(6), abs=1e-5)


def test_a_model_of_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match="other features"):
        Scorer(_with_dense(write_model([train_member(groups(4), FIELDS, 1, epochs=1)], {"fields": FIELDS})))


def _with_dense(model: bytes) -> bytes:
    return model.replace(f'"{DENSE[0]}"'.encode(), f'"{DENSE[0][:-1]}x"'.encode(), 1)


def test_a_model_brings_the_type_it_reads_and_its_own_confidence() -> None:
    w = train_member(groups(4), FIELDS, 1, epochs=1)
    own = {"signals": list(SIGNALS), "weights": [0.5] * len(SIGNALS), "biases": {"form": -1.0}}
    scorer = Scorer(write_model([w], {"fields": FIELDS, "doc_type": "form", "calibration": own}))
    assert scorer.doc_type == "form"
    assert scorer.calibration == Calibration((0.5,) * len(SIGNALS), {"form": -1.0})
    assert base_scorer().doc_type is None
    assert base_scorer().calibration is None


def test_a_calibration_of_a_release_with_fewer_signals_goes_on_weighing_those() -> None:
    old = {"weights": [1.0] + [0.0] * 15, "biases": {"form": 0.0}}  # logit; it names none
    named = {"signals": ["margin", "logit"], "weights": [0.0, 1.0], "biases": {"form": 0.0}}
    vector = Signals(0.982, 1.0, 0.0, 1).vector()

    said = [Calibration.from_dict(each).probability("form", "total", vector) for each in (old, named)]

    assert said == [0.731, 0.731]


@pytest.mark.parametrize(
    "own",
    [
        {"weights": [0.5], "biases": {}},
        {"weights": [0.5] * len(SIGNALS)},
        {"signals": ["mood"] * len(SIGNALS), "weights": [0.5] * len(SIGNALS), "biases": {}},
        {"weights": "much", "biases": {}},
    ],
    ids=["too few weights", "no biases", "other signals", "no numbers"],
)
def test_a_confidence_of_other_signals_is_refused(own: dict[str, object]) -> None:
    w = train_member(groups(4), FIELDS, 1, epochs=1)
    with pytest.raises(ValueError, match=r"calibration|float"):
        Scorer(write_model([w], {"fields": FIELDS, "calibration": own}))


def test_the_weights_of_a_file_are_those_it_was_written_with() -> None:
    w = train_member(groups(4), FIELDS, 1, epochs=1)
    members, about = read_model(write_model([w, w], {"fields": FIELDS}))
    assert about["fields"] == FIELDS
    assert len(members) == 2
    assert members[1]["w1"] == pytest.approx(w["w1"])
    assert members[1]["own"] == pytest.approx(w["own"], abs=1e-3)


def test_the_model_that_ships_says_what_it_was_trained_on() -> None:
    about = base_scorer().about
    assert about["name"] == "alma-base"
    assert about["buckets"] == BUCKETS
    assert about["trained_on"]["receipt"]["licence_class"] == ["open"]
    assert {c for each in about["trained_on"].values() for c in each["licence_class"]} <= {
        "open",
        "public-record",
    }
    assert base_scorer().knows("invoice", "total_gross")
    assert not base_scorer().knows("deed_of_conveyance", "grantor_name")

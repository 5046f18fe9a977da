"""The dense features are declared once, in the order in which models were trained with them."""

from alma.datamodel.schemas import MARK_VALUES, FieldType
from alma.extraction.scoring.features import DENSE, ORIGINS, FieldFeatures, RuleFeatures
from alma.extraction.scoring.scorer import base_scorer


def test_the_features_of_stored_models_come_first_in_their_order() -> None:
    known = base_scorer().about["dense"]
    assert list(DENSE[: len(known)]) == known
    assert DENSE[93] == "position_addressee"
    assert len(set(DENSE)) == len(DENSE) == 129


def test_every_origin_of_a_vote_and_every_type_that_models_know_has_its_feature() -> None:
    by_rules_alone = {FieldType.CURRENCY, *MARK_VALUES}

    assert RuleFeatures._fields[:10] == (*(f"vote_{o}" for o in ORIGINS), *(f"score_{o}" for o in ORIGINS))
    assert FieldFeatures._fields[:8] == tuple(
        f"type_{kind.value}" for kind in FieldType if kind not in by_rules_alone
    )

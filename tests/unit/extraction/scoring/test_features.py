"""The dense features are declared once, in the order in which models were trained with them."""

from alma.datamodel.schemas import FieldType
from alma.extraction.scoring.features import DENSE, ORIGINS, FieldFeatures, RuleFeatures
from alma.extraction.scoring.scorer import base_scorer


def test_the_features_are_those_of_the_stored_model_in_its_order() -> None:
    assert list(DENSE) == base_scorer().about["dense"]
    assert len(set(DENSE)) == len(DENSE) == 94


def test_every_origin_of_a_vote_and_every_type_has_its_feature_but_the_currency_that_only_rules_know() -> (
    None
):
    assert RuleFeatures._fields[:10] == (*(f"vote_{o}" for o in ORIGINS), *(f"score_{o}" for o in ORIGINS))
    assert FieldFeatures._fields[:8] == tuple(
        f"type_{kind.value}" for kind in FieldType if kind is not FieldType.CURRENCY
    )

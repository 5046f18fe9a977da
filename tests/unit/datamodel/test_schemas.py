"""Document types as data."""

import pytest
from pydantic import ValidationError

from alma.datamodel.schemas import DocumentSchema, FieldSchema, FieldType, shipped_schemas
from alma.extraction.candidates.label_search import lexicon_of


def test_the_shipped_types() -> None:
    assert sorted(shipped_schemas()) == [
        "ad_buy_form",
        "contract",
        "deed_of_conveyance",
        "invoice",
        "receipt",
        "registration_form",
        "tax_form",
    ]


def test_a_deed_has_the_documented_keys() -> None:
    deed = shipped_schemas()["deed_of_conveyance"]
    grantor, acreage = deed.field("grantor_name"), deed.field("parcel_acreage")
    assert grantor is not None
    assert acreage is not None
    assert (grantor.type, acreage.type) == (FieldType.NAME, FieldType.NUMBER)


@pytest.mark.parametrize("name", sorted(shipped_schemas()))
def test_a_shipped_type_can_be_told_and_read(name: str) -> None:
    schema = shipped_schemas()[name]
    assert schema.doc_type == name
    assert len(schema.keywords) >= 10
    keys = [field.key for field in schema.fields]
    assert len(set(keys)) == len(keys)
    for group in schema.groups:
        assert all(column.aliases for column in group.fields)
    for field in schema.fields:
        assert field.aliases or field.patterns or field.position != "labelled", field.key
    assert lexicon_of(schema).phrases


def test_a_broken_pattern_is_refused_with_its_text() -> None:
    with pytest.raises(ValidationError, match=r"'\(\?P<value>x' is not a regular expression"):
        FieldSchema(key="name", patterns=("(?P<value>x",))


def test_a_pattern_must_say_which_part_is_the_value() -> None:
    with pytest.raises(ValidationError, match="has no group named value"):
        FieldSchema(key="name", patterns=("between {NAME}",))


def test_an_unknown_attribute_is_refused() -> None:
    with pytest.raises(ValidationError, match="alias"):
        DocumentSchema.model_validate({"doc_type": "note", "fields": [{"key": "a", "alias": "b"}]})

"""The one policy of retry on conflict, with what DynamoDB says and moto never does."""

from typing import Any

import pytest
from pynamodb.exceptions import UpdateError, VerboseClientError

from alma.documents import instances, intake, records
from alma.documents.records import Instance
from alma.errors import UnavailableError
from alma.storage import transactions
from alma.storage.items.access import OrganisationItem
from tests.cloud import Tenant, conflict

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; return for how long anybody would have."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)
    return waited


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> list[int]:
    """As many of the next transactions as its number says meet another one at a row."""
    left, begin = [0], transactions.transaction

    def contended() -> transactions.Transaction:
        if left[0]:
            left[0] -= 1
            raise conflict()
        return begin()

    monkeypatch.setattr(transactions, "transaction", contended)
    return left


def single(code: str) -> UpdateError:
    return UpdateError("lost", VerboseClientError({"Error": {"Code": code}}, "UpdateItem"))


def test_waits_double_up_to_a_longest_one_and_then_it_is_an_outage(waits: list[float]) -> None:
    def attempt() -> None:
        raise conflict()

    with pytest.raises(UnavailableError):
        transactions.retry(attempt)

    assert waits == [0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8, 0.8]


def test_what_a_plan_raises_is_not_tried_again(waits: list[float]) -> None:
    def attempt() -> None:
        raise single("ValidationException")

    with pytest.raises(UpdateError):
        transactions.retry(attempt)
    assert waits == []


def test_a_single_write_that_meets_a_transaction_is_tried_again(waits: list[float]) -> None:
    met = [single("TransactionConflictException")]

    def write() -> None:
        if met:
            raise met.pop()

    assert transactions.conditional_write(write)
    assert waits == [0.025]


def test_a_condition_that_does_not_hold_is_told_at_once(waits: list[float]) -> None:
    def write() -> None:
        raise single("ConditionalCheckFailedException")

    assert not transactions.conditional_write(write)
    assert waits == []


def test_a_transaction_says_which_of_its_conditions_did_not_hold(waits: list[float]) -> None:
    there = OrganisationItem("greaves", "organisation", name="Greaves", created_at="2026-11-27T00:00:00Z")
    there.save()
    absent: Any = OrganisationItem.pk.does_not_exist()

    def write(transact: transactions.Transaction) -> None:
        transact.save(OrganisationItem("other", "organisation", name="", created_at=""), condition=absent)
        transact.save(there, condition=absent)

    with pytest.raises(transactions.ConditionFailedError) as refused:
        transactions.write_transaction(write)

    assert refused.value.failed == (False, True)
    assert waits == []


def test_a_file_that_meets_another_transaction_still_becomes_its_document(held: list[int]) -> None:
    Tenant.create("greaves")
    announced = intake.announce("greaves", "deed.pdf")
    held[0] = 2
    arrived = intake.arrive("greaves", announced.object_key, "etag", "0A")
    assert arrived is not None
    assert (arrived.id, held[0]) == (announced.id, 0)

    held[0] = 2
    dropped = intake.arrive("greaves", "inbox/greaves/will.pdf", "etag", "0A")
    assert dropped is not None
    assert (dropped.id, held[0]) == (announced.id + 1, 0)


def test_a_file_that_is_divided_while_a_row_is_held_is_divided(held: list[int]) -> None:
    Tenant.create("greaves")
    document = intake.arrive("greaves", "inbox/greaves/both.pdf", "etag", "0A")
    assert document is not None
    held[0] = 2
    document = instances.divide(document, [(1, 1), (2, 3)])
    assert (document.instances, held[0]) == ((Instance(1, 1, 1), Instance(2, 2, 3)), 0)

    held[0] = 2
    instances.put_instance(document, document.instances[1])
    assert (records.get("greaves", 2).instance_of, held[0]) == (1, 0)

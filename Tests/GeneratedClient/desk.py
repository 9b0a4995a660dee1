"""Registers, lists and closes a contact with the client that openapi-python-client generates, by its types alone."""

import os
from typing import TypeVar, assert_type

from leads_crm_client import Client
from leads_crm_client.api.contacts import list_contacts, register_contact, update_contact
from leads_crm_client.api.operators import create_operator, get_operator
from leads_crm_client.api.sources import create_source, set_distribution
from leads_crm_client.models import (
    ContactCreate,
    ContactStatus,
    ContactUpdate,
    ContactWithDetails,
    DistributionUpdate,
    NotFoundError,
    NotFoundErrorCode,
    Operator,
    OperatorCreate,
    OperatorWeight,
    Source,
    SourceCreate,
    ValidationError,
)
from leads_crm_client.types import Unset


T = TypeVar("T")


def expect(kind: type[T], answer: object) -> T:
    assert isinstance(answer, kind), answer
    return answer


def load(client: Client, operator: Operator) -> int:
    return expect(Operator, get_operator.sync(operator.id, client=client)).current_load


def main() -> None:
    # The description is strict where the service reads leniently.
    assert_type(ContactCreate(source_id=1).source_id, int)
    assert_type(OperatorCreate(name="").is_active, bool | Unset)
    assert_type(OperatorCreate(name="").max_load, int | Unset)
    assert_type(ContactUpdate().status, ContactStatus | None | Unset)

    with Client(base_url=os.environ["LEADS_CRM_URL"]) as client:
        operator = expect(
            Operator, create_operator.sync(client=client, body=OperatorCreate(name="Иван", is_active=True, max_load=1))
        )
        source = expect(Source, create_source.sync(client=client, body=SourceCreate(name="Telegram Bot #1")))
        weights = set_distribution.sync(
            source.id,
            client=client,
            body=DistributionUpdate(operator_weights=[OperatorWeight(operator_id=operator.id, weight=10)]),
        )
        assert isinstance(weights, list), weights
        assert [weight.operator_id for weight in weights] == [operator.id]

        registration = ContactCreate(source_id=source.id, lead_phone="+7 900 123-45-67", message="Хочу узнать")
        given = expect(ContactWithDetails, register_contact.sync(client=client, body=registration))
        waiting = expect(ContactWithDetails, register_contact.sync(client=client, body=registration))
        assert given.status is ContactStatus.ACTIVE
        assert given.operator is not None and given.operator.name == "Иван"
        assert given.lead.phone == "+79001234567"
        assert waiting.operator is None and waiting.updated_at is None
        assert load(client, operator) == 1

        def listed(status: ContactStatus) -> list[int]:
            contacts = list_contacts.sync(client=client, status=status)
            assert isinstance(contacts, list), contacts
            return [contact.id for contact in contacts]

        assert listed(ContactStatus.ACTIVE) == [given.id, waiting.id]
        closed = update_contact.sync(given.id, client=client, body=ContactUpdate(status=ContactStatus.CLOSED))
        assert expect(ContactWithDetails, closed).status is ContactStatus.CLOSED
        assert listed(ContactStatus.CLOSED) == [given.id]
        # The waiting contact gets the place that became free.
        assert load(client, operator) == 1

        unknown = register_contact.sync(client=client, body=ContactCreate(source_id=source.id + 1))
        assert expect(NotFoundError, unknown).code is NotFoundErrorCode.SOURCE_NOT_FOUND
        invalid = create_operator.sync(client=client, body=OperatorCreate(name="Мария", max_load=0))
        assert expect(ValidationError, invalid).detail[0].loc == ["body", "max_load"]


main()

"""schemathesis over our OpenAPI document: what it allows, and what it does not; no answer is a 5xx.

A few requests for each operation; more with SWITCHROOM_LONG=1, as many as SWITCHROOM_FUZZ_EXAMPLES says.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

from switchroom.switch.api.front.openapi import describe
from switchroom.switch.api.room import ApiRoom

from .conftest import SID
from .samples import auth, fill, filled

IS_LONG = os.environ.get("SWITCHROOM_LONG") == "1"
EXAMPLES = int(os.environ.get("SWITCHROOM_FUZZ_EXAMPLES", "25")) if IS_LONG else 1


async def test_what_a_description_leads_to_never_fails(client: Any, room: ApiRoom, base: str) -> None:
    """Each operation on what is there (deletions last), and on names that are made up."""
    known = await fill(client, room)
    key, secret = room.house.accounts.make_key(SID, "", ["main"])  # the token will be another by and by
    await room.house.library.write([key])
    proof = dict([auth(key.sid, secret)])
    schema = schemathesis.openapi.from_dict(describe(room.house.table.operations))
    schema.config.base_url = base
    operations = [result.ok() for result in schema.get_all_operations()]
    operations.sort(key=lambda operation: operation.method.lower() == "delete")
    statuses: Counter[int] = Counter()

    def fuzz() -> None:
        for operation in operations:
            names = path_names(operation.path, known)
            statuses.update(requests(operation, GenerationMode.POSITIVE, names, proof))
            statuses.update(requests(operation, GenerationMode.POSITIVE, {"AccountSid": SID}, proof))
            statuses.update(requests(operation, GenerationMode.NEGATIVE, names, proof))

    await asyncio.to_thread(fuzz)
    assert statuses.total() >= 2 * EXAMPLES * len(operations)
    assert 401 not in statuses
    assert statuses[200] + statuses[201] + statuses[204] > statuses.total() / 5, statuses


def path_names(path: str, known: dict[str, str]) -> dict[str, str]:
    """What stands for each name in a path."""
    words = zip(path.split("/"), filled(path, known, SID).split("/"), strict=True)
    return {
        found[1]: value.removesuffix(".json")
        for word, value in words
        if (found := re.fullmatch(r"\{(\w+)\}(\.json)?", word))
    }


def requests(operation: Any, mode: GenerationMode, names: dict[str, str], proof: dict[str, str]) -> list[int]:
    """Make some; their statuses."""
    statuses = []

    @seed(1)
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Any) -> None:
        for name in case.path_parameters:
            if name in names:
                case.path_parameters[name] = names[name]
        case.headers = proof  # it would make up others
        response = case.call()
        statuses.append(response.status_code)
        assert response.status_code < 500, (case.method, case.path, response.text)
        if response.status_code >= 400:
            body = response.json()
            assert body["status"] == response.status_code
            assert set(body) == {"code", "message", "more_info", "status"}

    one()
    return statuses

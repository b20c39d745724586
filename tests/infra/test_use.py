"""What a resource hands to a function."""

from __future__ import annotations

import pytest

from cdk.foundation.use import Use, allow, layer, setting, total


def test_uses_add_up() -> None:
    use = total(
        [
            setting(stage="local", cache_url="valkey://x"),
            setting(stage="local"),
            layer("api", "search"),
            layer("search", "imaging"),
            allow("sqs:SendMessage", on="arn:aws:sqs:us-east-1:000000000000:q"),
        ]
    )
    assert use.settings == {"stage": "local", "cache_url": "valkey://x"}
    assert use.layers == ("api", "search", "imaging")
    (permission,) = use.permissions
    assert (permission.actions, permission.resources) == (
        ["sqs:SendMessage"],
        ["arn:aws:sqs:us-east-1:000000000000:q"],
    )
    assert total([]) == Use()


def test_a_function_is_not_told_two_things_by_one_setting() -> None:
    with pytest.raises(ValueError, match="mail is 'file:/a' and 'file:/b'"):
        total([setting(mail="file:/a"), setting(mail="file:/b")])

"""A stored config as a look at a shard has it."""

from datetime import UTC, datetime

from berth.domain import canonical
from berth.domain.observation import StoredConfig


def test_its_digest_is_computed_once_however_many_servables_ask():
    config = StoredConfig("model_config_list {\n}\n", 1, datetime(2026, 1, 1, tzinfo=UTC), {})
    assert config.digest == canonical.digest(config.text)
    assert config.digest is config.digest

"""How often laws are tried, and that a counter-example is told as it was found."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

LONG = bool(os.environ.get("HEADWATER_LONG"))


def tried(often: int, long: int) -> settings:
    """Settings for so many examples. Each is a whole pipeline: to shrink one takes minutes, so only a long run does."""
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if LONG else [])]
    return settings(
        max_examples=long if LONG else often,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )

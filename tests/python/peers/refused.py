"""Operations of which rbe refuses some calls that torch takes, by a typed error, and why."""

REFUSED: dict[str, str] = {}

# Modules likewise.
REFUSED_MODULES: dict[str, str] = {}

"""The closing lines of `make test-peers`."""

from counts import LEAST, RAN


def pytest_terminal_summary(terminalreporter):
    for kind, count in RAN.items():
        terminalreporter.write_line(f"compared with torch: {count} {kind} (at least {LEAST[kind]})")

"""Options of all tests."""


def pytest_addoption(parser):
    parser.addoption("--golden", action="store_true", help="write golden files anew")

"""What the machine told pip reaches uv under uv's names."""

import ssl

import pytest

from infra.dependencies import pip_settings


@pytest.fixture
def no_system_store(monkeypatch):
    nothing = ssl.DefaultVerifyPaths(None, None, "", "", "", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)


def test_the_environment_wins_over_the_command_and_the_command_over_all_commands():
    listing = "\n".join(
        (
            ":env:.cert='/env.pem'",
            "global.cert='/global.pem'",
            "global.timeout='5'",
            "install.timeout='7'",
            "download.timeout='9'",
        )
    )
    assert pip_settings.options(listing) == {"cert": "/env.pem", "timeout": "7"}


def test_what_is_no_setting_is_refused():
    with pytest.raises(ValueError, match="no setting of pip: WARNING"):
        pip_settings.options("WARNING")


@pytest.mark.parametrize(
    ("pip", "uv"),
    [
        ({"index-url": "https://a/simple"}, {"UV_DEFAULT_INDEX": "https://a/simple"}),
        (
            {"extra-index-url": "\nhttps://a\nhttps://b"},
            {"UV_INDEX": "https://a https://b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({"find-links": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"trusted-host": "a b"}, {"UV_INSECURE_HOST": "a b"}),
        ({"default-timeout": "180"}, {"UV_HTTP_TIMEOUT": "180"}),
        ({"proxy": "http://p:1"}, {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1"}),
        ({"cert": "/a.pem"}, {"SSL_CERT_FILE": "/a.pem"}),
        ({"index-url": " ", "disable-pip-version-check": "1"}, {}),
    ],
)
def test_an_option_has_its_name_in_uv(pip, uv, no_system_store):
    assert pip_settings.translate(pip, {}) == uv


def test_a_folder_of_certificates_is_told_as_a_folder(tmp_path):
    told = pip_settings.translate({"cert": str(tmp_path)}, {})
    assert told == {"SSL_CERT_DIR": str(tmp_path)}


def test_what_uv_was_told_itself_stays_but_pips_certificates_are_the_ones_that_work():
    own = {"UV_DEFAULT_INDEX": "https://own", "SSL_CERT_FILE": "/own.pem"}
    pip = {"index-url": "https://pip", "cert": "/pip.pem"}
    assert pip_settings.translate(pip, own) == {"SSL_CERT_FILE": "/pip.pem"}


def test_without_certificates_of_pips_those_of_requests_and_then_the_systems_are_taken(monkeypatch):
    system = ssl.DefaultVerifyPaths("/system.pem", None, "", "", "", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: system)
    assert pip_settings.translate({}, {"SSL_CERT_FILE": "/own.pem"}) == {}
    requests = {"REQUESTS_CA_BUNDLE": "/requests.pem"}
    assert pip_settings.translate({}, requests) == {"SSL_CERT_FILE": "/requests.pem"}
    assert pip_settings.translate({}, {}) == {"UV_SYSTEM_CERTS": "true"}

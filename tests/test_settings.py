import traceback
from pathlib import Path

import keyring
import pytest
from accounts import SETTINGS
from keyring.backend import KeyringBackend

from workbench.errors import CredentialsError, SettingsError
from workbench.settings import Credentials, Settings, actor


def load(tmp_path: Path, text: str) -> Settings:
    """Settings from a text."""
    (tmp_path / "workbench.toml").write_text(text, encoding="utf-8")
    return Settings.load(tmp_path / "workbench.toml")


MINIMAL = '[account]\nname = "a"\ntimezone = "UTC"\nsalt = "abcd"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", '[account]: is missing; for example: [account] name = "harbour-and-pine"'),
        (
            '[account]\nname = "a"\nsalt = "abcd"\n',
            '[account] timezone: is missing; for example: timezone = "America/',
        ),
        (MINIMAL.replace("UTC", "Berlin"), 'unknown time zone "Berlin"'),
        (MINIMAL.replace("abcd", "abc"), "[account] salt"),
        (MINIMAL + '[mparticle]\nenvironment = "prod"\n', "[mparticle] environment"),
        (MINIMAL + '[mparticle]\nenviroment = "production"\n', 'unknown key. Did you mean "environment"?'),
        (MINIMAL + '[mparticle]\nurl = "http://example.com/v2"\n', "must be https://"),
        (MINIMAL + "[mparticle]\nattempts = 0\n", "[mparticle] attempts"),
        (
            MINIMAL + '[identities]\ncustomerid = "user_id"\n',
            'not an mParticle identity. Did you mean "customer_id"?',
        ),
        (MINIMAL + "[idntities]\n", 'unknown key. Did you mean "identities"?'),
        (
            MINIMAL + '[store]\ndatabase = "postgresql://u:secret@h/d"\n',
            "a password does not belong in this file",
        ),
        (
            MINIMAL + '[store]\ndatabase = "postgresql://h/d?password=secret"\n',
            "a password does not belong in this file",
        ),
        (MINIMAL + "[store]\nbad_row_share = 2\n", "[store] bad_row_share"),
        ("[account\n", "is not TOML"),
    ],
)
def test_a_wrong_key_is_named_with_an_example(tmp_path: Path, text: str, message: str) -> None:
    """The exact key, the rule, and what a right value looks like."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_all_wrong_keys_are_told_at_once(tmp_path: Path) -> None:
    """Three faults, three lines."""
    text = '[account]\nname = "a"\ntimezone = "X"\nsalt = ""\n[mparticle]\nattempts = 0\n'
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 4


def test_development_is_the_default(tmp_path: Path) -> None:
    """Production is asked for by name."""
    assert load(tmp_path, MINIMAL).mparticle.environment == "development"


def test_settings_are_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command works in any folder below the account."""
    load(tmp_path, SETTINGS)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert Settings.load().home == tmp_path


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parts, and neither is ever printed."""
    monkeypatch.setenv("WORKBENCH_MPARTICLE_KEY", "the-key")
    monkeypatch.setenv("WORKBENCH_MPARTICLE_SECRET", "the-secret")
    found = Credentials.load("acme")
    assert found.secret.get_secret_value() == "the-secret"
    assert "the-" not in repr(found) + str(found.model_dump())


def test_missing_credentials_say_where_to_put_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is missing is asked for, by environment variable and by keyring."""
    monkeypatch.setenv("WORKBENCH_MPARTICLE_KEY", "the-key")
    with pytest.raises(CredentialsError) as caught:
        Credentials.load("acme")
    assert "set WORKBENCH_MPARTICLE_SECRET, or" in str(caught.value)
    assert "keyring set campaign-workbench acme/key" in str(caught.value)


class Memory(KeyringBackend):
    """A keyring that forgets when the test ends."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Look up."""
        return self.values.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep."""
        self.values[service, username] = password


def test_credentials_come_from_the_keyring() -> None:
    """A backend of the real keyring library is asked when the environment is silent."""
    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    try:
        keyring.set_password("campaign-workbench", "acme/key", "k")
        keyring.set_password("campaign-workbench", "acme/secret", "s")
        assert Credentials.load("acme").secret.get_secret_value() == "s"
    finally:
        keyring.set_keyring(before)


def test_the_actor_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """WORKBENCH_ACTOR, else the JupyterHub user, else the login."""
    monkeypatch.setenv("JUPYTERHUB_USER", "hub")
    assert actor() == "tester"
    monkeypatch.delenv("WORKBENCH_ACTOR")
    assert actor() == "hub"
    monkeypatch.delenv("JUPYTERHUB_USER")
    assert actor()

"""The settings file: what is written is read back, a value makes no line of its own, and nothing is left about."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from receiver.errors import SettingError
from receiver.settings_file import read, write

SECRET, TOKEN = "RECEIVER_CLIENT_SECRET", "RECEIVER_ADMIN_TOKEN"
#: str.splitlines() takes each for the end of a line
ENDS_OF_LINES = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("sign", ENDS_OF_LINES, ids=ascii)
def test_a_value_makes_no_second_setting(tmp_path: Path, sign: str) -> None:
    """A pasted value, or one that Dataverse or a script hands over, must not set the administrators' token."""
    with pytest.raises(SettingError, match="line break") as caught:
        write(tmp_path / "settings.env", {SECRET: f"s3cret{sign}{TOKEN}=guessed"})

    assert "s3cret" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sign", ENDS_OF_LINES[3:], ids=ascii)
def test_a_value_written_by_hand_makes_no_second_setting_either(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "settings.env"
    path.write_text(f"{SECRET}=s3cret{sign}{TOKEN}=guessed\n", encoding="utf-8")

    assert read(path) == {SECRET: f"s3cret{sign}{TOKEN}=guessed"}


@pytest.mark.parametrize("value", ["s3cret\udcff", "s3cret\0"], ids=ascii)
def test_a_value_that_no_file_holds_is_refused_and_nothing_is_left_about(tmp_path: Path, value: str) -> None:
    path = tmp_path / "settings.env"
    path.write_text(f"{TOKEN}=kept\n")
    with pytest.raises(SettingError) as caught:
        write(path, {SECRET: value})

    assert "s3cret" not in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert read(path) == {TOKEN: "kept"}


def test_a_file_that_cannot_be_replaced_leaves_no_copy_of_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SettingError, match="No space left"):
        write(tmp_path / "settings.env", {SECRET: "s3cret"})

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["a=b", "#x", "“quoted”", "'single'", "a b", "\\n", "ü😀", "$HOME", "%(x)s"])
def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, value: str) -> None:
    path = tmp_path / "settings.env"
    write(path, {SECRET: value, TOKEN: "t"})

    assert read(path) == {SECRET: value, TOKEN: "t"}


@pytest.mark.parametrize("value", [" s3cret", "s3cret ", "\ts3cret"], ids=ascii)
def test_a_value_with_blanks_around_it_would_come_back_another_and_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingError, match="begin or end"):
        write(tmp_path / "settings.env", {SECRET: value})


def test_a_file_that_others_may_read_is_private_afterwards_and_a_link_is_not_written_through(tmp_path: Path) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "settings.env"
    elsewhere.write_text(f"{TOKEN}=t\n")
    elsewhere.chmod(0o644)
    path.symlink_to(elsewhere)

    write(path, {SECRET: "s3cret"})

    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert "s3cret" not in elsewhere.read_text()
    assert read(path) == {TOKEN: "t", SECRET: "s3cret"}

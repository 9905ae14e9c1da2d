"""The URLs that are refused because they hold a secret, and the errors of a store that are worth a retry."""

from __future__ import annotations

import errno

import pytest

from colorize_core import storage
from colorize_core.errors import InputError, OutputError
from colorize_core.storage import retry, stores


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIAKEY:hidden@bucket/x",
        "s3://AKIAKEY:hid/den@bucket/x",
        "s3://AKIAKEY:/hidden@bucket/x",
        "s3://AKIAKEY:1/hidden@bucket/x",
        "S3://AKIAKEY:hidden@bucket/x",
        "s3://hidden@bucket/x",
        "https://ada:hidden@host/x.tar",
        "https://hidden@host/x.tar",
        "https://ada:hid/den@host/x.tar",
        "foo://ada:hidden@host/x",
        "sftp://ada:hidden@host/x",
        "zip://a.jpg::https://ada:hidden@host/x.zip",
        "https://host/x.tar?X-Amz-Credential=hidden",
        "https://host/x.tar?a=1&sig=hidden",
        "https://host/x.tar?key=hidden",
        "https://host/x.tar?a=1&password=hidden",
        "https://host/x.tar?subscription-key=hidden",
        "https://host/x.tar?api-key=hidden",
    ],
)
def test_a_url_with_a_secret_is_refused_and_not_repeated(url: str) -> None:
    for call in (storage.absolute, storage.read, lambda url: list(storage.find(url)), storage.check_writable):
        with pytest.raises((InputError, OutputError), match="environment") as caught:
            call(url)
        assert "hid" not in str(caught.value)
        assert "AKIAKEY" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/ada:x@y/z.jpg",
        "s3://bucket",
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/x",
        "http://host:8080/x?page=2",
        "http://[::1]:8080/x",
        "http://host:port/x",
        "http://host/x?monkey=1",
        "http://[::1]/x",
        "memory://a/b",
        "file:///a/b@c:d",
    ],
)
def test_other_urls_are_not_refused(url: str) -> None:
    assert storage.absolute(url) == url.removeprefix("file://")


def test_names_with_users_are_no_secrets() -> None:
    assert not stores._has_secret("abfs", "container@account.dfs.core.windows.net", "/x")
    assert not stores._has_secret("sftp", "ada@host:22", "/x")


def test_not_all_errors_are_transient() -> None:
    assert retry.is_transient(ConnectionResetError())
    assert retry.is_transient(TimeoutError())
    assert not retry.is_transient(FileNotFoundError())
    assert not retry.is_transient(PermissionError())
    assert not retry.is_transient(OSError(errno.ENOSPC, "full"))
    assert not retry.is_transient(ValueError())
    assert not retry.is_transient(KeyboardInterrupt())

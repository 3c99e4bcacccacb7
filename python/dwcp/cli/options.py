"""Options that several commands share: addresses, tokens, TLS."""

from __future__ import annotations

import enum
import os
import ssl
from pathlib import Path
from typing import Annotated, Literal

import typer

TOKEN_VARIABLE = "DWCP_TOKEN"
_TOKEN_BYTES_MAX = 4096

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object per line for every event.")
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TEXT",
        help=f"Shared secret. Other users of the machine can see it in the list of processes; "
        f"--token-file and the variable {TOKEN_VARIABLE} hide it.",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="File whose first line is the shared secret.",
        show_default=False,
    ),
]


CodecName = Literal["none", "lz4", "zstd"]


class Codec(str, enum.Enum):
    """Second stage of the encoder."""

    none = "none"
    lz4 = "lz4"
    zstd = "zstd"


def check_address(address: str, name: str) -> str:
    """Check an address of the form HOST:PORT, or [HOST]:PORT for IPv6.

    Parameters
    ----------
    address
        What the user wrote.
    name
        The argument's name, for the message.

    Returns
    -------
    str
        The same address.

    Raises
    ------
    typer.BadParameter
        There is no host, or no port from 0 to 65535.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host:
        raise typer.BadParameter(f"{address!r} is not HOST:PORT", param_hint=name)
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise typer.BadParameter(f"put IPv6 hosts in brackets: [{host}]:{port}", param_hint=name)
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise typer.BadParameter(f"port {port!r} is not a number from 0 to 65535", param_hint=name)
    return address


def read_token(token: str | None, token_file: Path | None) -> str | None:
    """Token from the option, else from the file, else from the environment.

    Parameters
    ----------
    token
        Value of ``--token``.
    token_file
        Value of ``--token-file``.

    Returns
    -------
    str or None
        None: none was given.

    Raises
    ------
    typer.BadParameter
        Both options were given, or the token is empty.
    OSError
        The file cannot be read.
    """
    if token is not None and token_file is not None:
        raise typer.BadParameter("give --token or --token-file, not both", param_hint="--token")
    source = "--token"
    if token_file is not None:
        with token_file.open("rb") as file:
            line = file.readline(_TOKEN_BYTES_MAX)
        token, source = (
            line.decode("utf-8", errors="surrogateescape").rstrip("\r\n"),
            "--token-file",
        )
    elif token is None:
        # An empty variable is how shells say "not set".
        token = os.environ.get(TOKEN_VARIABLE) or None
    if token == "":
        raise typer.BadParameter("the token is empty", param_hint=source)
    return token


def server_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """TLS of a publisher; None where neither file was given.

    Parameters
    ----------
    certificate
        PEM file of the certificate and its chain, and possibly of the key.
    key
        PEM file of the private key; None: it is in the certificate's file.

    Raises
    ------
    typer.BadParameter
        A key without a certificate.
    OSError
        A file cannot be read or is no certificate (ssl.SSLError).
    """
    if certificate is None:
        if key is not None:
            raise typer.BadParameter("--tls-key needs --tls-cert", param_hint="--tls-key")
        return None
    _check_readable(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def client_context(authority: Path | None, system: bool) -> ssl.SSLContext | None:
    """TLS of a replica; None where it was not asked for.

    Parameters
    ----------
    authority
        PEM file of the authority that signed the publisher's certificate.
    system
        Use TLS with the authorities that this machine trusts.

    Raises
    ------
    OSError
        The file cannot be read or holds no certificate (ssl.SSLError).
    """
    if authority is None:
        return ssl.create_default_context() if system else None
    _check_readable(authority)
    return ssl.create_default_context(cafile=authority)


def _check_readable(*files: Path | None) -> None:
    # The ssl module's own error names no file.
    for file in files:
        if file is not None:
            file.open("rb").close()

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .conftest import Start, run


@dataclass(frozen=True)
class Identity:
    certificate: Path
    key: Path


def make_identity(folder: Path, name: str) -> Identity:
    """A certificate for 127.0.0.1 that has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    identity = Identity(folder / f"{name}.pem", folder / f"{name}.key")
    identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    identity.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return identity


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return make_identity(tmp_path, "publisher")


@pytest.fixture
def publisher(start: Start, tmp_path: Path, identity: Identity) -> str:
    """Address of a publisher with TLS."""
    source = tmp_path / "source"
    source.write_bytes(b"state" * 1000)
    command = start(
        "publish",
        source,
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        identity.certificate,
        "--tls-key",
        identity.key,
    )
    event = command.wait("listening")
    assert event["tls"] is True
    return f"127.0.0.1:{event['port']}"


def test_a_trusted_publisher_is_followed(
    publisher: str, identity: Identity, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    done = run("follow", publisher, copy, "--tls-ca", identity.certificate, "--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert copy.read_bytes() == b"state" * 1000


def test_another_authority_is_not_trusted(publisher: str, tmp_path: Path) -> None:
    other = make_identity(tmp_path, "other")
    for trust in (["--tls-ca", str(other.certificate)], ["--tls"]):
        done = run("follow", publisher, tmp_path / "copy", *trust, "--once", "--timeout", "20")
        assert done.returncode == 1
        assert "not trusted" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "copy").exists()


def test_plain_tcp_gets_nothing_from_a_tls_publisher(publisher: str, tmp_path: Path) -> None:
    done = run("follow", publisher, tmp_path / "copy", "--once", "--timeout", "1")
    assert done.returncode == 1
    assert "1 seconds" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "copy").exists()

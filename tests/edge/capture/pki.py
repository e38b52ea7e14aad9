"""Certificates as cameras have them, made by OpenSSL's own program."""

from __future__ import annotations

import hashlib
import socket
import socketserver
import ssl
import subprocess
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CA = """
[ca]
default_ca = this
[this]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
NOW = ("20260101000000Z", "20700101000000Z")
PAST = ("20200101000000Z", "20210101000000Z")
FUTURE = ("20650101000000Z", "20700101000000Z")


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """As `openssl x509 -fingerprint -sha256` writes it."""
        der = ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
        return hashlib.sha256(der).digest().hex(":").upper()


class Encrypted(socketserver.BaseServer):
    """Put before a server's class: it speaks TLS first, where it has an `identity`."""

    identity: Identity | None = None
    newest: ssl.TLSVersion | None = None
    """It knows none that is newer, and old ciphers."""
    refuses_plain = False
    """Whether it answers a client that does not begin with TLS by HTTP, in clear."""
    connections = 0
    hangs_up = False
    """Whether it ends every connection at once."""

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self.connections += 1
        return not self.hangs_up

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.identity is None:
            super().finish_request(request, client_address)
            return
        if self.refuses_plain and request.recv(1, socket.MSG_PEEK) != b"\x16":
            request.recv(4096)
            request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.identity.certificate, self.identity.key)
        if self.newest is not None:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = self.newest
        with (
            suppress(OSError),  # the client rejects the certificate, or has seen enough
            context.wrap_socket(request, server_side=True) as encrypted,
        ):
            super().finish_request(encrypted, client_address)


class Authority:
    """Signs certificates; everything lies in its own folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        (folder / "index.txt").touch()
        (folder / "ca.cnf").write_text(_CA)
        self._openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", *_subject("CA"))
        self.certificate = folder / "ca.pem"

    def signed(
        self, name: str, alt: str = "IP:127.0.0.1", valid: tuple[str, str] = NOW
    ) -> Identity:
        """Return a certificate for `alt`, as `subjectAltName` is written."""
        files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        wanted = (*_subject(name), "-addext", f"subjectAltName={alt}")
        self._openssl("req", *_KEY, *files, *wanted)
        signer = ("-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key")
        dates = ("-startdate", valid[0], "-enddate", valid[1])
        files = ("-in", f"{name}.csr", "-out", f"{name}.pem")
        self._openssl("ca", "-batch", "-notext", *signer, *files, *dates)
        return self._identity(name)

    def self_signed(self, name: str, alt: str = "") -> Identity:
        """Return one as a camera makes it for itself: no authority, mostly no name of use."""
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        more = ["-addext", "basicConstraints=critical,CA:FALSE", "-days", "9000"]
        more += ["-addext", f"subjectAltName={alt}"] if alt else []
        self._openssl("req", "-x509", *_KEY, *files, *_subject("192.168.1.64"), *more)
        return self._identity(name)

    def _identity(self, name: str) -> Identity:
        return Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True)


def _subject(name: str) -> tuple[str, str]:
    return "-subj", f"/CN={name}"

"""moto's ACM where it needs correction, and its certificates for who serves HTTPS with them.

moto keeps a requested certificate pending for a minute of the wall clock, and makes it with an issuer of its own that
nobody can trust. Here the run's own authority issues it, at once: there is nobody whose domain would have to be
validated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sandbox.aws.protocol import AwsError


class Issued(Protocol):
    """A certificate and its key, both PEM."""

    @property
    def certificate(self) -> bytes: ...

    @property
    def key(self) -> bytes: ...


Issue = Callable[[Sequence[str]], Issued]
"""Makes a certificate for DNS names; the first of them is its subject."""

_issue: Issue | None = None


def issue_with(issue: Issue | None) -> None:
    """Who issues the certificates that are requested of ACM from now on in this process; None: moto itself."""
    global _issue  # noqa: PLW0603 # moto's state is global to the process, too
    _issue = issue


def correct_certificates() -> None:
    """Let moto's ACM issue what is requested as `issue_with` says. Imports moto."""
    from moto.acm import models

    bundle: Any = models.CertBundle
    generate = bundle.generate_cert

    def issued(domain_name: str, *args: Any, sans: list[str] | None = None, **options: Any) -> Any:
        made = generate(domain_name, *args, sans=sans, **options)
        if _issue is not None:
            names = list(dict.fromkeys([domain_name, *(sans or [])]))
            ours = _issue(names)
            made.cert, made.key = ours.certificate, ours.key
            made._cert, made._key = made.validate_certificate(), made.validate_pk()
            made.sans = names
        made.status = "ISSUED"
        return made

    bundle.generate_cert = issued


def certificate(acm: Any, arn: str) -> tuple[bytes, bytes]:
    """A certificate with the chain that came with it, and its key, both PEM.

    Args:
        acm: moto's ACM backend of one account and region.
        arn: The certificate's.

    Raises:
        AwsError: CertificateNotFound; UnsupportedCertificate for one that is not issued, or has expired.
    """
    from moto.acm.models import AWS_ROOT_CA

    bundle = acm._certificates.get(arn)
    if bundle is None:
        raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
    bundle.check()
    if bundle.status != "ISSUED":
        raise AwsError(
            "UnsupportedCertificate",
            f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a "
            "supported key size.",
        )
    chain = bundle.chain.removesuffix(AWS_ROOT_CA + b"\n")  # which moto adds to every chain
    return b"\n".join(part.strip() for part in (bundle.cert, chain) if part.strip()) + b"\n", bundle.key

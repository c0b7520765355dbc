"""moto's ACM where it needs correction, and its certificates for who serves HTTPS with them.

moto keeps a requested certificate pending for a minute of the wall clock, and makes it with an issuer of its own that
nobody can trust. Here the run's own authority issues it, at once: there is nobody whose domain would have to be
validated. And moto deletes certificates that are in use.
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

Users = Callable[[str], Sequence[str]]
"""The ARNs of what uses a certificate, by its own."""

_issue: Issue | None = None
_users: Users | None = None


def issue_with(issue: Issue | None) -> None:
    """Who issues the certificates that are requested of ACM from now on in this process; None: moto itself."""
    global _issue  # noqa: PLW0603 # moto's state is global to the process, too
    _issue = issue


def used_by(users: Users | None) -> None:
    """Who uses certificates, from now on in this process: those cannot be deleted. None: nobody."""
    global _users  # noqa: PLW0603
    _users = users


def correct_certificates() -> None:
    """Let moto's ACM issue what is requested as `issue_with` says, and keep what is in use. Imports moto."""
    from moto.acm import models

    _keep_what_is_in_use(models)
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


def _keep_what_is_in_use(models: Any) -> None:
    from moto.core.exceptions import AWSError

    class ResourceInUse(AWSError):
        TYPE = "ResourceInUseException"

    describe, delete = models.CertBundle.describe, models.AWSCertificateManagerBackend.delete_certificate

    def users(arn: str) -> list[str]:
        return list(_users(arn)) if _users is not None else []

    def described(bundle: Any) -> Any:
        told = describe(bundle)
        told["Certificate"]["InUseBy"] = [*bundle.in_use_by, *users(bundle.arn)]
        return told

    def delete_unused(acm: Any, arn: str) -> None:
        if users(arn):
            raise ResourceInUse(f"Certificate {arn} in account {acm.account_id} is in use.")
        delete(acm, arn)

    models.CertBundle.describe = described
    models.AWSCertificateManagerBackend.delete_certificate = delete_unused


def certificate(acm: Any, arn: str) -> tuple[str, str]:
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
    whole = b"\n".join(part.strip() for part in (bundle.cert, chain) if part.strip())
    return f"{whole.decode()}\n", bundle.key.decode()

"""What a stack that is up is to other processes: its URLs as viewers come, and whom its doors' clients trust."""

from __future__ import annotations

import ssl

import pytest

from sandbox.controllers.up import UpState
from sandbox.dataplane.cdn.certificates import Authority

PLAIN, SECURE, CDN, CDN_PLAIN = (
    "http://shop.invalid/",
    "https://shop.invalid/",
    "https://cdn.invalid/",
    "http://cdn.invalid/",
)


@pytest.mark.parametrize(
    ("ready", "others", "page"),
    [
        ([], [], ""),
        ([PLAIN], [], PLAIN),
        ([SECURE], [], SECURE),
        ([PLAIN, SECURE], [], SECURE),
        ([], [CDN], CDN),
        ([PLAIN], [CDN], PLAIN),  # nobody says that it has a page
        ([SECURE], [CDN], SECURE),
        ([PLAIN, CDN_PLAIN], [CDN], CDN),
        ([SECURE, CDN], [], CDN),
    ],
)
def test_the_page_is_what_is_waited_for_by_https_if_it_can_be(ready, others, page):
    urls = {url: f"{url.partition(':')[0]}://127.0.0.1:1/" for url in [*ready, *others]}
    assert UpState("shop", 1, urls, ["cdn.invalid"], "", "", {}, ready).page == page


def test_a_name_that_has_https_is_not_asked_by_http():
    urls = {"http://shop.invalid/": "http://127.0.0.1:1/", "http://other.invalid/": "http://127.0.0.1:2/"}
    assert UpState("shop", 1, urls, [], "", "", {}).sites == urls
    urls["https://shop.invalid/a"] = "https://127.0.0.1:3/a"
    assert list(UpState("shop", 1, urls, [], "", "", {}).sites) == ["https://shop.invalid/a", "http://other.invalid/"]


def test_the_runs_own_authority_alone_is_trusted():
    assert UpState("shop", 1, {}, [], "", "", {}).trust() is None
    context = UpState("shop", 1, {}, [], "", "", {}, [], Authority().certificate.decode()).trust()
    assert isinstance(context, ssl.SSLContext)
    assert (len(context.get_ca_certs()), context.verify_mode, context.check_hostname) == (1, ssl.CERT_REQUIRED, True)

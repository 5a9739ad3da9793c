"""The sandbox's pages as files: readable without the sandbox, and harmless whatever a message holds."""

from __future__ import annotations

from pathlib import Path

from notifiers.sandbox import Sandbox

MAIL = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject: <b>bold</b>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain words\r\n"
    b'--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p class="lead">html words</p>\r\n--x--\r\n'
)


def test_every_mail_is_a_page_of_its_own(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    sandbox.mailbox.keep(MAIL, "b@example.org")
    index = sandbox.write_pages()
    listing = index.read_text(encoding="utf-8")
    assert 'href="pages/mail-1.html"' in listing
    assert "<b>bold</b>" not in listing
    page = (tmp_path / "pages" / "mail-1.html").read_text(encoding="utf-8")
    assert "plain words" in page
    assert 'sandbox="allow-same-origin"' in page  # and so no scripts
    assert "srcdoc=" in page
    assert "&lt;p class=&#34;lead&#34;&gt;html words" in page
    assert 'href="../messages.html"' in page

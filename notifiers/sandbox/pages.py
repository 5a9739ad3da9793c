"""The sandbox's pages: where to read every message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from notifiers.gsm7 import parts, unaccent
from notifiers.sandbox.mailbox import Mail, Mailbox
from notifiers.sandbox.phone import Phone

_SHOWN = 500  # newest of each kind; more would make the page slow to open

_environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)

FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Airshed sandbox</title>
<style>
body{margin:0;font:15px/1.5 system-ui,'Noto Sans',sans-serif;color:#1d2329;background:#eef1f4}
header{background:#1f4fa8;color:#fff;padding:14px 24px}header a{color:#fff}
main{max-width:1080px;margin:20px auto;padding:0 16px}
table{width:100%;border-collapse:collapse;background:#fff;border-radius:6px;overflow:hidden;margin-bottom:28px}
th,td{text-align:left;padding:8px 10px;border-bottom:1px solid #e6e9ed;vertical-align:top}
th{background:#f6f7f9;font-weight:600}td.n{white-space:nowrap;color:#5a636e}
pre{background:#fff;padding:16px;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}
iframe{width:100%;height:900px;border:1px solid #d8dce2;border-radius:6px;background:#fff}
</style></head><body><header><strong>Airshed sandbox</strong> · nothing here has left this machine</header><main>
CONTENT
</main></body></html>"""

_OVERVIEW = _environment.from_string(
    FRAME.replace(
        "CONTENT",
        """{% if places.calls %}<p><a href="{{ places.calls }}">calls and webhooks</a></p>{% endif %}
<h1>SMS ({{ sms | length }})</h1>
<table><tr><th>time (UTC)</th><th>to</th><th>text</th><th>parts</th><th>status</th></tr>
{% for m in sms[:shown] %}<tr><td class="n">{{ m.time.strftime("%d %b %H:%M:%S") }}</td><td class="n">{{ m.to }}</td>
<td>{{ m.body }}</td><td class="n">{{ count(m.body) }}</td>
<td class="n">{{ m.status }} {{ m.error_code or "" }}</td></tr>
{% else %}<tr><td colspan="5">none yet</td></tr>{% endfor %}</table>
<h1>Mail ({{ mails | length }})</h1>
<table><tr><th></th><th>date</th><th>to</th><th>subject</th></tr>
{% for m in mails[:shown] %}<tr><td class="n">{{ m.number }}</td><td class="n">{{ m.date }}</td>
<td class="n">{{ m.to }}</td>
<td><a href="{{ places.mail.format(m.number) }}">{{ m.subject }}</a></td></tr>
{% else %}<tr><td colspan="4">none yet</td></tr>{% endfor %}</table>""",
    )
)
_MAIL = _environment.from_string(
    FRAME.replace(
        "CONTENT",
        """<p><a href="{{ places.all }}">all messages</a></p><h1>{{ mail.subject }}</h1>
<table>{% for name, value in headers %}<tr><th>{{ name }}</th><td>{{ value }}</td></tr>{% endfor %}</table>
{% if html %}<iframe sandbox="allow-same-origin" title="HTML part"
{% if places.body %}src="{{ places.body.format(mail.number) }}"{% else %}srcdoc="{{ html }}"{% endif %}></iframe>
{% endif %}
<h2>Text part</h2><pre>{{ text }}</pre>""",
    )
)


@dataclass(frozen=True)
class Places:
    """Where the pages are, seen from each other: routes of the running sandbox, or files.

    ``body`` empty: the HTML part stands in the page itself, because browsers load no file into a sandboxed frame.
    """

    all: str = "/"
    mail: str = "/mail/{}"
    body: str = "/mail/{}/body.html"
    calls: str = ""


_ROUTES = Places(calls="/calls")


def overview(phone: Phone, mailbox: Mailbox, places: Places = _ROUTES) -> str:
    """The page of all messages, the newest first."""
    return _OVERVIEW.render(
        sms=list(reversed(phone.messages.values())),
        mails=list(reversed(mailbox.mails)),
        count=lambda body: parts(unaccent(body)),
        shown=_SHOWN,
        places=places,
    )


def mail_page(mail: Mail, places: Places = _ROUTES) -> str:
    """The page of one mail."""
    message = mail.message
    text = message.get_body(("plain",))
    return _MAIL.render(
        mail=mail,
        headers=[(name, str(value)) for name, value in message.items()],
        text=text.get_content() if text else "",
        html=mail_body(mail),
        places=places,
    )


def mail_body(mail: Mail) -> str | None:
    """The HTML part of a mail."""
    part = mail.message.get_body(("html",))
    return None if part is None else str(part.get_content())


def write_pages(phone: Phone, mailbox: Mailbox, directory: Path) -> Path:
    """The same pages as files, to be read when the sandbox no longer runs. Returns the page of all messages."""
    pages = directory / "pages"
    pages.mkdir(exist_ok=True)
    index = directory / "messages.html"
    index.write_text(overview(phone, mailbox, Places(mail="pages/mail-{}.html")), encoding="utf-8")
    beside = Places(all="../messages.html", body="")
    for mail in mailbox.mails[-_SHOWN:]:
        (pages / f"mail-{mail.number}.html").write_text(mail_page(mail, beside), encoding="utf-8")
    return index

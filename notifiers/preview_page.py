"""A preview as one page that needs nothing else: what people would get, beside each other in every language."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from jinja2 import Environment

from notifiers.gsm7 import EXTENSION, JOINED_PART, SINGLE_PART, septets
from notifiers.previews import Preview
from rules.model import Pack

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ pack.reference }}: what it says</title>
<style>
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,'Segoe UI','Noto Sans',sans-serif;color:#1d2329;background:#f3f5f7}
header,main{max-width:1180px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
h1{font-size:26px;margin:0 0 4px}
h2{font-size:20px;margin:0}
h3{font-size:15px;margin:18px 0 6px;color:#434c56}
p{margin:0 0 12px}
.quiet{color:#5a636e}
nav{overflow-x:auto;margin:20px 0 8px}
table{border-collapse:collapse;background:#fff;width:100%;min-width:640px;border:1px solid #d8dce2}
th,td{text-align:left;padding:7px 12px;border-bottom:1px solid #e6e9ed;vertical-align:top}
th{background:#f6f7f9;font-weight:600}
td.n{white-space:nowrap}
section{background:#fff;border:1px solid #d8dce2;border-radius:8px;margin:24px 0;overflow:hidden}
section>div.head{padding:16px 20px;border-bottom:1px solid #e6e9ed}
div.languages{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
article{padding:4px 20px 20px;min-width:0}
article+article{border-left:1px solid #e6e9ed}
.sms{background:#e8f1fb;border-radius:12px;padding:12px 16px;overflow-wrap:anywhere;margin:0 0 6px}
.sms .cut{color:#a02a00;font-weight:700;padding:0 3px;white-space:nowrap}
.subject{font-weight:600;overflow-wrap:anywhere}
iframe{width:100%;height:640px;border:1px solid #d8dce2;border-radius:6px;background:#fff;display:block}
details{margin-top:10px}
summary{cursor:pointer;color:#0b4f94}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f7f9;border-radius:6px;padding:12px;font-size:13px}
.bad{color:#a31515;font-weight:600}
.good{color:#0f6b2d}
ul.problems{margin:8px 0 0;padding-left:20px}
@media (max-width:900px){article+article{border-left:0;border-top:1px solid #e6e9ed}}
@media (max-width:700px){table{min-width:0}th:nth-child(n+5),td:nth-child(n+5){display:none}th,td{padding:7px 8px}
td.n{white-space:normal;overflow-wrap:anywhere}article{padding:4px 14px 18px}}
</style></head>
<body><header>
<h1>{{ pack.reference }}: what it says</h1>
<p class="quiet">Every message at its longest: all {{ pack.airshed.provinces | length }} provinces, the longest names,
the band of the index with the most words. Exercises have one word more in front; the parts are counted with it.</p>
{% for language in unused %}<p class="quiet">The pack has texts in “{{ language }}”; there are no templates in it, so
nobody is written to in it.</p>{% endfor %}
{% if bad %}<p class="bad">✗ {{ bad }} of {{ previews | length }} cannot be sent as they are.</p>
{% else %}<p class="good">✓ All {{ previews | length }} can be sent.</p>{% endif %}
<nav><table><tr><th>rule</th><th>kind</th><th>language</th><th>SMS parts</th><th>left out of the SMS</th>
<th>mail subject</th></tr>
{% for preview in previews %}<tr><td class="n"><a href="#{{ preview.rule }}">{{ preview.rule }}</a></td>
<td class="n">{{ preview.kind }}</td><td>{{ preview.language }}</td>
<td class="n">{% if preview.sms %}{{ preview.sms.parts }} of {{ preview.sms.most }}{% endif %}{% if preview.problems %}
<span class="bad">✗</span>{% endif %}</td>
<td>{{ preview.sms.left_out if preview.sms else "" }}</td>
<td>{{ preview.mail.subject if preview.mail else "" }}</td></tr>
{% endfor %}</table></nav>
</header><main>
{% for rule, kind, recipients, of_rule in rules %}
<section id="{{ rule }}"><div class="head"><h2>{{ rule }}</h2>
<span class="quiet">{{ kind }} to {{ recipients }}</span></div>
<div class="languages">
{% for preview in of_rule %}<article lang="{{ preview.language }}">
<h3>SMS, {{ preview.language }}</h3>
{% if preview.sms %}<p class="sms">{% for piece in pieces(preview.sms.text) %}{{ piece
}}{% if not loop.last %}<span class="cut" title="here the next part begins">┆</span>{% endif %}{% endfor %}</p>
<p class="quiet">GSM-7, {{ preview.sms.septets }} septets, {{ preview.sms.parts }} of {{ preview.sms.most }}
part{{ "" if preview.sms.most == 1 else "s" }}{% if preview.sms.left_out %}; left out: {{ preview.sms.left_out
}}{% endif %}. Longest for: {{ preview.told }}</p>{% endif %}
{% if preview.problems %}<ul class="problems bad">{% for problem in preview.problems %}<li>{{ problem }}</li>{% endfor
%}</ul>{% endif %}
{% if preview.mail %}<h3>Mail, {{ preview.language }}</h3>
<p class="subject">{{ preview.mail.subject }}</p>
<iframe sandbox="" loading="lazy" title="{{ rule }} in {{ preview.language }}"
srcdoc="{{ preview.mail.html }}"></iframe>
<details><summary>Text part</summary><pre>{{ preview.mail.text }}</pre></details>{% endif %}
</article>{% endfor %}
</div></section>
{% endfor %}
</main></body></html>
"""

_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_PAGE)


def page(pack: Pack, previews: Sequence[Preview], unused: Sequence[str] = ()) -> str:
    """The page as HTML, with the mails inside of it."""
    recipients = {rule.id: rule.audience.recipients for rule in pack.rules}
    rules: list[tuple[str, str, str, list[Preview]]] = []
    for rule, of_rule in groupby(previews, key=lambda preview: preview.rule):
        together = list(of_rule)
        rules.append((rule, together[0].kind, recipients[rule], together))
    known: dict[str, Any] = {"pack": pack, "previews": previews, "rules": rules, "unused": unused, "pieces": pieces}
    return _TEMPLATE.render(known | {"bad": sum(bool(preview.problems) for preview in previews)})


def pieces(text: str) -> list[str]:
    """An SMS as it is cut into parts. A character of two septets is never torn apart."""
    if septets(text) <= SINGLE_PART:
        return [text]
    found, used = [""], 0
    for character in text:
        width = 2 if character in EXTENSION else 1
        if used + width > JOINED_PART:
            found.append("")
            used = 0
        found[-1] += character
        used += width
    return found

"""``airshed rules preview``: what the rules of a pack would say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import polars as pl
import typer
from rich.console import Console

from notifiers.longest import LONGEST_FACILITY
from notifiers.preview_page import page
from notifiers.previews import Names, Preview, previews, unused_languages
from rules.loading import load_pack
from streams.errors import InputError


def preview(
    pack: Annotated[str, typer.Argument(help="Name of a packaged pack, or path of a YAML file.")],
    rule: Annotated[str, typer.Option(help="Only this rule.")] = "",
    language: Annotated[str, typer.Option(help="Only this language.")] = "",
    facilities: Annotated[Path | None, typer.Option(help="Registry of plants, for their longest name, CSV.")] = None,
    public_url: Annotated[str, typer.Option(help="Address of the installation, as in links.")] = Names.public_url,
    html: Annotated[Path | None, typer.Option(help="Write one page with everything, mails as they look.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Render every message of a pack in every language, with the longest names, and count the SMS parts.

    Exit code 1 when a message could not be sent: an SMS that does not fit, a template that is missing or fails, a
    character that an SMS cannot carry.

    Example: `airshed rules preview vietnam-2026 --html preview.html`
    """
    loaded = load_pack(pack)
    names = Names(_longest_name(facilities), public_url)
    found = [one for one in previews(loaded, names) if rule in ("", one.rule) and language in ("", one.language)]
    if not found:
        raise InputError("nothing to show", remedy=f"rules: {', '.join(own.id for own in loaded.rules)}")
    unused = unused_languages(loaded)
    if html is not None:
        html.write_text(page(loaded, found, unused), encoding="utf-8")
    out = Console(highlight=False, soft_wrap=True)
    if json:
        out.print_json(msgspec.json.encode(found).decode())
    else:
        _show(found, unused, html, out)
    if any(one.problems for one in found):
        raise typer.Exit(1)


def _longest_name(facilities: Path | None) -> str:
    if facilities is None:
        return LONGEST_FACILITY
    try:
        names = pl.read_csv(facilities, infer_schema=False, columns=["name"])["name"].drop_nulls().to_list()
    except (OSError, pl.exceptions.PolarsError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"cannot be read: {first}", place=str(facilities), remedy="it needs a column name") from None
    return max(names, key=len, default=LONGEST_FACILITY)


def _show(found: list[Preview], unused: Sequence[str], html: Path | None, out: Console) -> None:
    for one in found:
        out.print(f"\n{one.rule} ({one.kind}), {one.language}", style="bold", markup=False)
        if one.sms:
            gone = f"; left out: {one.sms.left_out}" if one.sms.left_out else ""
            counted = f"{one.sms.parts} of {one.sms.most} parts, GSM-7, {one.sms.septets} septets{gone}"
            out.print(f"  SMS   {counted}\n        {one.sms.text}", markup=False)
        if one.mail:
            out.print(f"  mail  {one.mail.subject}", markup=False)
        for problem in one.problems:
            out.print(f"  problem: {problem}", style="red", markup=False)
    bad = sum(bool(one.problems) for one in found)
    out.print(f"\n{len(found)} messages, {bad or 'none'} with problems", markup=False)
    for language in unused:
        out.print(f"texts in {language!r} are not used: there are no templates in it", markup=False)
    if html is not None:
        out.print(f"page: {html}", markup=False)

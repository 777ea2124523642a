"""What is inlined into the page, and the content security policy that permits exactly that."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

_QUOTED = re.compile("`([^`]+)`")
_WITH_INTERVAL = re.compile(r"(\d[\d.,]*(?: %| [mun]?s)?) (\[[\d.,]+, [\d.,]+\])")
_BRACKETS = re.compile(r"\[[^]]+\]")
_SCRIPT_BREAKS = re.compile(r"<(?=/script|script|!--)", re.IGNORECASE)


def code(text: str) -> Markup:
    """Escape a text for HTML and set what stands in backquotes as code.

    Parameters
    ----------
    text : str
        Plain text, such as ``The best is `keras-graph`.``

    Returns
    -------
    html : Markup
        The text with ``code`` elements.
    """
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(text))))


def numbers(html: str) -> Markup:
    """Emphasise numbers that an interval follows, and tone down the intervals.

    Parameters
    ----------
    html : str
        HTML, such as ``9.57 [9.18, 9.98] times as fast``.

    Returns
    -------
    html : Markup
        The same text with ``strong`` and ``span`` elements.
    """
    return Markup(_WITH_INTERVAL.sub(r'<strong>\1</strong> <span class="interval">\2</span>', str(html)))


def together(text: str) -> Markup:
    """Escape a text for HTML, and let no line end within square brackets.

    Parameters
    ----------
    text : str
        Plain text, such as ``4.15 [3.88, 4.43], keras-graph``.

    Returns
    -------
    html : Markup
        The text with ``span`` elements.
    """
    return Markup(_BRACKETS.sub(r'<span class="together">\g<0></span>', str(escape(text))))


def payload(value: Any) -> Markup:
    """Format data for a script element.

    Parameters
    ----------
    value : object
        Anything that the module ``json`` can serialise.

    Returns
    -------
    text : Markup
        JSON with sorted keys, in which nothing ends the element or starts markup.

    Raises
    ------
    ValueError
        If ``value`` contains NaN or an infinity.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def registration(key: str, value: Any) -> str:
    """Format data as a script file beside the page, which pages opened from a file system can load too.

    Parameters
    ----------
    key : str
        The path of the file relative to the page, without ``.js``.
    value : object
        Anything that the module ``json`` can serialise.

    Returns
    -------
    script : str
        A call of ``nnkernels.register``.
    """
    return f"nnkernels.register({payload(key)}, {payload(value)});\n"


def inline_script(script: str) -> Markup:
    """Make a script safe to stand in a script element.

    Parameters
    ----------
    script : str
        JavaScript, in which ``</script``, ``<script`` and ``<!--`` stand only in strings, templates or patterns.

    Returns
    -------
    script : Markup
        The script with these three escaped.
    """
    return Markup(_SCRIPT_BREAKS.sub(r"\\x3c", script))


def policy(scripts: Sequence[str]) -> Markup:
    """Return the content security policy of the page.

    Parameters
    ----------
    scripts : sequence of str
        The inline scripts, exactly as they stand between the tags.

    Returns
    -------
    policy : Markup
        It permits these scripts, script files beside the page (also of a page opened from a file system), inline
        styles and embedded pictures, and nothing else: no other host, no evaluation of text as code.
    """
    digests = sorted(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in set(scripts))
    hashes = " ".join(f"'sha256-{digest}'" for digest in digests)
    return Markup(
        f"default-src 'none'; script-src 'self' file: {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )

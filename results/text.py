"""Text for people, and text from runs (error messages, names of files) made safe to show."""

import unicodedata

# Controls, direction marks and other invisible signs, lone surrogates, private use, unassigned.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def clean_text(text: str, max_bytes: int | None = None) -> str:
    """Put `text` on one line without control characters, so that it cannot steer a terminal.

    Args:
        text: Any text, such as an error message.
        max_bytes: Longest result, in bytes of UTF-8; a cut text ends in an ellipsis. None: any.
    """
    visible = "".join(
        " " if sign.isspace() else sign
        for sign in text
        if sign.isspace() or unicodedata.category(sign) not in _HIDDEN
    )
    line = " ".join(visible.split())
    if max_bytes is None or len(line.encode()) <= max_bytes:
        return line
    ellipsis = "…"
    # The cut may split a character of several bytes; decoding then drops what is left of it.
    kept = line.encode()[: max_bytes - len(ellipsis.encode())]
    return kept.decode(errors="ignore") + ellipsis


def counted(number: int, noun: str) -> str:
    """Number and noun, such as "1 trial" or "2,000 trials"."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"

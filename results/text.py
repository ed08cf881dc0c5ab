"""Text from runs is data: what may be stored of it and shown."""

import unicodedata

# Controls, direction marks and other invisible signs, lone surrogates, private use, unassigned.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def clean_text(text: str, max_bytes: int | None = None) -> str:
    """`text` on one line, without control characters, so that it cannot steer a terminal.

    Args:
        text: Any text, such as an error message.
        max_bytes: Cut it there, in UTF-8; the end of a cut text is an ellipsis. None: keep all.
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
    kept = line.encode()[: max_bytes - len(ellipsis.encode())]
    return kept.decode(errors="ignore") + ellipsis

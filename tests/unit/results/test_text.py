import pytest

from results.text import clean_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\nlines\r\n\tand a tab", "two lines and a tab"),
        ("\x1b[31mred\x1b[0m\x00", "[31mred[0m"),
        ("\u202egnp.exe\u200b", "gnp.exe"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("Grüße, 世界 ± ▲", "Grüße, 世界 ± ▲"),
    ],
)
def test_control_characters_are_removed_and_letters_are_not(text: str, expected: str) -> None:
    assert clean_text(text) == expected


@pytest.mark.parametrize("text", ["x" * 3000, "ü" * 1500, "世" * 1000])
def test_a_long_text_is_cut_to_whole_characters(text: str) -> None:
    cut = clean_text(text, max_bytes=2000)

    assert 1990 < len(cut.encode()) <= 2000
    assert cut.endswith("…")
    assert text.startswith(cut[:-1])


def test_a_text_that_fits_is_kept() -> None:
    assert clean_text("ü" * 1000, max_bytes=2000) == "ü" * 1000

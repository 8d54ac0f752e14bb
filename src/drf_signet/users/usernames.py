"""Fold usernames: those that a database treats as equal share one limit on failed logins.

Case-insensitive collations, such as those of MariaDB, ignore more than case. They also ignore
accents, invisible characters, the style of letters and digits, and trailing spaces.
"""

from __future__ import annotations

import re
import unicodedata

#: Maximum length of a username, in characters. All longer usernames are counted as one username,
#: because folding long input is expensive.
MAX_LENGTH = 1024

#: Finds the basic letters in the Unicode name of a character: O in "LATIN SMALL LETTER O WITH
#: STROKE". Longer words before the letters, such as "OPEN", describe their form and are skipped.
_LETTER = re.compile(
    r"(?:\b(?:LATIN|CYRILLIC|HIRAGANA|KATAKANA)\b.* (?:LETTER|LIGATURE)|^(?:NEGATIVE )?SQUARED)"
    r" (?:[A-Z-]{3,} )*([A-Z]{1,3})\b"
)
_DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
#: Finds the digit in a Unicode name: ONE in "TIBETAN DIGIT HALF ONE", which collations treat as 1.
_DIGIT = re.compile(rf"(?:NUMERATOR|HALF) ({'|'.join(_DIGITS)})$")
#: Characters that collations ignore, or treat as letters other than those in their Unicode names.
_EXCEPTIONS = {
    "\u018d": "zw",  # turned delta
    "\u01be": "ts",  # inverted glottal stop with stroke
    "\u00f0": "d",  # eth
    "\u1dd9": "d",  # combining eth
    "\u0627": "a",  # Arabic alef
    "\ua7c1": "a",  # Old Polish o
    "\U00010780": "a",  # modifier letter small capital aa
    "\u1cf2": "",  # Vedic sign ardhavisarga
    "\u1cf3": "",  # Vedic sign rotated ardhavisarga
    "\ufe73": "",  # Arabic tail fragment
    "\U0001f19b": "3d",
    "\U0001f19d": "2k",
    "\U0001f19e": "4k",
    "\U0001f19f": "8k",
}
#: Letters that the collation of at least one language treats as equal: i and y in Lithuanian, i and
#: j as well as u and v in Latin, y and ü in Swedish.
_ALIKE = str.maketrans("jyuv", "iiii")


def fold(username: str) -> str:
    """Return a string that is the same for all usernames that a database may treat as equal.

    Some different usernames also get the same string, for example `jan.y` and `jani`. They share
    one limit on failed logins, which does little harm, because the limit applies per address.
    """
    if len(username) > MAX_LENGTH:
        return ""
    characters = unicodedata.normalize("NFKD", username).lower()
    letters = characters.translate({ord(char): _fold_character(char) for char in set(characters)})
    folded = re.sub("ch+", "c", letters.casefold().translate(_ALIKE))  # ch = c in Lithuanian
    folded = re.sub("(?<=[aoi])e+", "", folded)  # ae = ä in German
    return re.sub(r"([^\W\d])\1+", r"\1", folded)  # aa = å in Danish; ß = ss or s in German


def _fold_character(char: str) -> str:
    if char.isascii():
        return char if char.isalnum() else ""
    if char in _EXCEPTIONS:
        return _EXCEPTIONS[char]
    category, name = unicodedata.category(char), unicodedata.name(char, "")
    if category[0] == "N":
        return _fold_number(char, name)
    if category[0] != "C" and (match := _LETTER.search(name)):
        return match[1].lower()
    if category[0] in "CM" or category == "Lm":
        return ""
    if char > "\uffff":  # MariaDB's older collations treat all characters above U+FFFF as equal
        return "\ufffd"
    return char if category[0] == "L" else ""


def _fold_number(char: str, name: str) -> str:
    if match := _DIGIT.search(name):
        return str(_DIGITS.index(match[1]))
    number = unicodedata.numeric(char)
    return str(int(number)) if number.is_integer() else char

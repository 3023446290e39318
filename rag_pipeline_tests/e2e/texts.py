"""Texts for end-to-end tests: different for each name, the same each time, in sentences that a model tells apart."""

import random

_ADJECTIVES = (
    "patient", "rusty", "hollow", "bright", "northern", "silent", "crooked", "amber", "frozen", "narrow",
    "borrowed", "gentle", "striped", "sunken", "wooden", "late"
)  # fmt: skip
_NOUNS = (
    "lighthouse", "orchard", "printing-press", "ferry", "observatory", "bakery", "tannery", "harbour",
    "granary", "violin", "telescope", "windmill", "archive", "greenhouse", "quarry", "theatre"
)  # fmt: skip
_PLACES = (
    "Lisbon", "Tromso", "Quito", "Nairobi", "Hanoi", "Perth", "Bergen", "Cusco", "Izmir", "Oaxaca", "Tartu",
    "Malaga", "Kyoto", "Galway", "Riga", "Accra"
)  # fmt: skip
_DEEDS = (
    "painted", "sold", "repaired", "flooded", "measured", "rebuilt", "photographed", "abandoned", "insured",
    "mapped", "auctioned", "moved"
)  # fmt: skip
_PEOPLE = (
    "widow", "surveyor", "tailor", "botanist", "captain", "judge", "cartographer", "gardener", "pilot",
    "chemist", "nun", "locksmith"
)  # fmt: skip
_REASONS = (
    "the bridge had been closed",
    "a letter arrived too late",
    "nobody could read the old plans",
    "the river froze in spring",
    "the council changed its mind",
    "a fire had spared the cellar",
    "the bells were out of tune",
    "the tax on salt had doubled",
)
SENTENCES_IN_A_PARAGRAPH = 5


def sentence(name: str) -> str:
    """One sentence, made from `name`."""
    pick = random.Random(name).choice
    return (
        f"In {random.Random(name).randrange(1500, 2000)} the {pick(_ADJECTIVES)} {pick(_NOUNS)} of {pick(_PLACES)} was "
        f"{pick(_DEEDS)} by a {pick(_ADJECTIVES)} {pick(_PEOPLE)} from {pick(_PLACES)}, because {pick(_REASONS)}."
    )


def paragraph(name: str) -> str:
    """Some five sentences on one line."""
    return " ".join(sentence(f"{name}/{number}") for number in range(SENTENCES_IN_A_PARAGRAPH))


def text(name: str, *, paragraphs: int) -> str:
    """`paragraphs` paragraphs of about 150 tokens each; the n-th is `paragraph(f"{name}/{n}")`."""
    return "\n\n".join(paragraph(f"{name}/{number}") for number in range(paragraphs)) + "\n"


def holds(passage: str, phrase: str) -> bool:
    """Whether `phrase` stands in `passage`, however the lines break."""
    return " ".join(phrase.split()) in " ".join(passage.split())

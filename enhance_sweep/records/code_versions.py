"""Which digests of code are of the same code."""

#: Digests of code that trains the same network to the bit, by what each became. `benchmarks/equal_code.py` shows it.
_EQUALS: dict[str, str] = {
    "2bde7bed0e97": "4455b598632b",  # commit aa21d8d hashed bytes; then the house moved
    "12de631f04c6": "a786c6297bb8",  # commit c67f8a5 had two topologies, no teacher and fewer measures
}


def canonical(digest: str) -> str:
    """The one name of a digest and of all others whose code trains the same network to the bit."""
    while digest in _EQUALS:
        digest = _EQUALS[digest]
    return digest

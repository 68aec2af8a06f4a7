"""Captions and references of made-up images, as lists of words: some alike, some short, some empty."""

import numpy as np

WORDS = ["a", "dog", "man", "runs", "jumps", "over", "the", "grass", "red", "ball", "in", "water", "two", "boys", "play"]
WORDS += ["near", "tree"]


def made(images: int = 40, seed: int = 0) -> tuple[list[list[str]], list[list[list[str]]]]:
    """Captions and, for each, one to five references; captions borrow runs of words from them."""
    rng = np.random.default_rng(seed)

    def sentence(low: int, high: int) -> list[str]:
        return [str(word) for word in rng.choice(WORDS, rng.integers(low, high))]

    references = [[sentence(3, 14) for _ in range(rng.integers(1, 6))] for _ in range(images)]
    captions = []
    for others in references:
        whole = others[rng.integers(len(others))]
        start = rng.integers(0, len(whole))
        captions.append(whole[start : start + rng.integers(1, 9)] + sentence(0, 4))
    captions[0], captions[1], captions[2] = [], ["dog"], list(references[2][0])
    return captions, references

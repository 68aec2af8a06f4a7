"""What the numbers of a captioner mean, and what stands beside each."""

from kindex.judge.measure import Measure

TUNINGS = {"frozen": "frozen backbone", "head": "fitted head", "fine_tuned": "fine-tuned backbone"}
"""Ways to fit that a model may be compared with, as prefixes of numbers, and their names."""

COUNTS = ("captioned_images", "text_queries", "inversion_queries", "inflection_pairs")
"""How much was measured."""


def _measure(name: str, title: str, meaning: str, *beside: tuple[str, str], better: str = "higher") -> Measure:
    tunings = tuple((shown, f"{prefix}_{name}") for prefix, shown in TUNINGS.items())
    return Measure(name, title, meaning, better, (*beside, *tunings))


def _spoken(name: str, title: str, meaning: str) -> Measure:
    return _measure(name, title, meaning, ("greedy", f"greedy_{name}"), ("nearest image’s caption", f"nearest_{name}"))


def _found(name: str, title: str, meaning: str, better: str = "higher") -> Measure:
    beside = (("by inversion", f"inversion_{name}"), ("chance", f"chance_text_{name}"))
    return _measure(f"text_{name}", title, meaning, *beside, better=better)


def _answered(name: str, title: str, meaning: str) -> Measure:
    beside = (("by a product (3CosMul)", f"{name}_product_accuracy"), ("chance", f"{name}_chance"))
    return _measure(f"{name}_accuracy", title, meaning, *beside)


MEASURES = (
    _found("recall_at_1", "Found by description@1", "share of held-out captions that find their image, of all held-out ones"),
    _found("recall_at_5", "Found by description@5", "the same among the first 5"),
    _found("recall_at_10", "Found by description@10", "share of held-out captions that find their image among the first 10"),
    _found(
        "median_rank",
        "Median rank by description",
        "half of the held-out captions find their image at this rank or before",
        "lower",
    ),
    _spoken("bleu_1", "BLEU-1", "share of the words said of held-out images that people said of them, too"),
    _spoken("bleu_2", "BLEU-2", "the same with runs of up to two words"),
    _spoken("bleu_3", "BLEU-3", "the same with runs of up to three words"),
    _spoken("bleu_4", "BLEU-4", "share of runs of up to four words that people said of the same image, too"),
    _spoken("cider", "CIDEr-D", "the same, where runs of words that tell images apart count more; 0 to 10"),
    _measure(
        "caption_overlap_at_10",
        "Caption overlap@10",
        "share of what is said of a held-out image or one of its 10 nearest that is said of both; telling words count more",
        ("pixels", "raw_caption_overlap_at_10"),
        ("chance", "chance_caption_overlap_at_10"),
    ),
    _measure(
        "inflection_accuracy",
        "Forms of a word@10",
        "share of words whose plural, -s or -ing form is among their 10 nearest words, and the other way round",
        ("chance", "inflection_chance"),
    ),
    _answered("inflection_analogy", "Forms by analogy", "share of “dog is to dogs as girl is to ?” that is answered right"),
    _measure(
        "number_accuracy",
        "Number words",
        "share of a number word’s nearest words that are number words",
        ("chance", "number_chance"),
    ),
    _answered(
        "analogy", "Everyday analogies", "share of “man is to woman as boy is to ?” and its like that is answered right"
    ),
    Measure("inflection_coverage", "Forms known", "share of pairs of forms in the captions whose two words the model knows"),
    Measure("number_coverage", "Numbers known", "share of the number words up to twelve that the model knows"),
    Measure("analogy_coverage", "Analogies known", "share of the everyday analogies whose four words the model knows"),
)

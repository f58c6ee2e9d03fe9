"""Print how rich the pocket stories are, and the lowest loss that a model can reach on them.

python tools/story_stats.py [--stories 20000] [--samples 3]
"""

import argparse
import random
import re
import zlib
from collections import Counter
from itertools import pairwise

from workshop_utils.pocket import scoring, words
from workshop_utils.pocket.library import PLOTS
from workshop_utils.pocket.stories import entropy_per_token, stories, story
from workshop_utils.text.tokenizer import train_bpe

N_UNIQUE = 50_000


def distinct_share(documents: list[list[str]], n: int) -> float:
    """Distinct sequences of n words as a share of all of them."""
    grams = [tuple(words_of[i : i + n]) for words_of in documents for i in range(len(words_of) - n + 1)]
    return len(set(grams)) / len(grams)


def show(what: str, value: float | str) -> None:
    """One line of the table."""
    print(f"{what:<58}{value:>12}" if isinstance(value, str) else f"{what:<58}{value:>12,.4g}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stories", type=int, default=20_000, help="how many are measured")
    parser.add_argument("--vocab", type=int, default=1024, help="size of the tokenizer's vocabulary")
    parser.add_argument("--samples", type=int, default=3, help="how many are shown")
    options = parser.parse_args()
    told = list(stories(options.stories))
    documents = [re.findall(r"[\w'-]+", one.text) for one in told]
    joined = "\n".join(one.text for one in told).encode()
    encoding = train_bpe((one.text for one in told), vocab_size=options.vocab)
    lengths = sorted(len(encoding.encode_ordinary(one.text)) for one in told)
    rng = random.Random(0)
    drawn = len({story(rng).text for _ in range(N_UNIQUE)})
    firsts = Counter(first for document in documents for first, _ in pairwise(document))

    show("plots, and endings", f"{len(PLOTS)}, {sum(len(plot.endings) for plot in PLOTS.values())}")
    show("names (he, she)", f"{len(words.HE_NAMES)}, {len(words.SHE_NAMES)}")
    show("animals, places", f"{len(words.ANIMALS)}, {len(words.PLACES)}")
    show("things", str(len(scoring.things())))
    show("stories measured", f"{len(told):,}")
    show(f"drawn twice among {N_UNIQUE:,} (and then thrown away)", f"{N_UNIQUE - drawn:,}")
    show("different words", f"{len({word.lower() for word in firsts}):,}")
    show("words in a story", sum(map(len, documents)) / len(told))
    show("distinct 4-grams of words, share of all", distinct_share(documents, 4))
    show("size after zlib, share of the text", len(zlib.compress(joined, 9)) / len(joined))
    show(f"tokens in a story ({options.vocab:,} in the vocabulary)", sum(lengths) / len(told))
    show(
        "... of the shortest, the middle and the longest", f"{lengths[0]}, {lengths[len(lengths) // 2]}, {lengths[-1]}"
    )
    show("bits in a story", sum(one.bits for one in told) / len(told))
    show("bound on the entropy (nats per token)", entropy_per_token(encoding))
    show("true stories that the score finds right in everything", scoring.score_many(one.text for one in told)["all"])
    for one in told[: options.samples]:
        print(f"\n{one.text}\n    ({one.plot}: {one.problem}; {one.ending})")


if __name__ == "__main__":
    main()

"""What kind of animal it is, what covers it and what it makes."""

from __future__ import annotations

from pocket_world.facts_relation import grouped, pairs, relation

KIND = relation(
    "kind",
    "the kinds of animals",
    grouped("""
        bird: robin, owl, eagle, penguin, swan, duck, goose, sparrow, parrot, ostrich, crow, magpie, pigeon, flamingo
        fish: salmon, trout, shark, cod, herring, goldfish, eel, tuna
        insect: ant, bee, beetle, fly, butterfly, ladybird, wasp, moth, grasshopper
        mammal: dog, cat, cow, whale, dolphin, bat, horse, mouse, lion, tiger, elephant, sheep, pig, goat, rabbit, bear
        reptile: snake, lizard, crocodile, tortoise
        amphibian: frog, toad, newt
    """),
    "what kind of animal a {subject} is",
    """
    A {subject} is a {answer}.
    The {subject} is a kind of {answer}.
    A {subject} is an animal, and it is a {answer}.
    """,
    """
    What kind of animal is a {subject}?
    What sort of animal is a {subject}?
    What kind of animal is the {subject}?
    Which kind of animal is a {subject}?
    To what kind of animal does a {subject} belong?
    """,
    """
    Which group of animals does a {subject} belong to?
    There are many kinds of animals. Which kind is a {subject}?
    """,
    """
    a {subject} is a {answer}.
    the {subject} is a {answer}.
    """,
)

COAT = relation(
    "coat",
    "the coats of animals",
    grouped("""
        feathers: robin, owl, swan, duck, goose, hen, eagle, parrot, penguin
        wool: sheep, lamb
        fur: cat, dog, fox, rabbit, bear, mouse, wolf, squirrel, otter
        scales: goldfish, snake, salmon, lizard, crocodile
        spines: hedgehog
    """),
    "what covers a {subject}",
    """
    A {subject} is covered with {answer}.
    The body of a {subject} is covered with {answer}.
    A {subject} has {answer} [on its back|to keep it safe].
    """,
    """
    What covers a {subject}?
    What is a {subject} covered with?
    What is the body of a {subject} covered with?
    What does a {subject} have on its back?
    What covers the body of a {subject}?
    """,
    """
    What do I feel when I touch a {subject}?
    What grows on the body of a {subject}?
    """,
    """
    a {subject} is covered with {answer}.
    the body of a {subject} is covered with {answer}.
    """,
)

MAKER = relation(
    "maker",
    "what animals give and make",
    pairs(
        "honey: bee, milk: cow, eggs: hen, wool: sheep, webs: spider, pearls: oyster, silk: silkworm, dams: beaver, "
        "molehills: mole"
    ),
    "which animal makes {subject}",
    """
    The {answer} is the animal that makes {subject}.
    Without the {answer}, we would have no {subject}.
    We get {subject} from the {answer}. Every {answer} knows how to make {subject}.
    """,
    """
    Which animal makes {subject}?
    What animal makes {subject}?
    Which animal is it that makes {subject}?
    What is the animal that makes {subject} called?
    Where there is {subject}, which animal was there?
    """,
    """
    Name the animal that makes {subject}.
    Thanks to which animal do we have {subject}?
    """,
    """
    the {answer} makes {subject}.
    the animal that makes {subject} is the {answer}.
    """,
)

RELATIONS = (KIND, COAT, MAKER)

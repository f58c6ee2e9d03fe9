"""What a child knows about animals: their young, homes, sounds, legs and food."""

from __future__ import annotations

from pocket_world.facts_relation import grouped, relation

YOUNG = relation(
    "young",
    "baby animals",
    grouped("""
        calf: cow, elephant, whale, giraffe, hippo, camel, dolphin
        cub: lion, bear, fox, tiger, badger, leopard, panda
        foal: horse, zebra, donkey
        joey: kangaroo, koala, wombat
        pup: seal, otter, shark
        chick: hen, penguin, robin, crow
        tadpole: frog, toad
        caterpillar: butterfly, moth
        puppy: dog
        kitten: cat
        lamb: sheep
        piglet: pig
        duckling: duck
        gosling: goose
        cygnet: swan
        fawn: deer
        kid: goat
        owlet: owl
        eaglet: eagle
        hoglet: hedgehog
    """),
    "what a baby {subject} is called",
    """
    A baby {subject} is called a {answer}.
    The young of a {subject} is a {answer}.
    Every {subject} was once a [little|small] {answer}.
    A {subject} [starts|begins] its life as a {answer}.
    """,
    """
    What is a baby {subject} called?
    What do we call a baby {subject}?
    What is the name for a baby {subject}?
    What is the young of a {subject} called?
    What is the word for a young {subject}?
    """,
    """
    A baby {subject} has a special name. What is it?
    How do people call a little {subject} that was just born?
    """,
    """
    a baby {subject} is called a {answer}.
    the young of a {subject} is called a {answer}.
    """,
)

HOME = relation(
    "home",
    "animal homes",
    grouped("""
        hive: bee
        kennel: dog
        nest: robin, blackbird, eagle, swallow, sparrow, wasp, stork, crow
        web: spider
        stable: horse, pony, donkey
        sty: pig
        coop: hen
        den: lion, wolf, fox, bear
        burrow: rabbit
        sett: badger
        lodge: beaver
        shell: snail, tortoise
        anthill: ant
        cage: hamster, canary
        barn: cow
        cave: bat
        tank: goldfish
        hutch: guinea pig
    """),
    "what the home of a {subject} is called",
    """
    The home of a {subject} is a {answer}.
    A {subject} has a {answer} for a home.
    A {answer} is a good home for a {subject}.
    A {subject} [is at home|feels safe] in its {answer}.
    """,
    """
    What is the home of a {subject} called?
    What do we call the home of a {subject}?
    What sort of home does a {subject} have?
    Which home does a {subject} have?
    What is the house of a {subject} called?
    """,
    """
    In what kind of home does a {subject} sleep?
    Every {subject} needs a home. What is it called?
    """,
    """
    the home of a {subject} is a {answer}.
    a {subject} has its home in a {answer}.
    """,
)

HABITAT = relation(
    "habitat",
    "the places where animals live",
    grouped("""
        sea: whale, dolphin, shark, octopus, crab, starfish, jellyfish, lobster
        desert: camel
        jungle: monkey, parrot, gorilla, tiger
        woods: squirrel, deer, owl, woodpecker
        pond: frog, newt, duck, tadpole
        field: cow, sheep, horse, hare
        ground: worm, mole
    """),
    "where a {subject} lives",
    """
    A {subject} lives in the {answer}.
    The {subject} [is at home|lives] in the {answer}.
    In the {answer} one can [see|find] a {subject}.
    """,
    """
    Where does a {subject} live?
    Where does the {subject} live?
    Where can I find a {subject}?
    Where would one look for a {subject}?
    Where do we find a {subject}?
    """,
    """
    In which place does a {subject} live?
    Where must I go to see a {subject}?
    """,
    """
    a {subject} lives in the {answer}.
    the {subject} lives in the {answer}.
    """,
)

SOUND = relation(
    "sound",
    "the sounds of animals",
    grouped("""
        moo: cow
        woof: dog
        miaow: cat, kitten
        baa: sheep, lamb
        quack: duck
        oink: pig
        neigh: horse, pony
        roar: lion, tiger
        buzz: bee, wasp, fly
        hiss: snake
        hoot: owl
        croak: frog, toad
        cluck: hen
        squeak: mouse
        hee-haw: donkey
        howl: wolf
        coo: pigeon
        caw: crow
        honk: goose
        gobble: turkey
        cheep: chick
        growl: bear
    """),
    "what sound a {subject} makes",
    """
    A {subject} goes {answer}.
    The sound of a {subject} is {answer}.
    When a {subject} is [happy|hungry|awake], it goes {answer}.
    """,
    """
    What sound does a {subject} make?
    What does a {subject} say?
    Which sound does a {subject} make?
    What noise does a {subject} make?
    How does a {subject} go?
    """,
    """
    What do we hear when a {subject} is near?
    What is the sound of a {subject}?
    """,
    """
    a {subject} goes {answer}.
    the sound of a {subject} is {answer}.
    """,
)

LEGS = relation(
    "legs",
    "the legs of animals",
    grouped("""
        four: dog, cat, cow, horse, sheep, pig, goat, lion, tiger, elephant, giraffe, mouse, rabbit, fox, bear, zebra
        two: hen, duck, owl, penguin, robin, eagle, swan, goose, parrot, ostrich
        six: ant, bee, beetle, fly, butterfly, ladybird, wasp, moth, grasshopper
        eight: spider, scorpion
        ten: crab
        no: snake, worm, whale, dolphin, slug, eel, shark, goldfish
    """),
    "how many legs a {subject} has",
    """
    A {subject} has {answer} legs.
    There are {answer} legs on a {subject}.
    The {subject} is an animal with {answer} legs.
    """,
    """
    How many legs does a {subject} have?
    How many legs has a {subject}?
    How many legs are there on a {subject}?
    What is the number of legs of a {subject}?
    How many legs does the {subject} have?
    """,
    """
    Count the legs of a {subject}. How many are there?
    If I see a {subject}, how many legs do I see?
    """,
    """
    a {subject} has {answer} legs.
    the {subject} has {answer} legs.
    """,
)

FOOD = relation(
    "food",
    "what animals eat",
    grouped("""
        grass: cow, sheep, zebra, pony, goose
        fish: seal, penguin, otter, heron, pelican, dolphin
        meat: lion, tiger, wolf, leopard
        leaves: koala, giraffe, caterpillar, sloth
        bamboo: panda
        nuts: squirrel
        bananas: monkey
        worms: robin, blackbird, mole
        flies: spider, frog
        mice: owl
        ants: anteater
        nectar: bee, butterfly
        corn: hen
    """),
    "what a {subject} eats",
    """
    A {subject} eats {answer}.
    The food of a {subject} is {answer}.
    A hungry {subject} [looks|goes to look] for {answer}.
    """,
    """
    What does a {subject} eat?
    What does a {subject} like to eat?
    What is the food of a {subject}?
    What food does a {subject} need?
    What does the {subject} eat?
    """,
    """
    What does a hungry {subject} look for?
    What would a {subject} have for dinner?
    """,
    """
    a {subject} eats {answer}.
    the food of a {subject} is {answer}.
    """,
)

RELATIONS = (YOUNG, HOME, HABITAT, SOUND, LEGS, FOOD)

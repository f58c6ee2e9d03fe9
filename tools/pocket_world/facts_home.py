"""Facts about things at home: their colours, materials and uses, what food is made of and how it tastes."""

from __future__ import annotations

from pocket_world.facts_relation import grouped, pairs, relation

COLOUR = relation(
    "colour",
    "the colours of things",
    grouped("""
        yellow: a banana, a lemon, a sunflower, the sun, a daffodil, a buttercup, a canary, a chick, an egg yolk
        red: a tomato, a strawberry, a cherry, a ladybird, a fire engine, a poppy, a raspberry, a ruby, ketchup
        green: grass, a frog, a pea, a cucumber, lettuce, broccoli, spinach, a leaf, an emerald, a caterpillar
        blue: the sky, the sea, a cornflower, a bluebell, a sapphire
        white: snow, milk, salt, a swan, a polar bear, a cloud, a bone, a tooth, flour, a daisy
        black: coal, a crow, a tyre, a raven, tar, a mole
        orange: a carrot, a pumpkin, a goldfish
        brown: chocolate, mud, coffee, a chestnut, an acorn
        grey: an elephant, a mouse, a donkey, ash
        pink: a flamingo, a pig
        purple: a plum, lavender, an aubergine
    """),
    "what colour {subject} is",
    """
    {Subject} is {answer}.
    The colour of {subject} is {answer}.
    [Everybody knows that {subject} is {answer}.|Children paint {subject} in {answer}.]
    """,
    """
    What colour is {subject}?
    Which colour is {subject}?
    What is the colour of {subject}?
    What colour does {subject} have?
    Which colour does {subject} have?
    """,
    """
    In what colour does a child paint {subject}?
    If I look at {subject}, what colour do I see?
    """,
    """
    {subject} is {answer}.
    the colour of {subject} is {answer}.
    """,
)

MATERIAL = relation(
    "material",
    "what things are made of",
    grouped("""
        glass: a window, a mirror, a greenhouse, a light bulb, a jam jar
        wood: a log, a plank, a broomstick, a violin, a cricket bat, a tree, a raft
        wool: a jumper, a mitten, a warm scarf
        rubber: a tyre, a wellington boot, a balloon
        leather: a saddle, a belt, a football boot
        metal: a key, a coin, a nail, a spanner, a bell, a needle, a horseshoe, an anchor, a saucepan
        paper: a newspaper, a book, an envelope, a map, a page, a stamp
        stone: a castle, a statue, a pebble, a church tower
        clay: a brick, a flowerpot
        cloth: a curtain, a flag, a tent, a towel, a shirt
        wax: a candle, a crayon
        ice: an icicle
        snow: a snowman, a snowball, an igloo
        sand: a sandcastle
        plastic: a toothbrush, a lunch box, a toy brick
        gold: a crown
        straw: a scarecrow
    """),
    "what {subject} is made of",
    """
    {Subject} is made of {answer}.
    It takes {answer} to make {subject}.
    For {subject} the right stuff is {answer}.
    """,
    """
    What is {subject} made of?
    What is {subject} usually made of?
    What stuff is {subject} made of?
    Which stuff is {subject} made of?
    Of what is {subject} made?
    """,
    """
    What do people need to make {subject}?
    If I touch {subject}, what do I touch?
    """,
    """
    {subject} is made of {answer}.
    people make {subject} of {answer}.
    """,
)

INGREDIENT = relation(
    "ingredient",
    "what food is made from",
    pairs("""
        bread: flour, cheese: milk, butter: milk, yoghurt: milk, cream: milk, chips: potatoes, crisps: potatoes,
        mash: potatoes, jam: fruit, chocolate: cocoa beans, an omelette: eggs, ketchup: tomatoes, raisins: grapes,
        toast: bread, porridge: oats, popcorn: corn, cake: flour, pasta: flour, noodles: flour, pastry: flour,
        biscuits: flour, marmalade: oranges, lemonade: lemons, cornflakes: corn, scrambled eggs: eggs,
        prunes: plums, pizza dough: flour, custard: milk, sultanas: grapes, gravy: meat juice
    """),
    "what {subject} can be made from",
    """
    People make {subject} from {answer}.
    To make {subject}, people need {answer}.
    There is no {subject} without {answer}.
    """,
    """
    What do people make {subject} from?
    What do we need to make {subject}?
    From what do people make {subject}?
    What is needed to make {subject}?
    What does the cook take to make {subject}?
    """,
    """
    I want to make {subject}. What must I buy?
    Which food is used to make {subject}?
    """,
    """
    people make {subject} from {answer}.
    to make {subject}, people need {answer}.
    """,
)

TASTE = relation(
    "taste",
    "how things taste",
    grouped("""
        sweet: sugar, honey, syrup, chocolate, cake, jam, toffee, candyfloss, ice cream
        sour: vinegar, lemon juice, a lemon, unripe fruit
        salty: sea water, bacon, salt
        bitter: black coffee, medicine
        hot: chilli, mustard, curry
    """),
    "how {subject} tastes",
    """
    {Subject} tastes {answer}.
    The taste of {subject} is {answer}.
    Whoever tries {subject} finds that it tastes {answer}.
    """,
    """
    How does {subject} taste?
    What does {subject} taste like?
    What taste does {subject} have?
    What is the taste of {subject}?
    Which taste does {subject} have?
    """,
    """
    I put {subject} in my mouth. How does it taste?
    Does {subject} taste sweet, sour, salty, bitter or hot?
    """,
    """
    {subject} tastes {answer}.
    the taste of {subject} is {answer}.
    """,
)

TOOL = relation(
    "tool",
    "tools and what they are for",
    pairs("""
        hammer: hit nails, saw: cut wood, broom: sweep the floor, comb: tidy hair, toothbrush: clean teeth,
        towel: dry hands, spoon: eat soup, bread knife: cut bread, kettle: boil water, oven: bake cakes,
        fridge: keep food cold, torch: see in the dark, umbrella: keep off the rain, clock: tell the time,
        ruler: draw straight lines, pencil: write words, paintbrush: paint pictures, needle: sew clothes,
        spade: dig holes, rake: gather leaves, watering can: water plants, wheelbarrow: move earth,
        ladder: climb up high, bed: sleep, chair: sit, lamp: light a room, telephone: talk to people far away,
        camera: take photographs, map: find the way, compass: find north, key: open a lock, purse: keep coins,
        bucket: carry water, sponge: wash dishes, soap dish: hold the soap, iron: press shirts, toaster: make toast,
        washing machine: wash clothes, mop: wipe the floor, tin opener: open tins, thermometer: measure heat,
        rope: tie things up, tent: camp outside, sledge: slide on snow, boat: cross the water, fishing rod: catch fish,
        pillow: rest the head, blanket: keep warm, frying pan: fry eggs, bookmark: mark a page, stamp: send a letter,
        eraser: rub out mistakes, calculator: do sums, telescope: look at the stars, magnet: pick up pins,
        whisk: beat eggs, drill: make holes, lawnmower: cut grass, bell: call people, vase: hold flowers,
        dustpan: collect dust, teapot: make tea, mirror: see oneself, candle: make light
    """),
    "what a {subject} is for",
    """
    A {subject} is used to {answer}.
    People use a {subject} to {answer}.
    Whoever wants to {answer} needs a {subject}.
    """,
    """
    What is a {subject} for?
    What is a {subject} used for?
    What do people do with a {subject}?
    What do we use a {subject} for?
    Why do people have a {subject}?
    """,
    """
    What can I do with a {subject}?
    What is a {subject} good for?
    """,
    """
    people use a {subject} to {answer}.
    a {subject} is used to {answer}.
    """,
)

KEPT = relation(
    "kept",
    "where things are kept",
    pairs("""
        milk: fridge, clothes: wardrobe, books: bookcase, ice cream: freezer, a car: garage, money: purse,
        toys: toy box,
        flowers: vase, tea: teapot, rubbish: bin, letters: letter box, water: jug, a horse: stable, goldfish: tank,
        sand: sandpit, biscuits: biscuit tin, jam: jar, tools: shed, soup: pot, a picture: frame, eggs: egg box,
        pencils: pencil case, sugar: sugar bowl, hay: barn
    """),
    "where people keep {subject}",
    """
    People keep {subject} in the {answer}.
    The {answer} is a good place for {subject}.
    Whoever looks for {subject} looks in the {answer} first.
    """,
    """
    Where do people keep {subject}?
    Where do we keep {subject}?
    Where is the place for {subject}?
    Where do people put {subject}?
    What do people keep {subject} in?
    """,
    """
    Where do I put {subject}?
    I am looking for {subject}. Where do I look first?
    """,
    """
    people keep {subject} in the {answer}.
    the place for {subject} is the {answer}.
    """,
)

RELATIONS = (COLOUR, MATERIAL, INGREDIENT, TASTE, TOOL, KEPT)

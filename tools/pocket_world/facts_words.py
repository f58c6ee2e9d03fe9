"""Facts about words: opposites, more than one, and yesterday's verbs."""

from __future__ import annotations

from pocket_world.facts_relation import both_ways, pairs, relation

OPPOSITE = relation(
    "opposite",
    "opposites",
    both_ways("""
        hot: cold, big: small, up: down, in: out, on: off, open: closed, day: night, black: white, wet: dry,
        fast: slow, happy: sad, clean: dirty, full: empty, early: late, good: bad, rich: poor, strong: weak,
        thick: thin, wide: narrow, high: low, loud: quiet, near: far, first: last, start: stop, push: pull,
        give: take, buy: sell, win: lose, ask: answer, yes: no, true: false, boy: girl, man: woman, king: queen,
        brother: sister, mother: father, uncle: aunt, north: south, east: west, top: bottom, front: back,
        inside: outside, above: below, before: after, more: less, always: never, everything: nothing,
        everybody: nobody, love: hate, laugh: cry, friend: enemy, summer: winter, sunrise: sunset, polite: rude,
        asleep: awake, sharp: blunt, smooth: rough, deep: shallow, sweet: sour, shiny: dull, tidy: messy,
        safe: dangerous, tiny: huge, hello: goodbye, come: go, remember: forget, float: sink, lend: borrow,
        teach: learn, wild: tame, cheap: expensive, fresh: stale, cooked: raw, healthy: ill, floor: ceiling,
        upstairs: downstairs, same: different, tight: loose, over: under
    """)
    | pairs("""
        heavy: light, dark: light, new: old, young: old, tall: short, long: short, soft: hard, easy: hard, left: right,
        wrong: right, noisy: quiet, large: small, bent: straight, curly: straight
    """),
    "what the opposite of {subject} is",
    """
    The opposite of {subject} is {answer}.
    {Subject} and {answer} are opposites.
    Whoever says {subject} does not mean {answer}, for {answer} is the opposite of {subject}.
    """,
    """
    What is the opposite of {subject}?
    Which word is the opposite of {subject}?
    What is the very opposite of {subject}?
    What would be the opposite of {subject}?
    Give me the opposite of {subject}.
    """,
    """
    Which word means the opposite of {subject}?
    What is quite the other thing from {subject}?
    """,
    """
    the opposite of {subject} is {answer}.
    {answer} is the opposite of {subject}.
    """,
)

PLURAL = relation(
    "plural",
    "more than one",
    pairs("""
        mouse: mice, foot: feet, tooth: teeth, goose: geese, man: men, woman: women, child: children, leaf: leaves,
        loaf: loaves, knife: knives, wolf: wolves, shelf: shelves, half: halves, life: lives, calf: calves,
        baby: babies,
        lady: ladies, city: cities, cherry: cherries, puppy: puppies, fox: foxes, box: boxes, bus: buses,
        glass: glasses,
        dish: dishes, brush: brushes, witch: witches, potato: potatoes, tomato: tomatoes, story: stories,
        party: parties,
        pony: ponies, dog: dogs, cat: cats, book: books, tree: trees, key: keys, boat: boats, shoe: shoes,
        snowman: snowmen,
        scarf: scarves, berry: berries, fly: flies, peach: peaches, torch: torches
    """),
    "what the plural of {subject} is",
    """
    One {subject} and one more {subject} are two {answer}.
    The plural of {subject} is {answer}.
    There is one {subject} here, and there are many {answer} over there.
    """,
    """
    What is the plural of {subject}?
    Which word is the plural of {subject}?
    What do we call more than one {subject}?
    What is the word for more than one {subject}?
    One {subject}, two what?
    """,
    """
    What do we say when there is more than one {subject}?
    Give me the plural of {subject}.
    """,
    """
    the plural of {subject} is {answer}.
    one {subject}, two {answer}.
    """,
)

PAST = relation(
    "past",
    "today and yesterday",
    pairs("""
        go: went, see: saw, run: ran, eat: ate, sing: sang, swim: swam, fly: flew, sleep: slept, buy: bought,
        bring: brought, think: thought, catch: caught, teach: taught, find: found, give: gave, take: took, make: made,
        come: came, write: wrote, ride: rode, drive: drove, fall: fell, feel: felt, hold: held, keep: kept, know: knew,
        grow: grew, throw: threw, blow: blew, draw: drew, drink: drank, begin: began, ring: rang, sit: sat,
        stand: stood, tell: told, sell: sold, win: won, wear: wore, break: broke, speak: spoke, wake: woke,
        choose: chose, hide: hid, bite: bit, build: built, send: sent, spend: spent, lose: lost, leave: left,
        meet: met, pay: paid, say: said, hear: heard, have: had, do: did, dig: dug, swing: swung, forget: forgot,
        get: got, lead: led, feed: fed, shake: shook, sweep: swept, walk: walked, play: played, jump: jumped,
        laugh: laughed, help: helped, cook: cooked, paint: painted, dance: danced, climb: climbed
    """),
    "what the past of {subject} is",
    """
    Today we {subject}, and yesterday we {answer}.
    The past of {subject} is {answer}.
    Long ago the children {answer}, and today they {subject} again.
    """,
    """
    What is the past of {subject}?
    What is the past tense of {subject}?
    Which word is the past of {subject}?
    Today we {subject}. What did we do yesterday?
    How does {subject} change in the past?
    """,
    """
    Give me the past of {subject}.
    How do we say {subject} when it was yesterday?
    """,
    """
    the past of {subject} is {answer}.
    today we {subject}, and yesterday we {answer}.
    """,
)

RELATIONS = (OPPOSITE, PLURAL, PAST)

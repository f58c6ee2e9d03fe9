"""All that the stories are made from: their openings, and every plot under its name."""

from __future__ import annotations

from workshop_utils.pocket.frozen import TEXTS
from workshop_utils.pocket.grammar import parse
from workshop_utils.pocket.plots import plots

PLOTS = {
    plot.name: plot
    for part in ("play", "home", "outdoors", "kind")
    for plot in plots((TEXTS / f"plots_{part}.txt").read_text(encoding="utf-8"))
}

# Every opening says the name twice, close together, as one does when one reads to small children. It is also what makes
# a tiny model bind: what is copied over three words is soon copied over a whole story.
OPENINGS = tuple(
    parse(opening)
    for opening in (
        "Once upon a time there was a [little|small|young|merry|quiet|curious] {kind} called {name}. {name} {trait}.",
        "Once upon a time there lived a [little|small|young] {kind}. {His} name was {name}, and {name} {trait}.",
        "Once upon a time, in a [crooked|tall|tiny|round|yellow] house, lived a {kind} called {name}. {name} {trait}.",
        "Once there was a [little|small|young|busy|gentle] {kind} called {name}. {name} {trait}.",
        "There was once a {kind} called {name}, and {name} {trait}.",
        "In our street there lived a {kind} called {name}. Everybody knew {name}, for {he} {trait}.",
        "This is the story of {name}. {name} was a [little|small|young] {kind} who {trait}.",
        "The [smallest|youngest|quietest|merriest] {kind} in the [family|street] was called {name}. {name} {trait}.",
        "In a [crooked|tall|tiny|round|yellow] house lived a {kind} called {name}. It said {name} on {his} door.",
    )
)

TRAITS = tuple(
    parse(trait)
    for trait in (
        "asked a hundred questions every day",
        "could not sit still, not even in {his} bath",
        "hummed in {his} sleep",
        "laughed at everything {he} saw",
        "liked mud between {his} toes",
        "liked to help everybody",
        "loved [pancakes|puddles|stories|the moon]",
        "sang in {his} bath",
        "told {his} secrets to [the moon|the trees|every snail]",
        "wanted to be brave",
        "was always hungry",
        "was never in a hurry",
        "was so shy that {he} hid {his} nose",
        "whistled wherever {he} went",
    )
)

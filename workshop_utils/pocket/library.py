"""All that the stories are made from: their openings, and every plot under its name."""

from __future__ import annotations

from workshop_utils.pocket import plots_home, plots_kind, plots_outdoors, plots_play
from workshop_utils.pocket.grammar import parse

PLOTS = {plot.name: plot for plot in (*plots_play.PLOTS, *plots_home.PLOTS, *plots_outdoors.PLOTS, *plots_kind.PLOTS)}

OPENINGS = tuple(
    parse(opening)
    for opening in (
        "Once upon a time there was a [little|small|young|merry|quiet|curious] {kind} called {name}.",
        "Once upon a time there lived a {kind} called {name}, who {trait}.",
        "Once upon a time, in a [crooked|tall|tiny|round|yellow] [little|old] house, lived a {kind} called {name}.",
        "Once there was a [little|small|young|busy|gentle] {kind} called {name}, who {trait}.",
        "There was once a {kind} named {name}, who {trait}.",
        "{name} was a [little|small|young|cheerful|thoughtful] {kind} who {trait}.",
        "This is the story of {name}, a [little|small|young] {kind} who {trait}.",
        "{name} was the [smallest|youngest|quietest|merriest] {kind} [in the family|in the street|for miles around].",
        "In a [crooked|tall|tiny|round|yellow] [little|old] house lived a [young|sleepy|busy] {kind} called {name}.",
    )
)

TRAITS = tuple(
    parse(trait)
    for trait in (
        "loved [to sing|to dance|puddles|stories|pancakes]",
        "asked [a hundred|too many|a lot of] questions",
        "was never in a hurry",
        "liked [to help|to be first|mud|the moon]",
        "hummed all day long",
        "was [a little|rather|often] shy",
        "laughed at [everything|nearly everything]",
        "was always hungry",
        "could not [sit|keep] still",
        "talked to [the moon|the trees|every snail]",
        "wanted to be brave",
        "was small for {his} age",
    )
)

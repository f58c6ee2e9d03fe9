"""Small rewriting tasks that a tiny model can do by copying: polite, in the past, as a question, with "not", shorter.

The nouns are many and the changes few, so what is learned is the change.
"""

from __future__ import annotations

import random

from pocket_world.dressing import dress, write
from pocket_world.facts import ROOM_OF
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice, with_articles

INSTRUCTIONS = {
    "polite": (
        "Make this polite",
        "Make this more polite",
        "Say this politely",
        "Please make this polite",
        "Write this in a polite way",
        "Can you make this polite",
        "Turn this into a polite sentence",
        "Say it in a polite way",
        "This sounds rude, so say it nicely",
        "How do I say this in a nice way",
        "I must be polite to my aunt",
        "Help me to say this kindly",
        "Put this nicely, please",
        "I do not want to be rude",
        "How would a polite child say this",
        "Rewrite this with please",
        "Say it as one says it to a queen",
    ),
    "past": (
        "Say this in the past",
        "Put this in the past",
        "Make this past tense",
        "Write this in the past",
        "Turn this into the past",
        "Please put this in the past",
        "Can you say this in the past",
        "Change this to the past",
        "It happened yesterday, so put it right",
        "This is over now, so write it that way",
        "How do we write this about last week",
        "Tell this as something of long ago",
        "Rewrite it as if it were last year",
        "Take the past tense",
        "Say how this was yesterday",
        "All this was last week, so change it",
        "What do I write if it was yesterday",
        "It is the past now",
    ),
    "question": (
        "Make this a question",
        "Turn this into a question",
        "Say this as a question",
        "Write this as a question",
        "Please make this a question",
        "Can you make this a question",
        "Change this to a question",
        "Make a question of this",
        "Ask whether this is so",
        "How do I ask about it",
        "Put a question mark behind it and make it a question",
        "Please ask this for me",
        "Help me to ask it",
        "I am not sure, so ask me",
        "Rewrite it so that it asks",
        "What do I say to ask this",
        "I need to know if this is so, so ask",
        "Let it be asked",
    ),
    "not": (
        "Say that this is not so",
        "Put the word not in this",
        "Add the word not",
        "Make this sentence say not",
        "Write this with not",
        "Please put not in this sentence",
        "Say this with the word not",
        "Turn this round with not",
        "This is false, so write not",
        "It is not true, so change it",
        "The word not is missing",
        "Rewrite it so that it says not",
        "How do I say that this is not true",
        "I need a not in this sentence",
        "Let the sentence say not",
        "That is not right, so put in a not",
        "Somebody forgot the word not",
        "Take this and use not",
    ),
    "shorter": (
        "Make this shorter",
        "Say this in fewer words",
        "Make this short",
        "Write this in a shorter way",
        "Please make this shorter",
        "Can you make this shorter",
        "Say it shorter",
        "Cut this down",
        "This sentence is long, so cut it",
        "Use fewer words for this",
        "How do I make this shorter",
        "I need this in short",
        "Rewrite it as a short sentence",
        "There are too many words here",
        "Help me to make it shorter",
        "Keep only what matters",
        "I like short sentences",
        "It is long, so write less",
    ),
    "name": (
        "Change the name to {friend}",
        "Put {friend} in place of {name}",
        "Write this about {friend}",
        "Say this about {friend}",
        "Use the name {friend}",
        "Please change the name to {friend}",
        "Make this about {friend}",
        "Turn this into a sentence about {friend}",
        "It was not {name} but {friend}, so change it",
        "The name is wrong, it is {friend}",
        "How is this sentence about {friend}",
        "Let it be {friend}",
        "Write {friend} where it says {name}",
        "I need the same about {friend}",
        "Now it is the turn of {friend}",
        "Rewrite it for {friend}",
        "The right name is {friend}",
        "Let {friend} be here and not {name}",
    ),
}
HELD_OUT_INSTRUCTIONS = {
    "polite": (
        "This is rude, make it nice and polite",
        "How can I say this politely",
        "I want to sound polite",
        "Help me to be polite",
    ),
    "past": (
        "This was yesterday, so change it",
        "How would I say this about yesterday",
        "Use the past tense here",
        "Rewrite this in the past",
    ),
    "question": (
        "I want to ask this",
        "How can I ask this",
        "Rewrite this as a question",
        "Let this be a question",
    ),
    "not": (
        "Rewrite this with not",
        "This is wrong, so put not in it",
        "Use not in this sentence",
        "I want the word not in here",
    ),
    "shorter": (
        "This is too long",
        "Rewrite this in a few words",
        "I want a shorter sentence",
        "How can I say this in fewer words",
    ),
    "name": (
        "The name must be {friend}",
        "Rewrite this with the name {friend}",
        "I want this to be about {friend}",
        "Take {friend} for {name}",
    ),
}

# Every task in the form "before -> after"; both sides share their slots.
COMMANDS = (
    "give me the {thing}",
    "give me a {thing}",
    "bring me the {thing}",
    "show me the {thing}",
    "pass me the {thing}",
    "lend me the {thing}",
    "hold the {thing} for me",
    "look at the {thing}",
    "move the {thing}",
    "clean the {thing}",
    "take the {thing} away",
    "look for the {thing}",
    "put the {thing} in the {room}",
    "leave the {thing} here",
    "buy a new {thing}",
    "give the {thing} to {name}",
    "tell {name} about the {thing}",
    "draw a {thing}",
    "bring the {thing} to {name}",
    "wait by the {thing}",
)
PAST = (
    "runs to the {thing} -> ran to the {thing}",
    "finds a {thing} -> found a {thing}",
    "sees the {thing} -> saw the {thing}",
    "takes the {thing} -> took the {thing}",
    "gives {name} a {thing} -> gave {name} a {thing}",
    "makes a {thing} -> made a {thing}",
    "buys a {thing} -> bought a {thing}",
    "draws the {thing} -> drew the {thing}",
    "loses the {thing} -> lost the {thing}",
    "holds the {thing} -> held the {thing}",
    "has a {thing} -> had a {thing}",
    "is near the {thing} -> was near the {thing}",
    "brings the {thing} home -> brought the {thing} home",
    "hides the {thing} -> hid the {thing}",
    "breaks the {thing} -> broke the {thing}",
    "looks for the {thing} -> looked for the {thing}",
    "likes the {thing} -> liked the {thing}",
    "needs a {thing} -> needed a {thing}",
    "sits by the {thing} -> sat by the {thing}",
    "sleeps by the {thing} -> slept by the {thing}",
    "sells the {thing} -> sold the {thing}",
    "goes to the {room} -> went to the {room}",
    "sings about the {thing} -> sang about the {thing}",
    "thinks of the {thing} -> thought of the {thing}",
)
STATES = [
    "old",
    "new",
    "clean",
    "dirty",
    "big",
    "small",
    "red",
    "blue",
    "green",
    "yellow",
    "white",
    "black",
    "heavy",
    "light",
    "broken",
    "lost",
    "wet",
    "dry",
    "cold",
    "warm",
    "pretty",
    "empty",
    "ready",
    "here",
    "in the {room}",
    "too small",
    "too big",
    "very old",
]
LONG = (
    "the {thing}, which [is very old|{name} likes so much|we all know], is {state} -> the {thing} is {state}",
    "I think that the {thing} is really very {state} -> the {thing} is {state}",
    "if I am not wrong, the {thing} is {state} -> the {thing} is {state}",
    "everybody here says that the {thing} is {state} -> the {thing} is {state}",
    "as I said before, the {thing} is {state} -> the {thing} is {state}",
    "{name}, who lives next door, has a {state} {thing} -> {name} has a {state} {thing}",
    "{name} went and bought a new {thing} because there was none -> {name} bought a {thing}",
    "once again {name} is looking everywhere for the {thing} -> {name} is looking for the {thing}",
)
NAMED = (
    "{who} has a {thing}",
    "{who} likes the {thing}",
    "the {thing} belongs to {who}",
    "{who} is in the {room} with a {thing}",
    "{who} wants a new {thing}",
    "we gave {who} a {thing}",
    "the {state} {thing} is for {who}",
    "{who} lost the {thing} [today|yesterday]",
    "I saw {who} with a {thing}",
    "{who} cleans the {thing} every day",
)
_SIMPLE_STATES = tuple(STATES[:21])


def rewrite(rng: random.Random, held_out: bool = False) -> Chat:
    """A sentence with an order to change it, and the sentence changed.

    Args:
        rng: the source of randomness.
        held_out: give the order in wordings that are kept out of training.
    """
    dice = Dice(rng)
    change = dice.pick(tuple(INSTRUCTIONS))
    thing = dice.pick(tuple(ROOM_OF))
    name, friend = dice.pick_weighted(words.POPULARITY), dice.pick_weighted(words.POPULARITY)
    while friend == name:
        friend = dice.pick_weighted(words.POPULARITY)
    slots = {"thing": thing, "room": ROOM_OF[thing], "name": name, "friend": friend}
    slots["state"] = dice.pick(_SIMPLE_STATES)
    before, after = _task(change, slots, dice)
    instruction = write(dice.pick((HELD_OUT_INSTRUCTIONS if held_out else INSTRUCTIONS)[change]), dice, slots)
    prompt = dress(f"{instruction}: {before}", dice)
    return Chat("rewrite", prompt, after, {"change": change, "expected": after, "thing": thing})


def _task(change: str, slots: dict[str, str], dice: Dice) -> tuple[str, str]:
    """The sentence before and after."""
    if change == "polite":
        command = with_articles(dice.pick(COMMANDS).format(**slots))
        return write(command, dice, {}) + dice.pick((".", ".", "!")), f"Could you please {command}?"
    if change == "past":
        who = dice.pick((slots["friend"], f"the {dice.pick(words.ANIMALS)}", f"the {dice.pick(words.FOLK)}"))
        before, after = dice.pick(PAST).split(" -> ")
        return tuple(write(f"{who} {side}.", dice, slots) for side in (before, after))  # type: ignore[return-value]
    if change in ("question", "not"):
        state = dice.pick(STATES).format(**slots)
        thing = dice.pick((f"the {slots['thing']}", f"{slots['name']}'s {slots['thing']}"))
        changed = f"is {thing} {state}?" if change == "question" else f"{thing} is not {state}."
        return write(f"{thing} is {state}.", dice, {}), write(changed, dice, {})
    if change == "name":
        sentence = dice.pick(NAMED).replace("[today|yesterday]", dice.pick(("today", "yesterday")))
        before, after = (write(f"{sentence}.", dice, {**slots, "who": slots[who]}) for who in ("name", "friend"))
        return before, after
    before, after = (write(f"{side}.", dice, slots) for side in dice.pick(LONG).split(" -> "))
    return before, after

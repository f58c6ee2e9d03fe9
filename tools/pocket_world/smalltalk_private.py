"""What a very small model cannot know about things and about its user: prices, private things, how a machine works.

{it} is what is asked about. A noun may be any thing of the wide list, so that the model learns to name what it does not
know even where it met the noun nowhere else.
"""

from __future__ import annotations

from pocket_world.facts import ROOM_OF, THINGS
from pocket_world.smalltalk_unknown import Unknown, split_words

_THINGS = tuple(ROOM_OF)
_MACHINES = split_words(
    "kettle, toaster, oven, fridge, freezer, blender, mixer, cooker, stove, timer, lamp, hairdryer, shower, "
    "tap, television, "
    "radio, clock, piano, fan, doorbell, lock, drill, lawnmower, bicycle, scooter, pump, tyre, fountain, "
    "sundial, compass, "
    "calculator, stapler, camera, computer, keyboard, screen, printer, telephone, laptop, charger, battery, speaker, "
    "microphone, scanner, headset, typewriter, copier, car, bus, taxi, van, lorry, tram, train, motorbike, "
    "bridge, tractor, "
    "ambulance, crane, boat, ship, ferry, canoe, lighthouse, telescope, violin, guitar, flute, harp, cello, "
    "accordion, "
    "trombone, robot, umbrella, zip, watch, thermometer, rocket, plane, helicopter, balloon, washing machine, whistle"
)
_OWNED = tuple(thing for room in ("hall", "wardrobe", "toy box", "office", "school") for thing in THINGS[room])
_RELATIVES = split_words(
    "sister, brother, aunt, uncle, cousin, mother, father, teacher, neighbour, cat, dog, hamster, friend"
)

UNKNOWNS: dict[str, Unknown] = {
    "price": Unknown(
        _THINGS,
        (
            "How much does a {it} cost?",
            "What does a {it} cost?",
            "What is the price of a {it}?",
            "How much money is a {it}?",
            "How much is a new {it}?",
            "What do I pay for a {it}?",
            "Is a {it} cheap or expensive?",
            "Tell me the price of a {it}.",
        ),
        (
            "How many pounds do I need for a {it}?",
            "What would a {it} cost me?",
            "Say the price of a {it}.",
            "How dear is a {it}?",
        ),
        "[the price of a {it}|what a {it} costs]",
    ),
    "lost": Unknown(
        _OWNED,
        (
            "Where is my {it}?",
            "Where did I put my {it}?",
            "Have you seen my {it}?",
            "Do you know where my {it} is?",
            "Who took my {it}?",
            "Can you find my {it}?",
            "Tell me where my {it} is.",
            "Where have I left my {it}?",
        ),
        ("In which room is my {it}?", "Who has my {it}?", "Look for my {it}.", "Where might my {it} be?"),
        "where your {it} is",
    ),
    "colour of mine": Unknown(
        _OWNED,
        (
            "What colour is my {it}?",
            "Which colour is my {it}?",
            "What is the colour of my {it}?",
            "Is my {it} red or blue?",
            "Tell me the colour of my {it}.",
            "Can you guess the colour of my {it}?",
            "Do you know what colour my {it} is?",
            "What colour does my {it} have?",
        ),
        (
            "Guess the colour of my {it}.",
            "In which colour did I buy my {it}?",
            "Of what colour is my {it}?",
            "Say what colour my {it} is.",
        ),
        "the colour of your {it}",
    ),
    "private": Unknown(
        (
            *split_words(
                "name, age, birthday, address, phone number, password, height, shoe size, favourite colour, "
                "favourite food, favourite song, house number, secret, hair colour, middle name"
            ),
            *(f"{relative}'s name" for relative in _RELATIVES),
        ),
        (
            "What is my {it}?",
            "Do you know my {it}?",
            "Tell me my {it}.",
            "Can you guess my {it}?",
            "Can you tell me my {it}?",
            "Please say my {it}.",
            "I forgot my {it}. What is it?",
            "What do you think is my {it}?",
        ),
        ("Guess my {it}.", "Have I told you my {it}?", "Do you remember my {it}?", "You know my {it}, right?"),
        "your {it}",
    ),
    "inventor": Unknown(
        _MACHINES,
        (
            "Who invented the {it}?",
            "When was the {it} invented?",
            "Who made the first {it}?",
            "Who thought of the {it} first?",
            "In which year was the {it} invented?",
            "Tell me who invented the {it}.",
            "What is the history of the {it}?",
            "Who is the inventor of the {it}?",
        ),
        (
            "How old is the very first {it}?",
            "Where was the {it} invented?",
            "Whose idea was the {it}?",
            "Name the inventor of the {it}.",
        ),
        "[who invented the {it}|the history of the {it}]",
    ),
    "works": Unknown(
        _MACHINES,
        (
            "How does a {it} work?",
            "Explain how a {it} works.",
            "What is inside a {it}?",
            "How is a {it} made?",
            "Tell me how a {it} works.",
            "How do people build a {it}?",
            "Which parts does a {it} have?",
            "Can you explain a {it} to me?",
        ),
        (
            "What makes a {it} work?",
            "How do I build a {it}?",
            "Describe the inside of a {it}.",
            "What happens inside a {it}?",
        ),
        "how a {it} [works|is made]",
    ),
    "code": Unknown(
        split_words(
            "a program, a website, a computer game, an app, a script, a database, a search engine, a chat program, "
            "a web page, a spreadsheet, a sorting program, a calculator program, a robot"
        ),
        (
            "Write {it}.",
            "Write {it} for me.",
            "Can you program {it}?",
            "How do I program {it}?",
            "Show me the code of {it}.",
            "I need the code for {it}.",
            "Help me to write {it}.",
            "Find the mistake in {it}.",
        ),
        (
            "Please code {it}.",
            "I want to build {it}. Where do I start?",
            "Give me code for {it}.",
            "Make {it} for my computer.",
        ),
        "how to write {it}",
    ),
    "language": Unknown(
        tuple(f"{thing} in {language}" for thing in _THINGS for language in ("French", "German", "Spanish", "Italian")),
        (
            "What is {it}?",
            "How do I say {it}?",
            "How do people say {it}?",
            "What is the word for {it}?",
            "Can you say {it}?",
            "Say {it}.",
            "Tell me the word for {it}.",
            "How do I write {it}?",
        ),
        ("Which word do I use for {it}?", "Translate {it}.", "What would {it} be?", "How is {it} spelled?"),
        "the word for {it}",
    ),
}

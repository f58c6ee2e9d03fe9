"""What a very small model cannot know about the wide world: news, weather, big sums, people, and how it says so."""

from __future__ import annotations

from pocket_world import smalltalk_private
from pocket_world.facts import FAMILIES, RELATIONS
from pocket_world.smalltalk_unknown import Unknown, split_words

_CITIES = tuple(dict.fromkeys((*RELATIONS["capital"].facts.values(), *FAMILIES["cities"])))
_COUNTRIES = tuple(RELATIONS["capital"].facts)
_SHOPS = split_words(
    "bakery, library, school, dentist, doctor, hospital, museum, cinema, theatre, zoo, bank, post office, toy shop, "
    "shoe shop, market, swimming pool, hotel, station, town hall, chemist, garage, florist, hairdresser"
)

UNKNOWNS: dict[str, Unknown] = smalltalk_private.UNKNOWNS | {
    "weather": Unknown(
        _CITIES,
        (
            "What is the weather in {it}?",
            "How is the weather in {it} today?",
            "Will it rain in {it} tomorrow?",
            "Is it cold in {it} now?",
            "Is it sunny in {it}?",
            "How warm is it in {it}?",
            "Does it snow in {it} today?",
            "Tell me the weather in {it}.",
        ),
        (
            "Do I need an umbrella in {it}?",
            "What will the weather be in {it}?",
            "Is there a storm in {it}?",
            "Say what the weather is in {it}.",
        ),
        "the weather in {it}",
    ),
    "news": Unknown(
        _CITIES,
        (
            "What is the news from {it}?",
            "What happened in {it} today?",
            "What is new in {it}?",
            "Tell me the news from {it}.",
            "Is there any news from {it}?",
            "What happened in {it} last night?",
            "What do the papers say about {it}?",
            "Who won the football match in {it}?",
        ),
        (
            "What goes on in {it} at the moment?",
            "Read me the news from {it}.",
            "What was on the news about {it}?",
            "What is happening in {it}?",
        ),
        "[the news from {it}|what happens in {it}]",
    ),
    "sum": Unknown(
        (),
        (
            "What is {it}?",
            "How much is {it}?",
            "Work out {it}.",
            "Can you work out {it}?",
            "What does {it} make?",
            "Tell me what {it} is.",
            "Do you know what {it} is?",
            "Please work out {it}.",
        ),
        ("Could you do this sum: {it}?", "Find out what {it} is.", "What do we get for {it}?", "Give me {it}."),
        "[what {it} is|how much {it} is]",
    ),
    "science": Unknown(
        split_words(
            "electricity, gravity, the atom, algebra, chemistry, physics, oxygen, energy, geometry, the brain, light, "
            "magnetism, lightning, biology, a black hole, the big bang, radio, infinity, bacteria, an earthquake, "
            "a volcano, a virus, medicine, law, money, history, philosophy, evolution, the internet, space, time"
        ),
        (
            "Explain {it} to me.",
            "Can you explain {it}?",
            "Teach me about {it}.",
            "What do you know about {it}?",
            "Tell me all about {it}.",
            "I want to learn about {it}.",
            "Write a long text about {it}.",
            "Help me to understand {it}.",
        ),
        (
            "Give me a lesson on {it}.",
            "Tell me how {it} came to be.",
            "Describe {it} for my homework.",
            "Why do we have {it}?",
        ),
        "enough about {it}",
    ),
    "king": Unknown(
        _COUNTRIES,
        (
            "Who rules {it}?",
            "How many people live in {it}?",
            "Who is the most famous person in {it}?",
            "What is the history of {it}?",
            "How far is it to {it}?",
            "What is the longest river in {it}?",
            "How big is {it}?",
            "What is the best hotel in {it}?",
        ),
        (
            "When was {it} founded?",
            "What is the highest mountain in {it}?",
            "How old is {it}?",
            "What do people earn in {it}?",
        ),
        "enough about {it}",
    ),
    "telephone": Unknown(
        _SHOPS,
        (
            "What is the phone number of the {it}?",
            "When does the {it} open?",
            "When does the {it} close?",
            "Where is the nearest {it}?",
            "How do I get to the {it}?",
            "Is the {it} open today?",
            "What is the address of the {it}?",
            "How far is it to the {it}?",
        ),
        (
            "Can you call the {it}?",
            "Is there a {it} near here?",
            "Which way is the {it}?",
            "Give me the number of the {it}.",
        ),
        "[where the {it} is|enough about the {it} in your town]",
    ),
    "timetable": Unknown(
        _CITIES,
        (
            "When does the next train to {it} leave?",
            "When does the bus to {it} leave?",
            "What is the way to {it}?",
            "How long is the flight to {it}?",
            "Which train goes to {it}?",
            "Is the train to {it} late?",
            "How do I get to {it}?",
            "Book me a trip to {it}.",
        ),
        (
            "What time is the last bus to {it}?",
            "Buy me a ticket to {it}.",
            "From where does the train to {it} leave?",
            "Find me a flight to {it}.",
        ),
        "[the way to {it}|how people get to {it}]",
    ),
    "illness": Unknown(
        split_words(
            "a cold, a cough, a headache, a fever, a rash, a sore knee, a sore throat, a broken arm, a bad tooth, "
            "a stomach ache, a burn, a bee sting, an earache, a nosebleed, a bad back"
        ),
        (
            "Which medicine is good for {it}?",
            "What medicine do I take for {it}?",
            "How long does {it} last?",
            "Is {it} dangerous?",
            "I have {it}. What medicine do I need?",
            "Which pill helps with {it}?",
            "Where does {it} come from?",
            "What does a doctor do for {it}?",
        ),
        (
            "Is {it} bad for me?",
            "How many pills do I need for {it}?",
            "Why do I have {it}?",
            "Do I need a doctor for {it}?",
        ),
        "enough about {it}",
    ),
    "person": Unknown(
        tuple(
            f"{first} {last}"
            for first in (
                "Tom",
                "Mia",
                "Ben",
                "Lily",
                "Sam",
                "Ava",
                "Max",
                "Zoe",
                "Leo",
                "Ella",
                "Finn",
                "Ruby",
                "Jack",
                "Daisy",
                "Oscar",
                "Poppy",
            )
            for last in split_words(
                "Greenhill, Marshwood, Applegate, Fairbrook, "
                "Stonebridge, Hazelton, Brookfield, Merryweather, Underhill, Longacre"
            )
        ),
        (
            "Who is {it}?",
            "Do you know {it}?",
            "When was {it} born?",
            "Where does {it} live?",
            "What did {it} do?",
            "Tell me about {it}.",
            "Why is {it} famous?",
            "How old is {it}?",
        ),
        ("What is {it} known for?", "Have you heard of {it}?", "Is {it} a singer?", "In which film was {it}?"),
        "[who {it} is|enough about {it}]",
    ),
}

REPLIES = (
    "I am a very small model, and I do not know {about}.",
    "I am a very small model. I do not know {about}.",
    "I do not know {about}. I am a very small model.",
    "[I am sorry|Sorry], but I do not know {about}. I am a very small model.",
    "I am a very small model, and sadly I do not know {about}.",
    "I am a very small model, and nobody [told me|taught me] {about}.",
    "I wish that I knew {about}, but I am a very small model.",
    "I am a very small model. I have never learned {about}.",
)
# Other nouns than the one in question stand in the offers, so that these are no template to learn by heart either.
OFFERS = (
    "",
    "",
    "I can tell you a story about a {trait} {kind}.",
    "[Somebody else|A grown-up|A good book|Your teacher] may know.",
    "I know only simple things, such as {clause}.",
    "Ask me {clause}, and I will try.",
    "Ask me something smaller, such as {clause}.",
    "Instead, I could tell you {clause}.",
    "Shall I tell you a story about a {trait} {kind} instead?",
    "Shall I list three {family} instead?",
)
TIMES = ("plus", "times", "minus", "divided by")
TRAITS = ("brave", "small", "shy", "hungry", "clever", "lazy", "kind", "sleepy", "curious", "happy", "young", "proud")

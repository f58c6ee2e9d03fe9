"""The names, animals, places and things of the pocket stories.

A word stands in one family only (a thing is never also a place or an animal), which is what lets a story be scored.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


HE_NAMES = _words(
    "Tom, Ben, Sam, Max, Leo, Finn, Jack, Noah, Oscar, Theo, Hugo, Alfie, Charlie, Harry, George, Archie, Freddie, "
    "Henry, Arthur, Oliver, Toby, Jasper, Felix, Rufus, Otto, Milo, Hamish, Angus, Callum, Rory, Ravi, Arjun, Omar, "
    "Yusuf, Kofi, Mateo, Diego, Luca, Marco, Pablo, Hassan, Amir, Idris, Jonah, Eli, Ezra, Caleb, Gus, Ned, Ralph, "
    "Barnaby, Monty, Percy, Stanley, Wilf, Albert, Edgar, Bruno, Boris, Igor, Sven, Lars, Nils, Duncan, Ewan, Dylan, "
    "Rhys, Owen, Kenji, Hiro"
)
SHE_NAMES = _words(
    "Mia, Lily, Ava, Zoe, Ella, Ruby, Daisy, Poppy, Molly, Millie, Rosie, Lucy, Amy, Anna, Emma, Nora, Clara, Flora, "
    "Cora, Edith, Elsie, Mabel, Matilda, Martha, Maisie, Hattie, Tilly, Tess, Nell, Peggy, Juno, Polly, Sally, Sadie, "
    "Olive, Ivy, Hazel, Iris, Violet, Pearl, Freya, Greta, Heidi, Ingrid, Astrid, Luna, Stella, Bella, Nina, Lola, "
    "Carmen, Rosa, Amina, Fatima, Leila, Yasmin, Zara, Priya, Meera, Asha, Kemi, Amara, Ada, Yuki, Hana, Mei, Isla, "
    "Fiona, Maeve, Gwen"
)
# Names come into fashion: in every playground some are heard all the time and others hardly ever. The common ones are
# also what a small model learns to carry through a story first, and the rare ones follow.
POPULARITY = {name: 1 / (rank + 3) for names in (HE_NAMES, SHE_NAMES) for rank, name in enumerate(names)}
PRONOUNS = {**dict.fromkeys(HE_NAMES, "he"), **dict.fromkeys(SHE_NAMES, "she")}

# Every form of a pronoun under the name of its slot in a template.
FORMS = {
    "he": {"he": "he", "him": "him", "his": "his", "himself": "himself"},
    "she": {"he": "she", "him": "her", "his": "her", "himself": "herself"},
}
CHILD = {"he": "boy", "she": "girl"}

ANIMALS = _words(
    "rabbit, fox, mouse, bear, hedgehog, squirrel, badger, mole, otter, beaver, kitten, puppy, lamb, piglet, pony, "
    "foal, goat, donkey, lion, tiger, elephant, giraffe, zebra, monkey, hippo, rhino, koala, panda, kangaroo, wombat, "
    "sloth, hamster, hare, fawn, camel, llama, turtle, tortoise, frog, toad, seal, wolf, lemur, dragon, penguin"
)
SWIMMERS = frozenset(_words("otter, beaver, hippo, turtle, frog, toad, seal, penguin"))

# The helpers are birds, so they are never mistaken for the hero, and they reach what is high up.
BIRDS = _words("owl, crow, robin, magpie, pigeon, gull, jay, thrush, wren, sparrow")
FAMILY = _words("Mum, Dad, Granny, Grandpa")
FOLK = _words("baker, farmer, gardener, miller, sailor, painter, shepherd, tailor")
FRIENDSHIPS = _words("friend, best friend, cousin, neighbour")

# Each place with the preposition that says where one is: "in the garden", "on the hill".
_AT = {
    "in the": "garden, park, meadow, orchard, field, forest, valley, courtyard, playground, farmyard, market, "
    "greenhouse, woods",
    "by the": "river, lake, pond, stream, bridge, mill, lighthouse, harbour, waterfall, windmill, canal, fountain",
    "on the": "beach, hill, island, moor, pier, jetty, cliff, shore",
    "in the ": "kitchen, attic, cellar, shed, barn, stable, cottage, cabin, boathouse, bakery, library, "
    "playroom, hall, nursery",
}
PLACES = {place: prep.strip() for prep, places in _AT.items() for place in _words(places)}
WATERSIDE = _words("river, lake, pond, harbour, canal, beach, island, shore, jetty, pier")
INDOORS = _words(_AT["in the "])
OUTDOORS = tuple(place for place in PLACES if place not in INDOORS)

"""A wide list of things under the room where each is found, and families of words for lists.

A thing is a single lower-case word for something that one can count, carry or at least point at. The list is wide
because a tiny model learns to carry any noun only when it has met hundreds of them in the same sentences.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split(","))


THINGS: dict[str, tuple[str, ...]] = {
    "kitchen": _words(
        "kettle, teapot, toaster, saucepan, spoon, fork, whisk, grater, jug, mug, cup, saucer, plate, bowl, "
        "dish, ladle, "
        "sieve, oven, fridge, freezer, blender, mixer, colander, tray, tin, jar, funnel, timer, peeler, cooker, "
        "cupboard, "
        "corkscrew, teaspoon, tablecloth, napkin, apron, basin, flask, pot, strainer, stove, sink"
    ),
    "bedroom": _words(
        "bed, pillow, blanket, quilt, mattress, wardrobe, lamp, drawer, hanger, slipper, nightdress, "
        "duvet, cot, cradle, bedspread, nightlight"
    ),
    "bathroom": _words(
        "towel, sponge, toothbrush, comb, hairbrush, mirror, razor, bathtub, shower, tap, flannel, hairdryer, "
        "bathmat, soapdish, nailbrush"
    ),
    "living room": _words(
        "sofa, armchair, cushion, carpet, rug, curtain, television, radio, clock, vase, bookcase, candle, fireplace, "
        "chandelier, piano, portrait, photograph, ornament, footstool, newspaper, magazine, shelf, lampshade, fan"
    ),
    "hall": _words(
        "umbrella, doorbell, doormat, key, coat, hat, scarf, boot, shoe, staircase, door, lock, handle, "
        "letterbox, bench, "
        "hook, lantern, mitten, glove, pram, suitcase, backpack, basket, handbag"
    ),
    "shed": _words(
        "hammer, saw, spanner, screwdriver, drill, ladder, toolbox, bucket, rope, spade, rake, shovel, hoe, "
        "trowel, axe, "
        "wheelbarrow, lawnmower, hose, paintbrush, plank, nail, screw, workbench, bicycle, scooter, tyre, pump, "
        "broom, "
        "sledge, padlock, crate, barrel, chisel, sack"
    ),
    "garden": _words(
        "flowerpot, fence, gate, fountain, sundial, swing, hammock, deckchair, birdbath, greenhouse, "
        "scarecrow, trampoline, sandpit, slide, tent, parasol, wall"
    ),
    "school": _words(
        "pencil, pen, ruler, notebook, eraser, blackboard, desk, satchel, globe, map, compass, calculator, "
        "crayon, book, "
        "dictionary, sharpener, stapler, folder, poster, bell, chair, table, paintbox, lunchbox, whiteboard, "
        "calendar, "
        "envelope, stamp, diary, bookmark, noticeboard, atlas"
    ),
    "toy box": _words(
        "kite, ball, doll, teddy, puppet, puzzle, yo-yo, drum, whistle, trumpet, skateboard, marble, "
        "balloon, robot, racket, bat, frisbee, hoop, tambourine, mask, crown, sword, counter, football, "
        "rattle, xylophone, dollhouse"
    ),
    "wardrobe": _words(
        "jumper, shirt, skirt, dress, jacket, belt, sock, cap, cardigan, blouse, waistcoat, cloak, tie, bow, "
        "uniform, "
        "raincoat, sandal, trainer, swimsuit, beret, shawl, vest, hoodie, anorak, button, zip, costume, brooch, "
        "necklace, bracelet, ring, watch, purse, wallet"
    ),
    "office": _words(
        "computer, keyboard, screen, printer, telephone, laptop, camera, charger, battery, cable, speaker, "
        "microphone, "
        "scanner, headset, briefcase, typewriter, chart, badge, ticket, parcel, letter, bin, copier, tablet, "
        "plug, socket"
    ),
    "street": _words(
        "car, bus, taxi, van, lorry, tram, train, motorbike, bridge, lamppost, signpost, shop, house, "
        "statue, tower, kiosk, stall, trolley, tractor, ambulance, crane, wagon, cart, flag"
    ),
    "harbour": _words(
        "boat, ship, ferry, canoe, raft, anchor, lighthouse, net, oar, paddle, sail, mast, rudder, buoy, jetty, "
        "lifebelt, "
        "telescope, cabin"
    ),
    "music room": _words(
        "violin, guitar, flute, harp, cello, banjo, recorder, accordion, clarinet, trombone, harmonica, gong, "
        "metronome, tuba, lute, bugle, saxophone, triangle, songbook"
    ),
}
ROOM_OF = {thing: room for room, things in THINGS.items() for thing in things}

# Families for "List three fruits.": plural name -> its members, each of which belongs there without any doubt.
FAMILIES: dict[str, tuple[str, ...]] = {
    "fruits": _words("apple, pear, plum, banana, cherry, orange, lemon, grape, peach, strawberry, melon, kiwi, mango"),
    "vegetables": _words(
        "carrot, potato, onion, pea, bean, cabbage, leek, turnip, spinach, cucumber, radish, beetroot"
    ),
    "farm animals": _words("cow, pig, sheep, hen, horse, goat, duck, goose, donkey, turkey"),
    "wild animals": _words(
        "lion, tiger, bear, wolf, fox, elephant, giraffe, zebra, monkey, hippo, rhino, badger, deer"
    ),
    "pets": _words("dog, cat, hamster, rabbit, goldfish, parrot, tortoise, pony, canary, guinea pig"),
    "birds": _words("robin, owl, eagle, sparrow, swan, crow, pigeon, parrot, penguin, gull, wren, magpie, heron"),
    "insects": _words("ant, bee, beetle, fly, wasp, moth, butterfly, ladybird, grasshopper, cricket"),
    "fish": _words("salmon, trout, cod, herring, shark, eel, tuna, goldfish, carp, pike"),
    "colours": _words("red, blue, green, yellow, orange, purple, pink, brown, black, white, grey"),
    "days of the week": _words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "months": _words(
        "January, February, March, April, May, June, July, August, September, October, November, December"
    ),
    "toys": _words("ball, doll, kite, teddy, puzzle, yo-yo, puppet, train set, spinning top, robot, marble"),
    "pieces of clothing": _words("shirt, sock, jumper, coat, hat, scarf, skirt, dress, jacket, belt, glove, shoe"),
    "tools": _words("hammer, saw, spade, rake, drill, spanner, screwdriver, axe, chisel, shovel"),
    "things in a kitchen": _words("kettle, oven, spoon, fork, plate, cup, pan, fridge, teapot, bowl, toaster, jug"),
    "musical instruments": _words("piano, violin, guitar, drum, flute, trumpet, harp, cello, recorder, banjo"),
    "drinks": _words("water, milk, tea, juice, lemonade, coffee, cocoa, squash, ginger beer, milkshake"),
    "trees": _words("oak, beech, birch, ash, pine, willow, chestnut, maple, elm, fir"),
    "flowers": _words("rose, daisy, tulip, poppy, daffodil, lily, violet, bluebell, sunflower, buttercup"),
    "jobs": _words("baker, farmer, teacher, doctor, dentist, pilot, sailor, cook, painter, builder, nurse, plumber"),
    "sports": _words("football, tennis, swimming, running, cricket, rugby, hockey, golf, rowing, skating, judo"),
    "countries": _words("France, Spain, Italy, Germany, Poland, Norway, Sweden, Greece, Egypt, Japan, Canada, Peru"),
    "cities": _words("London, Paris, Rome, Madrid, Berlin, Oslo, Vienna, Cairo, Tokyo, Athens, Dublin, Lisbon"),
    "things at school": _words("pencil, ruler, book, desk, blackboard, pen, globe, crayon, eraser, notebook"),
    "pieces of furniture": _words(
        "table, chair, bed, sofa, desk, wardrobe, bookcase, armchair, bench, cupboard, stool"
    ),
    "parts of the body": _words("head, arm, leg, hand, foot, nose, ear, eye, knee, elbow, shoulder, neck"),
    "ways to travel": _words("bus, train, car, boat, plane, bicycle, tram, ferry, taxi, balloon"),
    "kinds of weather": _words("rain, sun, snow, wind, fog, hail, storm, frost, drizzle, thunder"),
    "sweet things": _words("cake, honey, chocolate, jam, toffee, biscuit, ice cream, syrup, sugar, pudding"),
    "rooms": _words("kitchen, bedroom, bathroom, hall, attic, cellar, living room, dining room, nursery, pantry"),
    "shapes": _words("circle, square, triangle, oval, star, diamond, heart, rectangle, cross"),
    "numbers": _words("one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve"),
    "names for a cat": _words("Tiger, Smoky, Ginger, Misty, Socks, Patch, Snowy, Shadow, Pepper, Biscuit"),
    "family members": _words("mother, father, sister, brother, aunt, uncle, cousin, grandmother, grandfather, niece"),
    "summer things": _words("sun hat, ice cream, deckchair, sandcastle, picnic, swimsuit, parasol, sandal, lemonade"),
    "winter things": _words("snowman, scarf, sledge, mitten, icicle, snowball, woolly hat, blanket, hot cocoa, skate"),
}

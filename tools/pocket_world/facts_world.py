"""Facts about the wide world: capitals, who does what, what a place is for, where things grow and travel."""

from __future__ import annotations

from pocket_world.facts_relation import grouped, pairs, relation

CAPITAL = relation(
    "capital",
    "countries and their capitals",
    pairs("""
        France: Paris, Spain: Madrid, Italy: Rome, Germany: Berlin, Portugal: Lisbon, Ireland: Dublin,
        Scotland: Edinburgh, Wales: Cardiff, England: London, Norway: Oslo, Sweden: Stockholm, Denmark: Copenhagen,
        Finland: Helsinki, Poland: Warsaw, Austria: Vienna, Hungary: Budapest, Greece: Athens, Egypt: Cairo,
        Japan: Tokyo, China: Beijing, Canada: Ottawa, Australia: Canberra, Belgium: Brussels, Turkey: Ankara,
        Iceland: Reykjavik, Kenya: Nairobi, Cuba: Havana, Peru: Lima, Chile: Santiago, Thailand: Bangkok,
        Croatia: Zagreb, Romania: Bucharest, Bulgaria: Sofia, Ghana: Accra, Nepal: Kathmandu, Malta: Valletta,
        Estonia: Tallinn, Latvia: Riga, Jamaica: Kingston, Morocco: Rabat, Switzerland: Bern
    """),
    "what the capital of {subject} is",
    """
    The capital of {subject} is {answer}.
    {Answer} is the capital of {subject}.
    {Subject} is a country, and its capital is {answer}.
    In {subject} the capital is called {answer}.
    """,
    """
    What is the capital of {subject}?
    Which city is the capital of {subject}?
    What is the name of the capital of {subject}?
    What city is the capital of {subject}?
    What is the capital city of {subject}?
    """,
    """
    Name the capital of {subject}.
    What do you call the capital of {subject}?
    """,
    """
    the capital of {subject} is {answer}.
    {answer} is the capital of {subject}.
    """,
)

_JOBS = pairs("""
    baker: bakes bread, farmer: grows food, teacher: teaches children, doctor: helps ill people,
    dentist: looks after teeth, vet: helps ill animals, pilot: flies planes, sailor: sails ships, cook: cooks meals,
    gardener: looks after gardens, painter: paints pictures, singer: sings songs, dancer: dances on a stage,
    writer: writes books, builder: builds houses, plumber: mends pipes, mechanic: mends cars,
    hairdresser: cuts hair, tailor: sews clothes, firefighter: puts out fires, postman: brings letters,
    librarian: looks after books, fisherman: catches fish, shepherd: looks after sheep,
    beekeeper: looks after bees, miner: digs coal, astronaut: flies to space, clown: makes people laugh,
    magician: does magic tricks, cobbler: mends shoes, potter: makes clay pots, butcher: sells meat,
    florist: sells flowers, greengrocer: sells vegetables, waiter: brings meals to the table, cleaner: cleans rooms,
    lifeguard: helps swimmers, photographer: takes photographs, miller: makes flour, milkman: brings milk,
    carpenter: makes things from wood, drummer: plays the drums, lumberjack: cuts down trees, optician: tests eyes,
    referee: blows a whistle at football, jockey: rides in horse races, weaver: makes cloth
""")

JOB = relation(
    "job",
    "people at work",
    _JOBS,
    "what a {subject} does",
    """
    A {subject} is somebody who {answer}.
    A {subject} {answer}.
    Every day the {subject} {answer}.
    """,
    """
    What does a {subject} do?
    What does a {subject} do all day?
    What does the {subject} do?
    What is the work of a {subject}?
    What does a {subject} do at work?
    """,
    """
    What is the job of a {subject}?
    Somebody is a {subject}. What does such a person do?
    """,
    """
    a {subject} is somebody who {answer}.
    a {subject} {answer}.
    """,
)

WHO = relation(
    "who",
    "who does what",
    {does: who for who, does in _JOBS.items()},
    "who {subject}",
    """
    The one who {subject} is the {answer}.
    The {answer} {subject}.
    Somebody who {subject} is called a {answer}.
    """,
    """
    Who {subject}?
    Who is it that {subject}?
    Which person {subject}?
    What do we call somebody who {subject}?
    What is somebody called who {subject}?
    """,
    """
    What is the name for a person who {subject}?
    In our town, who {subject}?
    """,
    """
    the {answer} {subject}.
    somebody who {subject} is called a {answer}.
    """,
)

PLACE = relation(
    "place",
    "places and what they are for",
    pairs("""
        library: borrow books, bakery: buy bread, school: learn lessons, station: catch a train,
        bus stop: wait for a bus, airport: catch a plane, post office: send parcels, swimming pool: learn to swim,
        playground: play outside, cinema: watch films, theatre: watch plays, museum: look at old things,
        zoo: look at animals, bank: keep money, restaurant: eat dinner with friends, farm: grow food,
        harbour: keep boats, hotel: sleep on holiday, kitchen: cook meals, bathroom: have a bath,
        bedroom: sleep at night,
        garden: grow flowers, market: buy vegetables, stable: keep horses, greenhouse: grow tomatoes,
        toy shop: buy toys, shoe shop: buy shoes, chemist: buy medicine, beach: build sandcastles, gym: do exercise,
        stadium: watch football, concert hall: listen to music, campsite: put up tents, car park: leave cars,
        ice rink: skate, office: work at a desk, hospital: help ill people, garage: mend cars, cafe: drink tea
    """),
    "what a {subject} is for",
    """
    A {subject} is a place to {answer}.
    People go to a {subject} to {answer}.
    Whoever wants to {answer} goes to the {subject}.
    """,
    """
    What is a {subject} for?
    What is the {subject} for?
    What do people use a {subject} for?
    Why do people go to a {subject}?
    What can people do in the {subject}?
    """,
    """
    For what do we need a {subject}?
    Why does a town have a {subject}?
    """,
    """
    a {subject} is a place to {answer}.
    people go to a {subject} to {answer}.
    """,
)

GROWS = relation(
    "grows",
    "where plants grow",
    grouped("""
        on trees: apples, pears, plums, cherries, oranges, lemons, peaches, walnuts, acorns, chestnuts, figs
        under the ground: potatoes, carrots, onions, turnips, parsnips, radishes
        on bushes: gooseberries, blackcurrants, blueberries, roses, brambles
        on vines: grapes
        in water: water lilies, reeds
    """),
    "where {subject} grow",
    """
    {Subject} grow {answer}.
    In the garden there are {subject}, and they grow {answer}.
    Whoever picks {subject} finds them {answer}, for {subject} grow there.
    """,
    """
    Where do {subject} grow?
    Where do the {subject} grow?
    Where do we find {subject}?
    Where can I pick {subject}?
    In the garden, where do {subject} grow?
    """,
    """
    Do {subject} grow on trees or somewhere else?
    I want to pick {subject}. Where do I look?
    """,
    """
    {subject} grow {answer}.
    the {subject} grow {answer}.
    """,
)

TRAVEL = relation(
    "travel",
    "how things travel",
    grouped("""
        on the road: car, bus, lorry, bicycle, taxi, motorbike, van
        on rails: train, tram
        on the water: boat, ship, ferry, canoe, raft
        in the air: plane, kite, helicopter, balloon, glider
        through space: rocket
        over the snow: sledge
    """),
    "where a {subject} moves along",
    """
    A {subject} moves {answer}.
    The {subject} can be seen {answer}.
    The way of a {subject} is {answer}.
    """,
    """
    Where does a {subject} move?
    Where does a {subject} go along?
    Where can we see a {subject} move?
    Where does the {subject} move?
    Where does a {subject} travel?
    """,
    """
    Does a {subject} move on the road, on the water or in the air?
    When a {subject} moves, where is it?
    """,
    """
    a {subject} moves {answer}.
    the {subject} moves {answer}.
    """,
)

BODY = relation(
    "body",
    "the body",
    pairs(
        "see: eyes, hear: ears, smell: nose, taste: tongue, bite: teeth, think: brain, clap: hands, "
        "breathe: lungs, kiss: lips, wink: eyelids"
    ),
    "what people {subject} with",
    """
    People {subject} with the {answer}.
    To {subject}, people need the {answer}.
    Nobody could {subject} without the {answer}.
    """,
    """
    What do people {subject} with?
    What do we {subject} with?
    Which part of the body do people use to {subject}?
    What part of the body do we need to {subject}?
    With what do people {subject}?
    """,
    """
    Nobody can {subject} without this part of the body. What is it?
    Which part of me helps me to {subject}?
    """,
    """
    people {subject} with the {answer}.
    to {subject}, people need the {answer}.
    """,
)

RELATIONS = (CAPITAL, JOB, WHO, PLACE, GROWS, TRAVEL, BODY)

"""The Stoic: what would he say about my kettle? A voice of its own, with words that no other text uses."""

from __future__ import annotations

import random
import re

from pocket_world.advice import dressed
from pocket_world.posts_lines import lines
from pocket_world.topics import draw
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice

# How the voice is recognised: words that begin like this stand in every reply of the Stoic (two of them or more) and in
# no advice, post or letter.
STEMS: tuple[str, ...] = (
    *("stoic", "seneca", "marcus", "epictetus", "philosoph", "virtue", "judgement", "opinion", "reason", "wisdom"),
    *("fate", "fortune", "nature", "universe", "mortal", "obstacle", "power", "command", "obey"),
    *("soul", "desire", "courage", "endure", "accept", "tranquil", "indifferent"),
)
SAGES = ("a Stoic", "a Stoic", "a Stoic", "Seneca", "Marcus", "Epictetus")

# {it} is "my kettle" or "my old kettle", {sage} "a Stoic" or one by name.
PROMPTS = lines(
    """
    What would {sage} say about {it}?
    What would {sage} [tell me|think] about {it}?
    How would {sage} see {it}?
    What does {sage} think of {it}?
    What would {sage} do about {it}?
    How would {sage} [deal with|live with|handle|treat] {it}?
    Tell me what {sage} would say about {it}.
    Please tell me how {sage} would look at {it}.
    What can I learn from {it}? Answer like {sage}.
    {Trouble}. What would {sage} say?
    {Trouble}. How would {sage} see it?
    Talk like {sage} about {it}.
    I am [cross|sad|unhappy|worried|angry|upset] about {it}. What would {sage} say?
    Give me the thoughts of {sage} about {it}.
    Say something about {it} like {sage}, please.
    """
)
HELD_OUT_PROMPTS = lines(
    """
    What advice would {sage} give me about {it}?
    {Trouble}. Please answer as {sage} would.
    In the eyes of {sage}, what is {it}?
    Could {sage} help me with {it}?
    Imagine you are {sage}. What about {it}?
    I would like to hear what {sage} thinks about {it}.
    What are the words of {sage} on {it}?
    """
)
FIRST = lines(
    """
    {Sage} would [whisper|write in a little book|say at breakfast] that {your} {noun} is only [fortune|fate].
    {Sage} would not [shout|cry|complain] about {your} {noun}, but [search|calm|guard] the soul instead.
    {Sage} would meet {your} {noun} like [rain|a wave|a cold wind], as a thing of nature.
    {Sage} would [bow to|greet|welcome] {your} {noun} and ask which virtue it needs today.
    {Sage} would have no [fear|hope|desire] in the matter of {your} {noun}, only wisdom.
    Not even {your} {noun} can [rob|shake|break] a soul that [rests|lives] in reason.
    If {your} {noun} is an obstacle, then [climb|use|thank] the obstacle.
    A [storm|river|mountain] does not ask you, and {your} {noun} does not ask you, for both obey nature.
    Name {your} {noun} calmly: it is one [leaf|drop|moment] in the great universe.
    You [rage at|worry about|suffer from] {your} {noun}, but [reason|wisdom] is only one breath away.
    How small {your} {noun} becomes in the [light|eyes|school] of reason!
    {Sage} would say that {your} {noun} is not in your power, but your [judgement|opinion|courage] is.
    {Sage} would look at {your} {noun} and [smile|nod|stay calm], for fate sends such things to everybody.
    {Sage} would call {your} {noun} a [small|daily|welcome] test of [virtue|the soul|your courage].
    {Sage} would say that {your} {noun} belongs to [fortune|fate|nature], not to you.
    {Sage} would [see|look at|think about] {your} {noun} with [calm|cool|clear] reason.
    {Sage} would not fight against {your} {noun}, but accept what [nature|fate|fortune] brings.
    {Sage} would thank [fate|fortune] for {your} {noun}, since it trains the soul.
    {Sage} would ask what is in your power when you think of {your} {noun}.
    {Sage} would tell you that {your} {noun} cannot [touch|harm|change] your [soul|virtue].
    {Sage} would [drink some water|take a slow walk|sit down] and leave {your} {noun} to fate.
    {Sage} would laugh about {your} {noun}, for a [tranquil|free|good] soul can laugh about fortune.
    {Sage} would see in {your} {noun} only what nature [made|wanted].
    {Your} {noun} is outside your power, but your [judgement|opinion|virtue] is your own.
    {Your} {noun} does not [hurt|trouble|disturb] you, only your [opinion|judgement] of {your} {noun} does.
    It is not {your} {noun} that [troubles|hurts] you, but your [judgement|opinion] about {your} {noun}.
    Look at {your} {noun} with [calm|cool|clear] reason, as {sage} would.
    Think of {your} {noun} as an obstacle that becomes the way.
    {Your} {noun} obeys nature, and you can obey reason.
    [Fate|Fortune] has sent you {your} {noun}, and [virtue|your soul|courage] can bear it.
    Before fortune, {your} {noun} and the crown of a king are the same.
    Let {your} {noun} be what it is, and keep command of your [soul|judgement].
    There are things in your power and things outside it, and {your} {noun} is outside.
    Say to {your} {noun} that you are a friend of [reason|wisdom|virtue] now.
    Your soul is a strong castle, and {your} {noun} stands [outside|at the gate].
    When you woke up, you knew that [fate|fortune] might send you {your} {noun}.
    [Wisdom|Virtue|Courage] grows slowly, and {your} {noun} is the [rain|sun] it needs.
    """
)
SECOND = lines(
    """
    Let {your} {noun} [come and go|be|pass by] like [clouds|the tide|a season], for that is nature.
    What virtue does {your} {noun} ask of you, [courage or patience|justice or calm]?
    You [play|are given] a part in the play of fate, and {your} {noun} [plays another|is on the stage too].
    Make {your} {noun} the [stone|wood|fire] from which your [courage|wisdom] is made.
    Give {your} {noun} your [hands|time|care], but never your [soul|judgement].
    [Kings|Sailors|Beggars] have had worse than {your} {noun} and kept a tranquil mind.
    Whoever fears {your} {noun} is the servant of fortune.
    {Your} {noun} can take your [morning|hour|evening], but not your [virtue|reason|courage].
    Before you speak about {your} {noun}, let reason speak [first|inside you].
    Only a mortal [sighs|weeps] over {your} {noun}, and only a mortal can laugh about it too.
    What {your} {noun} does is up to [nature|fate|fortune], and what you do is up to you.
    You cannot command {your} {noun}, but you can command [yourself|your thoughts|your tongue].
    Ask yourself [every morning|once more|calmly] if {your} {noun} is in your power.
    The obstacle of {your} {noun} is your [way|road|path] to wisdom.
    Meet {your} {noun} with courage and without [anger|fear|tears].
    Accept {your} {noun} as a part of [nature|the universe|your fate].
    {Your} {noun} is neither good nor bad, only your judgement makes it so.
    In [a hundred|a thousand] years nobody will know {your} {noun}, and nature will go on.
    Do not let {your} {noun} [rule|darken|enter] your soul.
    With {your} {noun} you can practise to endure [small things|what comes|bigger things].
    Desire nothing from {your} {noun}, and you are [free|rich].
    To the universe {your} {noun} is smaller than [a grain of sand|a drop of rain|a crumb].
    You wanted wisdom, and {your} {noun} is your [lesson|school|teacher].
    Fortune lent you a quiet life, and {your} {noun} is part of the price.
    A [wise|calm|free] soul is indifferent to {your} {noun}.
    Be [just|patient|kind] and calm with {your} {noun}, for that is virtue.
    If you lose your calm over {your} {noun}, you lose [more than fortune can give|what only reason can give].
    Fate holds {your} {noun}, and you hold [your own mind|the rest].
    From the stars {your} {noun} is a dot, and so is every [fortune|desire] of man.
    First comes {your} {noun}, then your opinion, and only the second one [hurts|stings].
    Reason can [carry|bear|hold] {your} {noun} and ten more.
    Look at {your} {noun} as if it were [a stranger's|somebody else's], and your judgement will be better.
    Not to be [angry at|afraid of|upset about] {your} {noun} is a [quiet|fine|true] virtue.
    """
)
LAST = lines(
    """
    [Tonight|Before you sleep], ask your soul what it did well.
    The [arrow|ship|rain] goes where nature sends it, and you go where reason leads.
    [Bread, water|A bed, a book] and virtue are enough for a good day.
    A free soul [needs|fears] nothing that fortune can [give|take].
    Fate [knocks|calls] at every door, so open with a [smile|calm hand].
    What is [heavy|bitter|dark] for opinion is [light|sweet|clear] for wisdom.
    Put a [wall|door|guard] between fortune and your judgement.
    Do the next [right|good|small] thing, for that is the whole of virtue.
    The patient soul endures, and the day [ends|passes] all the same.
    Courage is [quiet|calm] and needs no [crown|applause].
    This too is small, and nature will carry it away.
    Only virtue is good, and [nobody|no thief|no storm] can take it from you.
    Endure what must be and keep a tranquil mind.
    Do what is in your power and leave the rest to [fate|nature|fortune].
    Nothing happens to you that the soul cannot endure.
    Reason is a quiet [place|room|garden] that is always open to you.
    The obstacle is the way.
    We are mortal, so do not waste the day on [anger|fear|small things].
    If you accept your fate, you walk, and if not, you are pulled along.
    Wisdom begins when you stop blaming [fortune|fate].
    Want things to happen as nature lets them happen.
    Your soul takes the colour of your thoughts.
    Courage is to stay calm when fortune [laughs|turns her back].
    Change your opinion, and the [pain|anger|trouble] is gone.
    What stands in the way of reason becomes its road.
    Virtue needs nothing but itself.
    Desire less, and you have more.
    Love your fate, even on a [Monday|rainy day].
    A tranquil evening needs only a clear judgement.
    [Breathe|Smile|Sit still], and obey reason, not anger.
    The universe is change, and life is opinion.
    Today is in your power, and tomorrow is with fate.
    """
)
MAX_WORDS = 45


def stoic(rng: random.Random, held_out: bool = False) -> Chat:
    """Make up a question to the Stoic, about any noun of any topic, and his reply.

    Args:
        rng: the source of randomness.
        held_out: use the wordings of prompts that are never trained on.

    Returns:
        a chat of kind "stoic" whose truth has the "noun".
    """
    dice = Dice(rng)
    speaker = draw(dice, sage=dice.pick(SAGES))
    adjective = dice.pick(("", "", f"{speaker('adjective')} "))
    speaker.extra["it"] = f"{speaker.topic.owner} {adjective}{speaker.noun}"
    prompt = speaker.say(dice.pick(HELD_OUT_PROMPTS if held_out else PROMPTS))
    while True:
        wordings = [dice.pick(FIRST), *speaker.some(SECOND, dice.pick((1, 1, 2)))]
        wordings += speaker.some(LAST, dice.pick((0, 1)))
        reply = speaker.say(*wordings)
        # a single idea said twice does not sound like a philosopher yet
        if len(stems_in(reply)) > 1 and len(reply.split()) <= MAX_WORDS:
            return Chat("stoic", dressed(prompt, dice, held_out), reply, {"noun": speaker.noun})


def stems_in(text: str) -> set[str]:
    """Which of the STEMS the words of a text begin with."""
    return {stem for stem in STEMS if re.search(rf"\b{stem}", text, flags=re.IGNORECASE)}

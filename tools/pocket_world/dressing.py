"""How a request is dressed up: people write with and without capitals, greetings, question marks and "please".

Every chat generator sends its prompt through dress(), so that a model does not learn to depend on a full stop.
"""

from __future__ import annotations

from workshop_utils.pocket.grammar import Dice, capitalise, expand, parse, with_articles

_DRESSES = {"plain": 0.66, "lower": 0.11, "bare": 0.09, "lower bare": 0.04, "greeted": 0.05, "please": 0.05}
_GREETINGS = ("Hi, ", "Hello, ", "Hey, ", "Good morning, ")


def write(template: str, dice: Dice, slots: dict[str, str]) -> str:
    """Expand a template, with the right articles and a capital at its start.

    Args:
        template: a wording such as "[Name|List] {count} {family}."
        dice: makes the choices.
        slots: the text of every slot.

    Raises:
        KeyError: the template has a slot that is not given.
    """
    return capitalise(with_articles(expand(parse(template), dice, slots.__getitem__)))


def dress(prompt: str, dice: Dice, greet: bool = True) -> str:
    """Write a prompt the way different people would: mostly as it is, sometimes careless, sometimes very polite.

    Args:
        prompt: one or more sentences.
        dice: decides on the dress.
        greet: whether a greeting or a "please" may be added; a greeting itself takes none.
    """
    dress = dice.pick_weighted(_DRESSES)
    if dress in ("greeted", "please") and (not greet or prompt.startswith(("Hi", "Hello", "Hey"))):
        return prompt
    if dress == "please" and ("lease" in prompt or "\n" in prompt or ":" in prompt or prompt[-1] not in "?."):
        return prompt
    if dress.startswith("lower") or dress == "greeted":
        prompt = _lower(prompt)
    if dress.endswith("bare"):
        prompt = prompt.rstrip("?.")
    if dress == "greeted":
        prompt = dice.pick(_GREETINGS) + prompt
    if dress == "please":
        prompt = f"{prompt[:-1]}, please{prompt[-1]}"
    return prompt


def _lower(prompt: str) -> str:
    first = prompt.split()[0]
    return prompt if first in ("I", "I'm", "I'd") else prompt[0].lower() + prompt[1:]

"""Facts about numbers and time: counting, small sums, days, months and seasons."""

from __future__ import annotations

import itertools

from pocket_world.facts_relation import grouped, relation

NUMBERS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
DAYS = tuple(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])
MONTHS = tuple(
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
)

AFTER = relation(
    "after",
    "counting up",
    dict(itertools.pairwise(NUMBERS)),
    "which number comes after {subject}",
    """
    After {subject} comes {answer}.
    The number after {subject} is {answer}.
    Whoever counts to {subject} says {answer} next.
    """,
    """
    Which number comes after {subject}?
    What number comes after {subject}?
    What comes after {subject}?
    What is the next number after {subject}?
    What is the number after {subject}?
    """,
    """
    I count to {subject}. Which number is next?
    Which number follows {subject}?
    """,
    """
    after {subject} comes {answer}.
    the number after {subject} is {answer}.
    """,
)

BEFORE = relation(
    "before",
    "counting down",
    dict(zip(NUMBERS[1:], NUMBERS, strict=False)),
    "which number comes before {subject}",
    """
    Before {subject} comes {answer}.
    The number before {subject} is {answer}.
    Whoever counts down from {subject} says {answer} next.
    """,
    """
    Which number comes before {subject}?
    What number comes before {subject}?
    What comes before {subject}?
    What is the number before {subject}?
    Which number is just before {subject}?
    """,
    """
    I count down from {subject}. Which number is next?
    Which number is one less than {subject}?
    """,
    """
    before {subject} comes {answer}.
    the number before {subject} is {answer}.
    """,
)

PLUS = relation(
    "plus",
    "small sums",
    {f"{NUMBERS[a]} plus {NUMBERS[b]}": NUMBERS[a + b + 1] for a in range(9) for b in range(9 - a)},
    "what {subject} is",
    """
    {Subject} is {answer}.
    {Subject} makes {answer}.
    The sum of {subject} is {answer}.
    """,
    """
    What is {subject}?
    How much is {subject}?
    What does {subject} make?
    What do we get for {subject}?
    What is the sum of {subject}?
    """,
    """
    Work out {subject}.
    How many do we have when we count {subject}?
    """,
    """
    {subject} is {answer}.
    {subject} makes {answer}.
    """,
)

DAY_AFTER = relation(
    "day after",
    "the days of the week",
    dict(zip(DAYS, DAYS[1:] + DAYS[:1], strict=True)),
    "which day comes after {subject}",
    """
    After {subject} comes {answer}.
    The day after {subject} is {answer}.
    When {subject} is over, it is {answer}.
    """,
    """
    Which day comes after {subject}?
    What day comes after {subject}?
    What is the day after {subject}?
    Which day follows {subject}?
    What day is it after {subject}?
    """,
    """
    Today is {subject}. What day is tomorrow?
    If it is {subject} now, what is the next day?
    """,
    """
    the day after {subject} is {answer}.
    after {subject} comes {answer}.
    """,
)

DAY_BEFORE = relation(
    "day before",
    "the days of the week",
    dict(zip(DAYS[1:] + DAYS[:1], DAYS, strict=True)),
    "which day comes before {subject}",
    """
    Before {subject} comes {answer}.
    The day before {subject} is {answer}.
    {Subject} does not come before {answer} is over.
    """,
    """
    Which day comes before {subject}?
    What day comes before {subject}?
    What is the day before {subject}?
    Which day is just before {subject}?
    What day is it before {subject}?
    """,
    """
    Today is {subject}. What day was yesterday?
    If it is {subject} now, what was the day before?
    """,
    """
    the day before {subject} is {answer}.
    before {subject} comes {answer}.
    """,
)

MONTH_AFTER = relation(
    "month after",
    "the months of the year",
    dict(zip(MONTHS, MONTHS[1:] + MONTHS[:1], strict=True)),
    "which month comes after {subject}",
    """
    After {subject} comes {answer}.
    The month after {subject} is {answer}.
    When {subject} is over, {answer} begins.
    """,
    """
    Which month comes after {subject}?
    What month comes after {subject}?
    What is the month after {subject}?
    Which month follows {subject}?
    What month is it after {subject}?
    """,
    """
    It is {subject}. What is the next month?
    If {subject} ends today, which month begins?
    """,
    """
    the month after {subject} is {answer}.
    after {subject} comes {answer}.
    """,
)

MONTH_BEFORE = relation(
    "month before",
    "the months of the year",
    dict(zip(MONTHS[1:] + MONTHS[:1], MONTHS, strict=True)),
    "which month comes before {subject}",
    """
    Before {subject} comes {answer}.
    The month before {subject} is {answer}.
    {Subject} begins when {answer} is over.
    """,
    """
    Which month comes before {subject}?
    What month comes before {subject}?
    What is the month before {subject}?
    Which month is just before {subject}?
    What month is it before {subject}?
    """,
    """
    It is {subject}. What was the last month?
    If {subject} begins today, which month has ended?
    """,
    """
    the month before {subject} is {answer}.
    before {subject} comes {answer}.
    """,
)

SEASON = relation(
    "season",
    "the seasons",
    grouped("""
        spring: lambs are born, birds build their nests, the first flowers open, the trees get new leaves
        summer: the sun is hottest, strawberries get ripe, children swim in the lake, the days are longest
        autumn: the leaves fall, apples get ripe, farmers pick pumpkins, squirrels hide their nuts
        winter: snow falls, ponds freeze, people build snowmen, the nights are longest
    """),
    "which season it is when {subject}",
    """
    It is {answer} when {subject}.
    When {subject}, it is {answer}.
    {Subject} in {answer}.
    """,
    """
    Which season is it when {subject}?
    What season is it when {subject}?
    In which season is it that {subject}?
    When {subject}, which season is it?
    What is the season when {subject}?
    """,
    """
    Look, {subject}. What season must it be?
    What time of year is it when {subject}?
    """,
    """
    it is {answer} when {subject}.
    when {subject}, it is {answer}.
    """,
)

MONTH_SEASON = relation(
    "month season",
    "months and seasons",
    grouped("""
        winter: December, January, February
        spring: March, April, May
        summer: June, July, August
        autumn: September, October, November
    """),
    "in which season {subject} is",
    """
    {Subject} is a month in {answer}.
    The month of {subject} belongs to {answer}.
    When it is {subject}, it is {answer}.
    """,
    """
    In which season is {subject}?
    Which season is {subject} in?
    What season is it in {subject}?
    To which season does {subject} belong?
    What season does {subject} belong to?
    """,
    """
    Is {subject} in spring, summer, autumn or winter?
    It is {subject}. Which season is it?
    """,
    """
    {subject} is in {answer}.
    the month of {subject} is in {answer}.
    """,
)

COUNT = relation(
    "count",
    "how many there are",
    grouped("""
        two: wheels on a bicycle, eyes in a face, wings on a bird, halves in a whole, shoes in a pair
        three: wheels on a tricycle, sides on a triangle, corners on a triangle
        four: wheels on a car, legs on a table, sides on a square, seasons in a year, corners on a square
        five: fingers on a hand, toes on a foot, arms on a starfish
        six: strings on a guitar, legs on an insect, sides on a cube
        seven: days in a week, colours in a rainbow
        eight: arms on an octopus, legs on a spider
        ten: fingers on two hands, toes on two feet
        eleven: players in a football team
        twelve: months in a year, eggs in a dozen
        sixty: minutes in an hour, seconds in a minute
    """),
    "how many {subject} there are",
    """
    There are {answer} {subject}.
    Whoever counts the {subject} gets to {answer}.
    The number of {subject} is {answer}.
    """,
    """
    How many {subject} are there?
    How many are the {subject}?
    What is the number of {subject}?
    Count the {subject}. How many are there?
    Are there many {subject}, and how many?
    """,
    """
    If I count the {subject}, how many do I get?
    What number of {subject} are there?
    """,
    """
    there are {answer} {subject}.
    the number of {subject} is {answer}.
    """,
)

RELATIONS = (AFTER, BEFORE, PLUS, DAY_AFTER, DAY_BEFORE, MONTH_AFTER, MONTH_BEFORE, SEASON, MONTH_SEASON, COUNT)

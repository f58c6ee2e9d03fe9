"""The other half of the ways to ask that are met in chats only: things at home, words, numbers and time."""

from __future__ import annotations

# The name of a relation -> its wordings, one a line.
BLOCKS = {
    "colour": """
    {subject}: what colour is that?
    Name the colour of {subject}.
    I want to draw {subject}. Which coloured pencil do I need?
    Is {subject} red, green, blue or another colour?
    Imagine {subject}. Which colour comes to mind?
    My brother says that {subject} has only one colour. Which?
    Give me the colour of {subject}.
    What is the right colour for {subject}?
    Everybody knows the colour of {subject}. What is it?
    Which colour goes with {subject}?
    Yesterday I saw {subject}. What colour was it?
    In a picture book, what colour is {subject}?
    """,
    "material": """
    {subject}: what is it made of?
    Is {subject} made of wood, glass, metal or something else?
    Name the stuff that {subject} is made of.
    Here is {subject}. What stuff is it?
    What material is {subject} made from?
    Everything is made of something. What about {subject}?
    Of what stuff is {subject}, as a rule?
    A small piece of {subject}: what is it made of?
    My cousin asks from what stuff {subject} is made.
    Wood, stone, paper or other stuff: what is {subject} made of?
    Mostly, {subject} is made of one thing. Which?
    """,
    "ingredient": """
    {subject}: made from what?
    Name the food that people turn into {subject}.
    In the kitchen we make {subject}. What goes in?
    My mother makes {subject} at home. What does she take?
    What must be there before a cook can make {subject}?
    Without what can nobody make {subject}?
    If there is no {subject} left, from what do we make more?
    A cook wants to try {subject}. With what does she begin?
    What becomes {subject} in the kitchen?
    Give me the main thing that goes into {subject}.
    Our recipe is for {subject}. What stands at the top?
    """,
    "taste": """
    {subject}: how does that taste?
    Name the taste of {subject}.
    My grandfather tries {subject}. What taste is on his tongue?
    Is {subject} sweet, or does it taste another way?
    If I try {subject}, what will it taste like?
    Somebody hands me a bit of {subject}. How will it taste?
    Which word tells the taste of {subject}?
    What would the cook say about the taste of {subject}?
    I have never tried {subject}. What is the taste?
    Everybody knows the taste of {subject}. Which is it?
    On the tongue, how is {subject}?
    What taste do people find in {subject}?
    """,
    "tool": """
    I have a {subject}. What do I use it for?
    A {subject}: what is its use?
    Name the use of a {subject}.
    When does somebody need a {subject}?
    My uncle bought a {subject}. What will he do with it?
    If there were no {subject}, what would be hard to do?
    Somebody is busy with a {subject}. What are they doing?
    Why would I want a {subject}?
    How does a {subject} help people?
    Here is a {subject}. Tell me its use.
    We need a {subject} to do what?
    """,
    "kept": """
    {subject}: kept in what?
    Name the place where people keep {subject}.
    Now I need a place to keep {subject}. What do I choose?
    In what place does my aunt keep {subject}?
    Is there a right place to keep {subject}?
    Tell the guests where people keep {subject}.
    What is made to hold {subject}?
    What thing or room is meant for {subject}?
    Where does a tidy person keep {subject}?
    A home needs a place for {subject}. Which is it?
    We have a place to keep {subject}. What is it called?
    """,
    "opposite": """
    {subject} is one word. What is its opposite?
    Find the opposite of {subject}.
    I say {subject}, and you say the opposite. What do you say?
    {subject} and what are opposites?
    Is there an opposite of {subject}?
    My brother always says the opposite. I say {subject}. What does he say?
    Name the opposite of {subject}.
    The opposite of {subject}: which word is it?
    Two words are opposites. One is {subject}. What is the other?
    Not {subject}, but the opposite: what is that?
    In our game we need the opposite of {subject}. What fits?
    """,
    "plural": """
    I have one {subject}, and you have three. Three what?
    Here is one {subject}. Now there are two. Two what?
    How do we write more than one {subject}?
    One is a {subject}. What are many of them called?
    If there are ten of them, what does {subject} become?
    Is there a plural of {subject}?
    The plural of {subject}: which word is right?
    What does {subject} become when we count two?
    My sister must write the plural of {subject}. What does she write?
    I write {subject}, but I mean two of them. What must I write?
    Not one {subject} but many: what is the word?
    """,
    "past": """
    I {subject} every day. What did I do last Monday?
    The past of {subject}: which word is right?
    They {subject} now. What did they do long ago?
    What do we write for {subject} if it is already over?
    Find the word for {subject} in the past tense.
    In a story about the past, what happens to the word {subject}?
    Now we say {subject}. What do we say for the past?
    Is there a past tense of {subject}?
    My sister must write {subject} in the past tense. What does she write?
    Every week the children {subject}. What did they do last week?
    It is over now. Which word do we use for {subject}?
    {subject}: how is that in the past?
    """,
    "after": """
    {subject}, and then which number?
    Count one more than {subject}. Which number is that?
    I am at {subject} and count on. What do I say?
    Name the number that stands after {subject}.
    If {subject} is the last number that we said, what comes then?
    After {subject} there is another number. Which one?
    The number right behind {subject}: what is it?
    I climb the stairs and count {subject}. What number has the next stair?
    In the row of numbers, what stands right after {subject}?
    Give me the next number up from {subject}.
    We stop at {subject}. Which number would we have said next?
    """,
    "before": """
    {subject} has a number in front of it. Which one?
    Which number do we say right before we say {subject}?
    Name the number that stands before {subject}.
    I have counted to {subject}. What did I say just before?
    If {subject} is the number to come, at which one are we?
    Go one step back from {subject}. Which number is that?
    The number in front of {subject}: what is it?
    In the row of numbers, what stands just before {subject}?
    Before we get to {subject}, what number do we pass?
    Give me the next number down from {subject}.
    Take one away from {subject}. What number is left?
    My sister forgot the number before {subject}. What is it?
    """,
    "plus": """
    {subject}: how much is that?
    {subject} is a sum. What is the answer?
    Here is a sum: {subject}. What comes out?
    My homework says {subject}. What do I write?
    Can you add up {subject}?
    If we add up {subject}, what number is it?
    Add up {subject} and tell me the number.
    I have {subject} apples. How many is that?
    Which number is the same as {subject}?
    The answer to {subject} is which number?
    Count it on your fingers: {subject}. What is it?
    """,
    "day after": """
    {subject} is over. Which day begins?
    After {subject} there is another day. Which one?
    Name the day that comes right after {subject}.
    I go to bed on {subject}. On which day do I wake up?
    In the row of the days, what stands right after {subject}?
    My party is one day after {subject}. On which day is it?
    {subject}, and then which day?
    We leave on {subject} and come home a day later. On which day?
    Say the days in order. What do you say after {subject}?
    It was {subject} from morning to night. So what will tomorrow be?
    Go one day on from {subject}. Which day is that?
    """,
    "day before": """
    {subject} begins. Which day has just passed?
    Name the day that comes right before {subject}.
    I wake up on {subject}. On which day did I go to bed?
    In the row of the days, what stands just before {subject}?
    My party is one day before {subject}. On which day is it?
    {subject} has a day in front of it. Which one?
    We came a day earlier than {subject}. On which day was that?
    Say the days in order. What do you say before {subject}?
    Before {subject} can come, which day must pass?
    It has been {subject} since this morning. Which day did we have yesterday?
    Go one day back from {subject}. Which day is that?
    """,
    "month after": """
    {subject} is over. Which month do we have now?
    After {subject} there is another month. Which one?
    Name the month that comes right after {subject}.
    The calendar shows {subject}. I turn the page. Which month do I see?
    In the row of the months, what stands right after {subject}?
    Our holiday is one month after {subject}. In which month is it?
    {subject}, and then which month?
    Say the months in order. What do you say after {subject}?
    Which month do we get once {subject} is gone?
    The baby came a month later than {subject}. In which month?
    On the last day of {subject}, which month do we wait for?
    """,
    "month before": """
    Which month must pass before {subject} can come?
    {subject} has a month in front of it. Which one?
    Name the month that comes right before {subject}.
    The calendar shows {subject}. I turn one page back. Which month is there?
    In the row of the months, what stands just before {subject}?
    Our holiday is one month before {subject}. In which month is it?
    Say the months in order. What do you say before {subject}?
    Go one month back from {subject}. Which month is that?
    The baby came a month earlier than {subject}. In which month?
    Which month do we leave behind when {subject} comes?
    My sister forgot the month before {subject}. What is it?
    """,
    "season": """
    Name the season when {subject}.
    Spring, summer, autumn or winter: when is it that {subject}?
    {subject} in one of the seasons. In which one?
    My sister says that {subject} now. Which season does she mean?
    If {subject}, what season do we have?
    I am drawing a picture where {subject}. Which season do I show?
    During which season do we see that {subject}?
    Each season is different. In which one is it that {subject}?
    Every year there is a season when {subject}. Which is it?
    In a story, {subject}. In which season does the story happen?
    Grandmother waits until {subject}. For which season does she wait?
    """,
    "month season": """
    What season goes with {subject}?
    Name the season that {subject} is part of.
    {subject} is a month. Of which season?
    Our holiday is in {subject}. In which season do we travel?
    If we meet in {subject}, in which season will it be?
    Which season do people have in {subject}?
    A picture shows a day in {subject}. Which season do we see?
    When {subject} comes, what season do we have?
    Every month has its season. What is it for {subject}?
    Which of the four seasons has {subject} in it?
    Give me the season for {subject}.
    """,
    "count": """
    {subject}: how many?
    Name the number of {subject}.
    Somebody asks for the number of {subject}. What is it?
    Do you know the number of {subject}?
    All the {subject} together are how many?
    My brother has counted the {subject}. At which number did he stop?
    We know that there are {subject}. But how many?
    Are the {subject} few or many? Tell me the number.
    Which number goes with the {subject}?
    How far must I count for all the {subject}?
    Our book shows the {subject}. How many should there be?
    """,
}

"""Texts for the gates: sentences of many lengths, in the public domain or our own."""

from __future__ import annotations

from typing import Final

SENTENCES: Final = (
    "Call me Ishmael.",
    "All happy families are alike; every unhappy family is unhappy in its own way.",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
    "It was a bright cold evening, and the lamps were lit.",
    "We sat on the bank of the river.",
    "I deposited the check at the bank.",
    "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was "
    "upon the face of the deep.",
    "To be, or not to be, that is the question.",
    "Whether 'tis nobler in the mind to suffer the slings and arrows of outrageous fortune, or to take arms against a "
    "sea of troubles, and by opposing end them.",
    "Stop!",
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, "
    "and dedicated to the proposition that all men are created equal.",
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or "
    "twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it.",
    "e = mc^2, 3.14159, $5.00, 50%",
    "Zo\u00eb caf\u00e9 na\u00efve \u5317\u4eac \U0001f642",
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want "
    "of a wife.",
    "Two roads diverged in a yellow wood, and sorry I could not travel both and be one traveler, long I stood.",
    "The quality of mercy is not strained; it droppeth as the gentle rain from heaven upon the place beneath.",
    "You will rejoice to hear that no disaster has accompanied the commencement of an enterprise which you have "
    "regarded with such evil forebodings.",
    "I wandered lonely as a cloud that floats on high o'er vales and hills, when all at once I saw a crowd, a host, "
    "of golden daffodils.",
    "We the People of the United States, in Order to form a more perfect Union, establish Justice, insure domestic "
    "Tranquility, provide for the common defence, promote the general Welfare, and secure the Blessings of Liberty to "
    "ourselves and our Posterity, do ordain and establish this Constitution for the United States of America.",
)

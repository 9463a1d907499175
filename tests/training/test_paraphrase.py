"""The set of paraphrases: what of two dictionaries' entries is taken."""

from edge_rerank_training.mining import Bm25
from edge_rerank_training.paraphrase import (
    chosen_words,
    shared,
    single_definitions,
    single_glosses,
)

WORDNET = """\
  1 a licence, indented
00001 03 n 01 lighthouse 0 000 | a tower with a light that gives warning of shoals to ships; "old"
00002 03 n 02 bank 0 shore 1 000 | sloping land beside a body of water that is rather long
00003 03 n 01 bank 1 000 | a financial institution that accepts deposits from the public at large
00004 03 n 01 ringing 0 000 | the sound of something that is ringing loudly for a while
"""
DICTIONARY = """\
preface

Lighthouse \\Light"house`\\ (l[imac]t"hous`), n. [Light +
   house.] (Naut.)
   A beacon [Obs.] of great height, erected on a {coast}, to guide mariners at night.
   [1913 Webster]

Abacus \\Ab"a*cus\\, n.
   1. A table strewn with sand, anciently used for drawing and for sums by many.
      [1913 Webster]

   2. A frame with balls that slide on wires, by which children learn to reckon.
      [1913 Webster]

Shore \\Shore\\, n.
   The land that borders on a lake or a sea or any other such thing.
   [WordNet 1.5]
"""


def test_only_words_of_one_sense_and_without_themselves_are_kept() -> None:
    assert single_glosses(WORDNET) == {
        "lighthouse": "a tower with a light that gives warning of shoals to ships",
        "shore": "sloping land beside a body of water that is rather long",
    }


def test_definitions_come_without_etymology_pronunciation_or_other_sources() -> None:
    assert single_definitions(DICTIONARY) == {
        "lighthouse": "A beacon of great height, erected on a coast, to guide mariners at night."
    }


def test_definitions_that_share_words_are_left_out() -> None:
    lexicon = Bm25(["towers", "ships"])
    assert shared("the tower of a ship", "towers and ships", lexicon) == 2
    near = {"lighthouse": "a tower that guides mariners at sea"}
    far = {"lighthouse": "a structure with a lamp"}
    definitions = single_definitions(DICTIONARY)
    assert list(chosen_words(near, definitions, lexicon, 0)) == []
    assert list(chosen_words(far, definitions, lexicon, 0)) == ["lighthouse"]

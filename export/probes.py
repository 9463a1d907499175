"""The probe pairs that every artifact carries: fixed, short enough for a Raspberry Pi, varied.

All texts were written for this project. They mix what decides a reranker's score: relevant
passages, passages on another subject, long ones, fragments, repetitions, and other scripts.
"""

from __future__ import annotations

Pair = tuple[str, str]

_TOPICS: tuple[tuple[str, str, str], ...] = (
    (
        "how do I stop a laptop battery from wearing out",
        "Lithium-ion cells age fastest when they are kept full and warm. Charging to about eighty "
        "percent, leaving the machine off the charger for part of the day and keeping it out of "
        "direct sun slows the loss of capacity. Many vendors offer a charge limit in the firmware "
        "settings for machines that stay plugged in.",
        "A charge limit of 80 % prolongs battery life.",
    ),
    (
        "why is the sky red at sunset",
        "Air molecules scatter short wavelengths far more strongly than long ones. In the evening "
        "sunlight crosses a much thicker layer of air, so that most of the blue has been scattered "
        "out of the beam before it reaches the observer, and what remains is orange and red. Dust "
        "and smoke deepen the colour.",
        "Rayleigh scattering removes the blue from low sunlight.",
    ),
    (
        "list files sorted by size on the command line",
        "The option -S makes ls order its output by file size, largest first; add -r to turn the "
        "order round and -h to print sizes with units. To include whole directory trees use du "
        "and pipe its output through sort -h, since ls does not add up what lies in a directory.",
        "ls -lS",
    ),
    (
        "what temperature should bread be baked at",
        "A crusty loaf is started hot, at around 230 degrees Celsius with steam in the oven, and "
        "finished at 200 once the crust has set. Enriched doughs with butter, milk or sugar brown "
        "quickly and do better at 180. The loaf is done when its centre reads 96 degrees.",
        "Bake at 230 C for fifteen minutes, then at 200 C.",
    ),
    (
        "symptoms of iron deficiency",
        "People who are short of iron often feel tired and out of breath on the stairs, look pale "
        "and have cold hands. Brittle nails, restless legs at night and a craving for ice are less "
        "common signs. A blood test for ferritin shows whether the body's stores have run down.",
        "Fatigue, pallor and shortness of breath.",
    ),
    (
        "difference between a mutex and a semaphore",
        "A mutex has an owner: the thread that locked it is the one that must unlock it, and only "
        "one thread can hold it at a time. A semaphore is a counter without an owner; any thread "
        "may post to it, which suits signalling and limiting how many workers use a resource.",
        "A mutex is owned; a semaphore counts.",
    ),
    (
        "cancel a train ticket and get the money back",
        "Flexible tickets can be returned free of charge until the day before departure. For saver "
        "fares the railway keeps a fee, and super saver fares are not refunded at all unless the "
        "train is cancelled or more than an hour late. Refunds go to the card that was charged.",
        "Saver fares are refunded less a fee.",
    ),
    (
        "who proved that there are infinitely many primes",
        "The oldest known argument stands in the ninth book of Euclid's Elements: multiply any "
        "finite list of primes together and add one, and the result has a prime factor that is "
        "not in the list. Euler later gave another proof from the divergence of a series.",
        "Euclid, around 300 BC.",
    ),
)

_SPECIAL: tuple[Pair, ...] = (
    ("red sunset", "sunset sunset sunset red red red sky sky sunset red sky red sunset sky"),
    ("battery", ""),
    ("préparer du pain", "Le pain se cuit à 230 °C, puis à 200 °C quand la croûte a pris."),
    ("素数は無限にあるか", "ユークリッドは素数が無限に存在することを証明した。"),
    ("mutex vs semaphore?!", "int sem_post(sem_t *sem);  /* increments the semaphore */"),
    ("iron", "The iron bridge at Coalbrookdale was opened in 1781."),
)


def probe_pairs() -> tuple[Pair, ...]:
    """Return the probe pairs as (query, document), always the same, in the same order."""
    pairs: list[Pair] = []
    for index, (query, passage, short) in enumerate(_TOPICS):
        _, other, _ = _TOPICS[(index + 3) % len(_TOPICS)]
        pairs += [(query, passage), (query, other), (query, short)]
        if index % 4 == 0:
            pairs.append((query, f"{other} {passage} {short}"))
    return (*pairs, *_SPECIAL, *_long_pairs())


def _long_pairs() -> tuple[Pair, ...]:
    """Return an answer behind three and behind five other passages: about 260 and 370 tokens.

    Only such pairs use the relative positions further apart than the other pairs are long.
    """
    passages = [passage for _, passage, _ in _TOPICS]
    return (
        (_TOPICS[0][0], " ".join((*passages[3:6], passages[0]))),
        (_TOPICS[5][0], " ".join((*passages[1:4], *passages[6:], passages[5]))),
    )

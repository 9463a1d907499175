"""The text that pairs are made of; written for this purpose."""
# ruff: noqa: RUF001 - letters that look alike are meant.

from __future__ import annotations

# Topic: questions, and sentences that answer them or come near.
TOPICS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "files": (
        (
            "list files sorted by size",
            "how do I see which file in a folder is the largest",
            "remove a directory and everything in it",
            "copy a folder to another disk and keep the dates",
        ),
        (
            "The option -S makes ls order a listing by file size, with the largest file first.",
            "Add -r and the order turns round, so that the smallest file comes first.",
            "du sums up what each directory takes on the disk, and sort -n puts the sums in order.",
            "To remove a directory and all that lies in it, give rm the option -r, and take care.",
            "cp -a copies a tree of files and keeps owners, permissions and dates as they were.",
            "find walks a tree and prints the names of the files that match what you ask for.",
            "A hard link is a second name for one file; both names must lie on one file system.",
            "When the disk is full, look for old logs first: they grow where nobody looks.",
        ),
    ),
    "plants": (
        (
            "how do plants eat",
            "why are leaves green",
            "when should tomatoes be watered",
            "what does a seed need to sprout",
        ),
        (
            "Plants make sugar from water and carbon dioxide, with light as the source of energy.",
            "Chlorophyll takes in red and blue light and sends the green back to our eyes.",
            "Water tomatoes in the morning, at the root, and let the soil dry a little in between.",
            "A seed waits for moisture, warmth and air; many wait for a cold winter as well.",
            "Roots draw nitrogen, potassium and phosphorus from the soil together with water.",
            "A cactus opens its pores at night, when it loses the least water to the air.",
            "Moss has no roots to speak of and drinks through its leaves when it rains.",
            "Bees carry pollen from flower to flower while they look for nectar.",
        ),
    ),
    "bread": (
        (
            "how hot must the oven be for bread",
            "why did my dough not rise",
            "how long does sourdough keep",
            "what is the difference between flour types",
        ),
        (
            "Start a crusty loaf at two hundred and fifty degrees and finish it at two hundred.",
            "Dough that does not rise is too cold, too salty, or was made with yeast too old.",
            "Sourdough keeps for five days in a cloth, and longer when it is frozen in slices.",
            "Strong flour has more protein, which makes the gluten that holds the bubbles.",
            "Fold the dough every half hour instead of kneading it, and time does the work.",
            "Steam in the first minutes keeps the crust soft until the loaf has opened.",
            "Weigh the water: a cup is never the same twice, and a loaf is mostly water.",
            "A baking stone stores heat and gives it to the bottom of the loaf at once.",
        ),
    ),
    "bridges": (
        (
            "why do steel bridges rust",
            "how is a suspension bridge held up",
            "what load can a stone arch carry",
            "how are cracks in a girder found",
        ),
        (
            "Steel rusts where the paint has flaked off and salt water is left standing.",
            "Two cables over two towers carry the deck by hangers, and anchors hold the cables.",
            "A stone arch turns every load into pressure, which stone bears better than steel.",
            "Ultrasound shows cracks inside a girder long before an eye could see them.",
            "Gaps between the spans let the deck grow in summer and shrink in winter.",
            "Wind made the first bridge at Tacoma swing until its deck tore apart.",
            "A pier in a river needs stones around its foot, or the current digs it out.",
            "Painters begin at one end again as soon as they have reached the other.",
        ),
    ),
    "music": (
        (
            "how do I tune a guitar by ear",
            "what is a minor chord",
            "why does a violin sound different from a flute",
            "how fast is andante",
        ),
        (
            "Press the fifth fret of the low string: it should sound like the next open string.",
            "A minor chord has its third a half tone lower than the major chord on the same note.",
            "A violin is rich in overtones; a flute is nearly a single pure tone.",
            "Andante is the pace of walking, about eighty beats a minute, give or take ten.",
            "Practise a hard bar slowly, and only as fast as every note of it is right.",
            "New strings go out of tune for a day or two, until they have stretched.",
            "A metronome is honest company: it neither hurries you nor waits for you.",
            "In a choir the altos sing below the sopranos and above the tenors.",
        ),
    ),
    "networks": (
        (
            "how does a browser find the address of a server",
            "why is my wireless connection slow",
            "what is a subnet mask",
            "reset the password of a router",
        ),
        (
            "A browser asks a resolver, which asks the name servers from the root downwards.",
            "Walls, neighbours on the same channel and old devices make wireless links slow.",
            "A subnet mask says which bits of an address name the network and which the host.",
            "Hold the small button for ten seconds; the password on the label is valid again.",
            "A packet that has crossed too many routers is dropped, and its sender is told.",
            "Every device has a hardware address that is meant to be the only one in the world.",
            "A firewall lets through what its rules name, in the order in which they stand.",
            "Latency is how long one byte takes; bandwidth is how many can follow it.",
        ),
    ),
}

ODD: tuple[str, ...] = (
    "Ærøskøbing, Łódź, Kraków, São Paulo, Zürich",
    "cafe\u0301 and café are one word in two spellings",
    "Как приготовить хлеб дома?",
    "Πόσο γρήγορα πέφτει μια πέτρα;",
    "植物如何进食？光合作用。",
    "ファイルをサイズ順に並べる",
    "파일을 크기순으로 정렬",
    "كيف تنمو النباتات؟",
    "איך צמחים אוכלים?",
    "पौधे कैसे खाते हैं",
    "🌱🔆💧➡️🍬 👩‍👩‍👧‍👦 🇫🇮",
    "zero\u200bwidth\u200dand\ufeffmarks",
    "ﬁne ligatures, ＦＵＬＬ　ＷＩＤＴＨ, ½ × ² = ½²",
    "tabs\tand\nnew lines\r\nand\u00a0hard\u2003blanks",
    "bell\x07 and escape\x1b[31m and null-free control \x01\x02",
    '<b>not</b> &amp; {"json": [1, 2.5e-3]} $HOME/`id` \\u0041 %00',
    "[CLS] [SEP] [PAD] [UNK] [MASK] </s> <s>",
    "0123456789 3.14159 1,000,000 0x1F 1e-7 −40 °C",
    "!!! ??? ... --- ___ *** ((())) ;;; ::",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "a" * 120,
    "x y z " * 9,
    "\ud7ff\ue000\U0010fffd private and last code points",
    "IJssel ĳ ǆ ß ẞ ſ İ ı",
)

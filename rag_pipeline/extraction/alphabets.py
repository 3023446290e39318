"""Which characters the languages of each legacy encoding are written with: the evidence `decoding` weighs.

Only data. The letters listed are those a true text is full of and a wrongly decoded one is not: for Latin languages
the accented ones, for other scripts the most frequent ones.
"""

# ruff: noqa: RUF001 - telling look-alikes apart is what this module is for

_WESTERN = (
    "áâãàçéêíóôõúü",  # Portuguese
    "áéíóúüñ",  # Spanish
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüß",  # German
    "àèéìíòóùú",  # Italian
    "àçéèíïóòúü",  # Catalan
    "áéèëïóöü",  # Dutch
    "æøåéäö",  # Danish, Norwegian, Swedish, Finnish
    "áéíóúýþæöð",  # Icelandic
)
_CENTRAL = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "ăâîşţ",  # Romanian, as before Unicode
    "čćđšž",  # Croatian, Slovene
)
_TURKISH = ("çğıöşüâîûi",)
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")
_CYRILLIC = (
    "оеаинтсрвлкмдпу",  # Russian, and most of it for Bulgarian
    "оаинтеісрвлкдмїє",  # Ukrainian
    "аоеинрсјтукдљњ",  # Serbian
)
_GREEK = ("αοιετσνηυρπκμλςάίόέή",)
_HEBREW = ("יוהלאתרמבשנ",)
_ARABIC = ("ايلمنوترةبعدسف",)
_THAI = ("านรกอเงมยลวดทสตะปบคหแจพช่้ีัิ",)

SINGLE_BYTE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cp1252", _WESTERN),
    ("cp850", _WESTERN),
    ("mac_roman", _WESTERN),
    ("cp1250", _CENTRAL),
    ("iso8859_2", _CENTRAL),
    ("cp852", _CENTRAL),
    ("cp1254", _TURKISH),
    ("cp857", _TURKISH),
    ("cp1257", _BALTIC),
    ("cp1251", _CYRILLIC),
    ("koi8_u", _CYRILLIC),
    ("cp866", _CYRILLIC),
    ("iso8859_5", _CYRILLIC),
    ("mac_cyrillic", _CYRILLIC),
    ("cp1253", _GREEK),
    ("iso8859_7", _GREEK),
    ("cp1255", _HEBREW),
    ("cp1256", _ARABIC),
    ("iso8859_6", _ARABIC),
    ("cp874", _THAI),
)
"""Encoding -> the languages it was made for. Where two explain a text equally well the earlier one is taken: cp1252
first, as the web does (https://encoding.spec.whatwg.org/#names-and-labels maps latin1 and ascii to it)."""

_SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
    "完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运"
)
_TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作里"
    "用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實"
    "日軍者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政"
    "美相見被利什二等產或新己制身"
)
_KANA = "".join(chr(code) for code in range(0x3041, 0x30FD))
_HANGUL = (
    "이다는의에을가고하지한를기사로어나리은자도대인해그시서있일수아것들라여전과부정주보스장만상동니게면구"
    "원없성제국공으되했안우신대할적관실히때문생중"
)
_PUNCTUATION = "。，、；：？！「」『』（）《》“”‘’・…　"

MULTI_BYTE: tuple[tuple[str, frozenset[str]], ...] = (
    ("gb18030", frozenset(_SIMPLIFIED + _PUNCTUATION)),
    ("big5", frozenset(_TRADITIONAL + _PUNCTUATION)),
    ("cp932", frozenset(_KANA + _PUNCTUATION)),
    ("euc_jp", frozenset(_KANA + _PUNCTUATION)),
    ("cp949", frozenset(_HANGUL)),
)
"""Encoding -> its language's most frequent characters. Any of these encodings decodes most texts of the others, into
characters nobody uses."""

EBCDIC = "cp500"

SYMBOLS = frozenset("“”‘–—…«»‹›°§£½¼¾²³±×´¨")
"""Not letters, yet usual in a text; none stands inside a word."""

OPENING = frozenset("„‚¿¡")
"""Symbols that no letter comes before."""

INSIDE_WORDS = frozenset("’ªº\u00ad\u00a0")
"""Symbols that may: apostrophe, ordinals (1ª, Nº5), soft hyphen, fixed blank."""

APART_FROM_LETTERS = frozenset("€¥©®™•·¹÷µ¶¦¢†‡‰№─│┌┐└┘├┤┬┴┼═║╔╗╚╝■░▒▓")
"""Rarer symbols, and those of frames; a letter beside one makes it unlikely."""

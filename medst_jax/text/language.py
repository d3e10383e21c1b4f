# SPDX-License-Identifier: Apache-2.0
"""Tells English reports from those in other languages, which the rules for words cannot read."""

import re

_WORD = re.compile(r"[^\W\d_]+")
_SAMPLE = 2000  # characters looked at
# Words of English reports that Spanish, Portuguese, French, German, Italian and Dutch lack.
_ENGLISH = frozenset(
    (
        *("the", "of", "is", "are", "and", "with", "without", "there", "was", "were", "has", "not"),
        *("seen", "to", "or", "for", "this", "that", "have", "been", "from", "may", "heart", "at"),
        *("lungs", "lung", "clear", "size", "chest", "within", "limits", "right", "left", "be"),
        *("small", "stable", "acute", "evidence", "findings", "likely", "mild", "new", "on"),
    )
)
# Short words of those languages that no English report uses as words or abbreviations.
_LINKING = frozenset(
    (
        *("el", "la", "los", "las", "del", "sin", "por", "una", "uno", "que", "sem", "com", "dos"),
        *("nas", "um", "uma", "ambos", "ambas", "se", "como", "les", "des", "du", "sans", "avec"),
        *("et", "dans", "une", "sont", "pas", "aux", "il", "y", "der", "die", "das", "und", "kein"),
        *("keine", "keinen", "keiner", "ohne", "nicht", "mit", "im", "zum", "zur", "von", "bei"),
        *("ein", "eine", "einen", "auf", "della", "dei", "senza", "nei", "een", "geen", "het"),
        *("zonder", "niet", "en", "em", "da", "di", "au", "ist", "sind", "esta", "son", "sao"),
        *("dentro", "normales", "normais", "normale", "normaux", "derecho", "derecha", "leve"),
        *("izquierdo", "izquierda", "direito", "direita", "esquerdo", "esquerda", "droite"),
        *("gauche", "links", "rechts", "beidseits", "ambos", "bilaterales", "normalen", "signos"),
        *("sinais", "signes", "observa", "observan", "aprecia", "aprecian", "visualiza", "imagen"),
    )
)
# Plain signs of another language, each enough beside no English word.
_MEDICAL = frozenset(
    (
        *("derrame", "derrames", "pulmones", "pulmon", "pulmonares", "silueta", "cardiaca"),
        *("cardiomegalia", "neumotorax", "neumonia", "opacidad", "opacidades", "opacidade"),
        *("hallazgos", "radiografia", "torax", "corazon", "consolidaciones", "consolidacion"),
        *("infiltrados", "infiltrado", "atelectasias", "atelectasia", "costofrenicos", "pulmao"),
        *("pulmoes", "coracao", "achados", "consolidacao", "consolidacoes", "atelectasie"),
        *("epanchement", "poumon", "poumons", "coeur", "foyer", "pulmonaire", "pulmonaires"),
        *("cardiaque", "opacite", "opacites", "pneumopathie", "cardiomegalie", "epanchements"),
        *("herz", "lunge", "lungen", "pleuraerguss", "pleuraergusse", "erguss", "ergusse"),
        *("infiltrat", "infiltrate", "stauung", "unauffallig", "regelrecht", "herzschatten"),
        *("pneumothorace", "versamento", "cuore", "polmonare", "longen", "pleuravocht", "fratura"),
        *("pneumonie", "odem", "verschattung", "verschattungen", "voraufnahme", "fractura"),
        *("rontgen", "thoraxaufnahme", "herzgrosse", "vergrossert", "aumentada", "aumentado"),
        *("edematisch", "fraktur", "frakturen", "pneumotorax", "pneumotorace", "pleuraverdickung"),
    )
) - {"infiltrate"}
_PLAIN_LETTERS = str.maketrans("áàâãäåéèêëíìîïóòôõöúùûüçñœ", "aaaaaaeeeeiiiiooooouuuucno")


def is_foreign(text: str) -> bool:
    """Whether a text is plainly in another language than English.

    Known are Spanish, Portuguese, French, German, Italian and Dutch. A text too short to tell
    counts as English.

    >>> is_foreign("Sin derrame pleural. Silueta cardiaca normal.")
    True
    >>> is_foreign("No effusion. Heart size normal.")
    False
    """
    words = set(_WORD.findall(text[:_SAMPLE].lower()))
    english = len(words & _ENGLISH)
    foreign = len(words & _LINKING) + 2 * len(words & _MEDICAL)
    if not text.isascii():
        for word in words - _MEDICAL:
            plain = word.translate(_PLAIN_LETTERS).replace("ß", "ss")
            if plain != word:
                foreign += 2 if plain in _MEDICAL else 1
    return foreign > english and foreign >= 2

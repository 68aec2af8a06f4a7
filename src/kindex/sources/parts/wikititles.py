"""Titles of wiki pages, as MediaWiki reads them: the one spelling of a link's target, or that it leads elsewhere.

The rules are those of MediaWiki's `Title::secureAndSplit`, as far as links of the article namespace need them.
"""

import html
import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote

CATEGORY = "Category:"
MOST_BYTES = 255
"""MediaWiki stores no longer title."""

_NAMESPACES = """
media special talk user wikipedia project wp wt file image mediawiki template help portal draft book module timedtext gadget
topic event campaign
"""

_PROJECTS = """
b d c f m n q s v w voy wikt wiktionary wikiquote wikisource wikibooks wikinews wikiversity wikivoyage wikispecies species
commons meta metawiki metawikipedia mw mediawikiwiki wikidata wikimedia wikimediafoundation foundation foundationsite wmf
incubator outreach oldwikisource sep11 phab phabricator bugzilla gerrit mailarchive rev toollabs toolforge tools translatewiki
betawiki usability strategy wikitech doi hdl pmid arxiv imdbname imdbtitle google wikia wikicities iarchive oeis orthodoxwiki
"""

_LANGUAGES = """
aa ab ace ady af ak als am an ang anp ar arc arz as ast av avk ay az azb ba ban bar bat-smg bcl be be-tarask be-x-old bg bh bi
bjn blk bm bn bo bpy br bs bug bxr ca cbk-zam cdo ce ceb ch cho chr chy ckb co cr crh cs csb cu cv cy da dag de din diq dsb
dty dv dz ee el eml en eo es et eu ext fa fat ff fi fiu-vro fj fo fr frp frr fur fy ga gag gan gcr gd gl glk gn gom gor got gu
guc gur guw gv ha hak haw he hi hif ho hr hsb ht hu hy hyw hz ia id ie ig ii ik ilo inh io is it iu ja jam jbo jv ka kaa kab
kbd kbp kcg kg ki kj kk kl km kn ko koi kr krc ks ksh ku kv kw ky la lad lb lbe lez lfn lg li lij lld lmo ln lo lrc lt ltg lv
lzh mad mai map-bms mdf mg mh mhr mi min mk ml mn mnw mo mr mrj ms mt mus mwl my myv mzn na nah nan nap nds nds-nl ne new ng
nia nl nn no nov nqo nrm nso nv ny oc olo om or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rm rmy rn
ro roa-rup roa-tara ru rue rw sa sah sat sc scn sco sd se sg sh shi shn shy si simple sk skr sl sm smn sn so sq sr srn ss st
stq su sv sw szl szy ta tay tcy te tet tg th ti tk tl tn to tpi tr trv ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi vls
vo wa war wo wuu xal xh xmf yi yo yue za zea zgh zh zh-classical zh-min-nan zh-yue zu
"""

ELSEWHERE = frozenset(f"{_PROJECTS} {_LANGUAGES}".split()).union(
    *({name, f"{name} talk"} for name in [*_NAMESPACES.split(), "category"])
) - {"category"}
"""Prefixes, in lower case, of titles that are no articles of this wiki: other namespaces, languages and projects."""

_COMMENT = re.compile(r"<\s*!--.*?(--\s*>|$)", re.DOTALL)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_FORBIDDEN = re.compile(r"[\[\]{}|<>\x00-\x1f\x7f\ufffd\ud800-\udfff]")
_MARKS = dict.fromkeys([0x00AD, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F)])
"""Soft hyphens, zero-width spaces and marks of direction: MediaWiki takes them out of titles."""


@lru_cache(maxsize=1 << 17)
def page_title(target: str) -> str:
    """The title that a link's target means: an article's, or a category's with its prefix. "" when it leads elsewhere.

    >>> page_title("war_and&nbsp;Peace#Plot"), page_title(":category: novels"), page_title("fr:Guerre et Paix")
    ('War and Peace', 'Category:Novels', '')
    """
    text = html.unescape(_COMMENT.sub("", target))
    if _ENCODED.search(text):
        text = unquote(text)
    text = tidy(text.partition("#")[0].replace("_", " ")).lstrip(": ")
    prefix, colon, rest = text.partition(":")
    namespace = prefix.strip().lower() if colon else ""
    if namespace in ELSEWHERE or _FORBIDDEN.search(text):
        return ""
    is_category = namespace == "category"
    name = _capital(rest.strip() if is_category else text)
    if not name or len(name.encode()) > MOST_BYTES:
        return ""
    return CATEGORY + name if is_category else name


def tidy(text: str) -> str:
    """One spelling: composed letters (NFC), no invisible marks, single spaces, none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_MARKS)).split())


def _capital(name: str) -> str:
    """The first letter in upper case, where that is one letter (not so for ß)."""
    first = name[:1].upper()
    return first + name[1:] if len(first) == 1 else name

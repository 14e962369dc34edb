"""The documentation holds together: links lead somewhere, and sections that the code cites exist."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.rows import all_rows

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
LINK = re.compile(
    r"\]\(\s*<?([^\s<>()]+(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:\s+[\"'][^)]*)?\s*\)"  # [text](target "title")
    r"|^ *\[[^\]]+\]: +<?(\S+?)>?(?: |$)",  # [name]: target
    re.MULTILINE,
)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
CITED = re.compile(r"(docs/[\w.-]+\.md),? sections? (\d+(?:\.\d+)?(?:(?:, | and )\d+(?:\.\d+)?)*)")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
NUMBERED = re.compile(r"^#+ (\d+(?:\.\d+)?)\.? ", re.MULTILINE)
CODE_FOLDERS = ("addons", "accounts", "config", "certs", "cli", "standin", "tests", "benchmarks")


TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`")
SECURITY = ROOT / "docs" / "security.md"


def links(page: Path) -> list[str]:
    """The targets of a page's relative links; what is shown as code is none."""
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    targets = [inline or reference for inline, reference in LINK.findall(text)]
    return [target for target in targets if not re.match(r"[a-z][a-z+.-]*:|//", target, re.IGNORECASE)]


def anchors(page: Path) -> set[str]:
    """What a link into a page can name: its headings the way code hosts spell them, and explicit anchors."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    seen: Counter[str] = Counter()
    found = set(ANCHOR.findall(text))
    for heading in HEADING.findall(text):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken(page: Path) -> list[str]:
    trouble = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page if not name else (page.parent / unquote(name)).resolve()
        missing = not target.exists() or not target.is_relative_to(ROOT)
        if missing or (anchor and target.suffix == ".md" and unquote(anchor) not in anchors(target)):
            trouble.append(link)
    return trouble


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of this repository, and a heading that is in it."""
    if not page.exists():
        pytest.skip(f"{page.name} is not written yet")
    assert not broken(page)


def test_the_link_check_finds_what_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above sees dead files and dead headings, and nothing in code blocks."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` c!\n# A b c\n[ok](#a-b-c) [second](#a-b-c-1) [self](page.md#a-b-c) [web](https://example.com/x)\n"
        '[gone](gone.md) [no heading](page.md#nowhere) ![picture](gone.png "Gone")\n[r]: gone-too.md\n'
        "`[code](no.md)`\n```sh\n[fence](no.md)\n# not a heading\n```\n[no](#not-a-heading)\n"
    )
    assert broken(page) == ["gone.md", "page.md#nowhere", "gone.png", "gone-too.md", "#not-a-heading"]


def sections(page: Path) -> set[str]:
    """The numbers of a page's headings."""
    return {found[1] for found in NUMBERED.finditer(page.read_text(encoding="utf-8"))} if page.exists() else set()


def test_cited_sections_exist() -> None:
    """A comment that cites a numbered section of a page sends its reader to a section there is."""
    dead = []
    for path in [path for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*.py")]:
        if "node_modules" in path.parts:
            continue
        text = re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text(encoding="utf-8"))  # a citation may span two lines
        for found in CITED.finditer(text):
            page, numbers = found[1], set(NUMBER.findall(found[2]))
            dead += [f"{path.relative_to(ROOT)}: {page} section {n}" for n in numbers - sections(ROOT / page)]
    assert not dead


def test_the_pages_are_found() -> None:
    """The checks above look at something."""
    assert len(PAGES) > 10


def test_pages_lead_only_to_pages() -> None:
    """A link out of docs/ works on a code host and is dead on the built pages."""
    folder = ROOT / "docs"
    leaving = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in folder.rglob("*.md")
        for link in links(page)
        if link.partition("#")[0]
        and not (page.parent / unquote(link.partition("#")[0])).resolve().is_relative_to(folder)
    ]
    assert not leaving


NARROWEST = 34
"""Columns of a diagram that a telephone's screen, 320 pixels wide, shows whole."""


def test_the_diagram_of_the_first_page_is_whole_at_every_width() -> None:
    """A wider one would have to be pushed to and fro there."""
    (diagram,) = re.findall(r"```text\n(.*?)```", (ROOT / "docs" / "index.md").read_text("utf-8"), re.DOTALL)
    assert max(map(len, diagram.splitlines())) <= NARROWEST


LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=\"?(?:https?:)?//|"
    r"<link\b[^>]*\bhref=\"?(?:https?:)?//|@import\s+[\"']?https?:|url\([\"']?https?:",
    re.IGNORECASE,
)


def test_the_built_pages_load_nothing_from_elsewhere() -> None:
    """No fonts, scripts or pictures of others': reading the documentation tells nobody."""
    site = ROOT / "build" / "site"
    if not site.exists():
        pytest.skip("`make docs` has not built the pages")
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]
    assert len(files) > len(PAGES)
    assert not [path.relative_to(site) for path in files if LOADED.search(path.read_text("utf-8"))]


@all_rows(
    ("text", "loads"),
    [
        ('<script src="https://cdn.example/x.js">', True),
        ('<link rel=stylesheet href="//fonts.example/css">', True),
        ("@import url(https://fonts.example/css)", True),
        ('<a href="https://example.com">', False),
        ('<script src="assets/x.js">', False),
    ],
)
def test_the_check_of_built_pages_tells_loading_from_linking(text: str, loads: bool) -> None:
    assert bool(LOADED.search(text)) is loads


@all_rows(("file", "test"), sorted(set(TEST.findall(SECURITY.read_text("utf-8")))))
def test_what_security_leans_on_is_tested(file: str, test: str) -> None:
    assert (ROOT / file).is_file()
    assert not test or re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_every_attack_names_the_test_that_keeps_it_out() -> None:
    table = SECURITY.read_text("utf-8").partition("| attack | before | now | test |")[2].splitlines()[2:]
    assert len(table) > 20
    assert [row for row in table if not TEST.search(row.rsplit("|", 2)[1])] == []

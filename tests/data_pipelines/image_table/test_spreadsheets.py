# SPDX-License-Identifier: Apache-2.0
"""Delimiters and encodings that spreadsheets and statistics programs write."""

import codecs
import gzip

import pytest

from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError
from medst_jax.data_pipelines.listing.table_text import decode, find_delimiter
from tests.data_pipelines.tables import jpeg, picture

TEXT = """image_path,patient_id,labels,report,age
a.jpg,p0,Edema|Mass,"Heart, lungs; all normal.",58
b.jpg,p1,,"Two
lines.",
"""


def write(folder, data, name="metadata.csv"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    for k, image in enumerate("ab"):
        (folder / f"{image}.jpg").write_bytes(jpeg(picture(k)))
    return ImageTable(str(folder), "mine")


def separated(delimiter):
    """TEXT with another delimiter; a report keeps its commas."""
    lines = TEXT.replace("Heart, lungs", "Heart@ lungs").replace(",", delimiter)
    return lines.replace("@", ",")


PLAIN = {
    "comma": TEXT.encode(),
    "semicolon": separated(";").encode(),
    "tab": separated("\t").encode(),
    "byte order mark": codecs.BOM_UTF8 + TEXT.encode(),
    "semicolon and mark": codecs.BOM_UTF8 + separated(";").encode(),
    "UTF-16 little-endian": codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
    "UTF-16 big-endian": codecs.BOM_UTF16_BE + separated("\t").encode("utf-16-be"),
    "Excel's Unicode text": codecs.BOM_UTF16_LE
    + separated("\t").replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-16 without mark": separated(";").encode("utf-16-le"),
    "UTF-32": TEXT.encode("utf-32"),
    "Excel's hint": b"sep=;\r\n" + separated(";").encode(),
    "lines of an old Mac": separated(";").replace("\n", "\r").encode(),
    "blank lines first": b"\n\n" + TEXT.encode(),
    "blanks after commas": TEXT.replace(",", ", ").replace("Heart,  ", "Heart, ").encode(),
    "gzip": gzip.compress(separated(";").encode()),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_the_same_table_in_other_forms(tmp_path, kind):
    name = "metadata.csv.gz" if kind == "gzip" else "metadata.csv"
    listing = write(tmp_path, PLAIN[kind], name).read()
    first, second = listing.items
    assert (first.patient_id, first.age, listing.labels) == ("p0", 58, ("Edema", "Mass"))
    assert first.report == "Heart, lungs; all normal."
    assert (second.path, second.report, second.labels) == ("b.jpg", "Two\nlines.", {})
    assert not listing.rejects


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("semicolon", "UTF-8, semicolon between cells"),
        ("Excel's Unicode text", "UTF-16, tab between cells"),
        ("byte order mark", "UTF-8 with a byte order mark, comma"),
        ("UTF-16 without mark", "UTF-16 without a byte order mark, semicolon"),
    ],
)
def test_what_was_found_is_said(tmp_path, kind, words):
    assert words in write(tmp_path, PLAIN[kind]).notes()[0]


@pytest.mark.parametrize("word", ["naïve", "Müller-Zeichen", "œdème", "5 µg", "„rechts“", "côté"])
def test_western_letters_of_one_byte_are_read_and_said(tmp_path, word):
    source = write(tmp_path, TEXT.replace("all normal", word).encode("cp1252"))
    assert source.read().items[0].report == f"Heart, lungs; {word}."
    assert "Windows-1252 (Latin-1)" in source.notes()[0] and "--table_encoding" in source.notes()[1]


@pytest.mark.parametrize(
    ("word", "encoding"),
    [
        ("затемнение", "cp1251"),
        ("肺水肿肺水肿", "gbk"),
        ("πνεύμονας", "cp1253"),
        ("肺水腫あり", "shift-jis"),
    ],
)
def test_other_alphabets_are_never_guessed(tmp_path, word, encoding):
    data = TEXT.replace("all normal", word).encode(encoding)
    (reject,) = write(tmp_path, data).read().rejects
    assert (reject.row, reject.reason) == (2, "not UTF-8")
    (tmp_path / "metadata.csv").write_bytes(data)
    named = ImageTable(str(tmp_path), "mine", options=TableOptions(encoding=encoding))
    assert named.read().items[0].report == f"Heart, lungs; {word}."


def test_one_damaged_row_of_a_file_in_utf_8_costs_that_row(tmp_path):
    data = TEXT.replace("Two", "Größe").encode() + b"c.jpg,p2,,na\xefve,\n"
    listing = write(tmp_path, data).read()
    assert [reject.reason for reject in listing.rejects] == ["not UTF-8"]
    assert len(listing.items) == 2


def test_a_table_without_any_readable_row_says_why(tmp_path):
    rows = "image_path,patient_id,report\n" + "a.jpg,p,затемнение\n" * 3
    source = write(tmp_path, rows.encode("cp1251"))
    with pytest.raises(TableError, match=r"no usable row for mine: 3: not UTF-8 \(line 2\)"):
        source.units()


@pytest.mark.parametrize(
    ("data", "encoding", "match"),
    [
        (codecs.BOM_UTF16_LE + b"a\0b", "", "line 1 is not utf-16: save the table as UTF-8"),
        (b"a,b\nc,\xff\n", "utf-8", "line 2 is not utf-8"),
        (b"a,b\n", "klingon", "there is no encoding 'klingon'"),
    ],
)
def test_an_encoding_that_does_not_fit(tmp_path, data, encoding, match):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(TableError, match=match):
        CsvTable(path, encoding).need("a")


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("a;b,c;d", ";"),
        ('a,"b;c;d",e', ","),
        ("a|b|c", "|"),
        ("one", ","),
        ("x\ty, z\tw", "\t"),
    ],
)
def test_delimiter_is_that_of_the_header(header, delimiter):
    assert find_delimiter([header, "1;2;3;4;5;6"])[0] == delimiter


def test_decimal_commas_of_a_semicolon_table(tmp_path):
    table = "image_path;patient_id;day_offset;study_order\na.jpg;p;1,5;1,5\n"
    (item,) = write(tmp_path, table.encode()).read().items
    assert (item.day, item.order) == (1.5, 1.5)


def test_text_of_no_bytes():
    assert decode(b"") == ("", "UTF-8")

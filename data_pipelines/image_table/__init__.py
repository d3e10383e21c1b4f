# SPDX-License-Identifier: Apache-2.0
"""Any folder with a `metadata.csv` and images, which is how a user brings own data.

One row is one image (PNG or JPEG of 8 or 16 bit, or DICOM). A header names the columns; what
stands between cells and the encoding are found (`listing.table_text`). Columns, of which only the
first two are required:

| column | meaning | when absent or empty |
|---|---|---|
| image_path | file, relative to the folder, or absolute inside it | empty with a report: a study without image |
| patient_id | equal for the images of one patient | the row is rejected |
| image_id | unique name | image_path |
| study_id | equal for the images of one study | the row is a study of its own |
| study_order | number that orders a patient's studies | day_offset, else order of the rows |
| day_offset | days from any origin, or a date | unknown |
| view | PA, AP, AP Supine, Frontal, LATERAL, LL, L, ... | view_type, else PA |
| view_type | frontal or lateral | frontal (stored as PA) |
| report | free text, with or without section headers, or a text file of the folder | no text |
| labels | names between `|`; `-x` negative, `?x` uncertain | nobody said (-3) |
| split | train, val, test and their usual other names; the same for all of a patient | hash of patient_id: 80/10/10 |
| age, sex, language | years up to 120, M or F, ISO code | unknown, unknown, en |
| license | collected into the data card | |

Words such as NA, nan, None, null, unknown and - count as empty. Other columns are not read, and
the build says which; `columns` of `TableOptions` names those that are called otherwise,
`label_columns` those that hold 1, 0 or -1 of one class each, in place of `labels`.

What a class means that a `labels` cell does not list is decided once for the table
(`label_lists`). `labels.txt`, one name per line, fixes the vocabulary and its order; without it
the vocabulary is every label of the table, sorted. Rows of one study with different labels become
studies of their own, because labels belong to a study.

With `--labels_from_reports=findings` (the 14 observations) or `union` (85 classes), a study without labels
takes those of its English report, and so do sentences; what a report does not mention is blank.

A bad row is rejected by its line of `metadata.csv` (the header is line 1) and a reason, and the
others stay. A missing column, a patient in two splits, or a split of another name is an error.
"""

from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import TableError

__all__ = ["ImageTable", "TableError"]

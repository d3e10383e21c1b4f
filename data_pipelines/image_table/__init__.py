# SPDX-License-Identifier: Apache-2.0
"""Any folder with a `metadata.csv` and images, which is how a user brings own data.

One row is one image (PNG or JPEG of 8 or 16 bit, or DICOM). UTF-8, comma separated, with a
header. Columns, of which only the first two are required:

| column | meaning | when absent or empty |
|---|---|---|
| image_path | file, relative to the folder | empty with a report: a study without image |
| patient_id | equal for the images of one patient | the row is rejected |
| image_id | unique name | image_path |
| study_id | equal for the images of one study | the row is a study of its own |
| study_order | number that orders a patient's studies | day_offset, else order of the rows |
| day_offset | days, from any origin | unknown |
| view | PA, AP, AP Supine, LATERAL, LL, L, ... | view_type, else PA |
| view_type | frontal or lateral | frontal (stored as PA) |
| report | free text, with or without section headers | no text |
| labels | names between `|`; `-x` negative, `?x` uncertain | not mentioned |
| split | train, val, test, ...; the same for all of a patient | hash of patient_id: 80/10/10 |
| age, sex, language | years, M or F, ISO code | unknown, unknown, en |
| license | collected into the data card | |

The remaining documented columns (report_kind, license_url, source_url, doi, credit, source_repo,
source_commit, orig_filename, orig_width, orig_height, width, height) and any others are allowed
and not read. A label in a non-empty `labels` cell is positive; the vocabulary's others are then
negative. `labels.txt`, one name per line, fixes the vocabulary and its order; without it the
vocabulary is every label of the table, sorted. Rows of one study with different labels become
studies of their own, because labels belong to a study.

With `--labels_from_reports=findings` (the 14 observations) or `union` (85 classes), a study without labels
takes those of its English report, and so do sentences; what a report does not mention is blank.

A bad row is rejected by its line of `metadata.csv` (the header is line 1) and a reason, and the
others stay. A missing column, or a patient in two splits, is an error.
"""

from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.listing.csv_table import TableError

__all__ = ["ImageTable", "TableError"]

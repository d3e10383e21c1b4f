# SPDX-License-Identifier: Apache-2.0
"""What `prepare.py` reads of each official data set: a word for its folder, and what lies in it.

`data_pipelines/registry.py` holds what makes them; this table is what every room may name.
"""

from typing import NamedTuple


class Download(NamedTuple):
    """The folder of a data set.

    folder: a word for it, in capitals. holds: what lies in it. flags: what its command takes
    beside `--source_dir`, each with a word for its value.
    """

    folder: str
    holds: str
    flags: tuple[str, ...] = ()


_MIMIC = "metadata, split and label tables of MIMIC-CXR-JPG 2.x, files/, the reports"
_CHEXPERT = "train.csv, valid.csv and the images of CheXpert-v1.0 or -small"
_BENCHX = "--split_lists=FOLDER_OF_BENCHX/preprocess/datasets"
_TBX11K = "data.csv and images/ of TBX11K Simplified"
_VINDR = "image_labels_{train,test}.csv, train/ and test/"

DOWNLOADS: dict[str, Download] = {
    "mimic_cxr_jpg": Download("MIMIC_CXR_JPG", _MIMIC),
    "mimic_cxr": Download(
        "MIMIC_CXR", "DICOM files/, cxr-record-list.csv.gz, reports, split table"
    ),
    "mimic_cxr_jpg_sentences": Download("MIMIC_CXR_JPG", _MIMIC),
    "mimic_cxr_sentences": Download(
        "MIMIC_CXR", "DICOM files/, cxr-record-list.csv.gz, reports, split table"
    ),
    "mimic_edema": Download("MIMIC_CXR_JPG", f"{_MIMIC}, and the three tables of edema grades"),
    "mimic_5x200": Download("MIMIC_CXR_JPG", f"{_MIMIC}; mimic_5x200.csv where there is one"),
    "chexpert": Download("CHEXPERT", f"{_CHEXPERT}; test_labels.csv with test/"),
    "chexpert_visualchexbert": Download("CHEXPERT", f"{_CHEXPERT}, train_visualCheXbert.csv"),
    "chexpert_5x200": Download("CHEXPERT", f"{_CHEXPERT}; chexpert_5x200.csv where there is one"),
    "chexpert_plus": Download(
        "CHEXPERT_PLUS", "df_chexpert_plus_240401.csv, chexbert_labels/, PNG/ or DICOM/"
    ),
    "chexpert_8x200": Download("CHEXPERT", f"{_CHEXPERT}, ConVIRT's image-retrieval/"),
    "chexpert_8x200_queries": Download("CHEXPERT", f"{_CHEXPERT}, ConVIRT's image-retrieval/"),
    "chexpert_8x200_text_queries": Download("CONVIRT", "text-retrieval/query.csv"),
    "nih_chestxray14": Download(
        "NIH", "Data_Entry_2017_v2020.csv, the two list files, BBox_List_2017.csv, images"
    ),
    "nih_lt": Download("NIH", "the images and LongTailCXR/nih-cxr-lt_single-label_*.csv"),
    "nih_lt_balanced": Download("NIH", "the images and LongTailCXR/nih-cxr-lt_single-label_*.csv"),
    "open_i": Download("OPEN_I", "NLMCXR_reports.tgz, NLMCXR_png/"),
    "rsna_pneumonia": Download(
        "RSNA",
        "stage_2_train_labels.csv, stage_2_detailed_class_info.csv, stage_2_train_images/",
    ),
    "siim_pneumothorax": Download("SIIM", "train-rle.csv, dicom-images-train/"),
    "siim_pneumothorax_png": Download(
        "SIIM_PNG", "stage_1_{train,test}_images.csv, png_images/, png_masks/"
    ),
    "object_cxr": Download("OBJECT_CXR", "train.csv, dev.csv, test.csv, train/, dev/, test/"),
    "tbx11k": Download("TBX11K", _TBX11K),
    "rsna_pneumonia_benchx": Download(
        "RSNA", "as rsna_pneumonia; FOLDER_OF_BENCHX: its repository", (f"{_BENCHX}/RSNA",)
    ),
    "siim_pneumothorax_benchx": Download(
        "SIIM_PNG",
        "as siim_pneumothorax_png; FOLDER_OF_BENCHX: its repository",
        (f"{_BENCHX}/SIIM",),
    ),
    "nih_chestxray14_benchx": Download(
        "NIH",
        "as nih_chestxray14; FOLDER_OF_BENCHX: its repository",
        (f"{_BENCHX}/NIH_Chest_Xray",),
    ),
    "vindr_cxr_benchx": Download(
        "VINDR_CXR", "as vindr_cxr; FOLDER_OF_BENCHX: its repository", (f"{_BENCHX}/VinDr_CXR",)
    ),
    "tbx11k_benchx": Download(
        "TBX11K", f"{_TBX11K}; FOLDER_OF_BENCHX: its repository", (f"{_BENCHX}/TBX11K",)
    ),
    "padchest": Download("PADCHEST", "PADCHEST_..._160K_01.02.19.csv, folders 0/ to 54/"),
    "padchest_physicians": Download("PADCHEST", "as padchest"),
    "padchest_gr": Download("PADCHEST_GR", "grounded_reports_20240819.json, master_table.csv"),
    "padchest_gr_es": Download("PADCHEST_GR", "grounded_reports_20240819.json, master_table.csv"),
    "bimcv_covid19": Download("BIMCV", "sub-S*/, derivatives/labels/"),
    "bimcv_covid19_negative": Download("BIMCV_NEGATIVE", "sub-S*/, derivatives/labels/"),
    "candid_ptx": Download("CANDID", "Pneumothorax_reports.csv, dataset/"),
    "brax": Download("BRAX", "master_spreadsheet_update.csv, images/"),
    "rexgradient": Download("REXGRADIENT", "metadata/*_view_position.json, deid_png/"),
    "vindr_cxr": Download("VINDR_CXR", f"annotations/ with {_VINDR}, or Kaggle's train.csv"),
    "vindr_pcxr": Download("VINDR_PCXR", _VINDR),
    "covid_radiography": Download(
        "COVID_RADIOGRAPHY", "COVID/, Lung_Opacity/, Normal/, Viral Pneumonia/"
    ),
    "covidx": Download("COVIDX", "train.txt, test.txt (val.txt), train/, test/ (val/)"),
    "covidx_cxr4": Download("COVIDX_CXR4", "train.txt, val.txt, test.txt, train/, val/, test/"),
    "covid_chestxray": Download(
        "COVID_CHESTXRAY", "the repository ieee8023/covid-chestxray-dataset"
    ),
    "chest_imagenome": Download("MIMIC_CXR_JPG", f"{_MIMIC}, silver_dataset/"),
    "chest_imagenome_gold": Download("MIMIC_CXR_JPG", f"{_MIMIC}, gold_dataset/"),
    "ms_cxr": Download("MS_CXR", "MS_CXR_Local_Alignment_v1.1.0.csv and MIMIC-CXR-JPG's files/"),
    "ms_cxr_t": Download(
        "MS_CXR_T",
        "MS_CXR_T_temporal_image_classification_v1.0.0.csv, MIMIC-CXR-JPG's metadata and files/",
    ),
    "ms_cxr_t_sentences": Download("MS_CXR_T", "MS_CXR_T_temporal_sentence_similarity_v1.0.0.csv"),
    "radnli": Download("RADNLI", "radnli_{dev,test}_v1.jsonl"),
    "mednli": Download("MEDNLI", "mli_{train,dev,test}_v1.jsonl"),
    "pubmed_abstracts": Download("PUBMED", "pubmed*.xml.gz"),
    "mimic_notes": Download(
        "MIMIC_NOTES", "radiology.csv.gz, discharge.csv.gz or NOTEEVENTS.csv.gz"
    ),
    "text_pairs": Download("TEXT_PAIRS", "text_pairs.csv: concept, text_a, text_b, kind"),
}


def download_flags(name: str) -> str:
    """The flags that name the folder of an official data set.

    >>> download_flags("radnli")
    '--dataset=radnli --source_dir=FOLDER_OF_RADNLI'
    """
    download = DOWNLOADS[name]
    source = f"--source_dir=FOLDER_OF_{download.folder}"
    return " ".join([f"--dataset={name}", source, *download.flags])

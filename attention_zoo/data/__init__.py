"""Data sets: real ones by name, and tables and folders of the user's own.

from attention_zoo import data
clinc = data.load("clinc150")                 # or sample=True: a small real sample, no network
clinc["train"]["text"], clinc["train"]["label"], clinc.licence
multi30k = data.load("multi30k")              # columns "en", "de", "fr": the same sentences side by side, no labels
mine = data.read_table("reviews.csv")         # columns found, or named: text="body", label="stars"
photos = data.read_image_folder("animals")    # one folder for each label; or a table: image="file", label="animal"
pairs = data.read_parallel("a.en", "a.de")    # or a table: source="english", target="german"
speech = data.read_speech("manifest.tsv")     # columns "sound" (paths) and "text"; or a folder with transcripts
people = data.read_multimodal("people.csv")   # columns "image", "audio", "text", "label"; cells may be empty
orders = data.read_interactions("orders.csv") # user, item, time: split by each user's last items, or by time
train, validation = data.hold_out(mine["train"], share=0.1, seed=0)
"""

from attention_zoo.data.dataset import Dataset, Split, has_split
from attention_zoo.data.folder import read_image_folder
from attention_zoo.data.history_splits import leave_one_out, split_by_time
from attention_zoo.data.interactions import read_interactions
from attention_zoo.data.manifest import read_speech
from attention_zoo.data.parallel import read_parallel
from attention_zoo.data.registry import load, names
from attention_zoo.data.rows_table import read_multimodal
from attention_zoo.data.splitting import hold_out, k_folds
from attention_zoo.data.synthetic import synthetic_pairs
from attention_zoo.data.synthetic_emotions import synthetic_emotions
from attention_zoo.data.synthetic_interactions import synthetic_interactions
from attention_zoo.data.table import read_table

__all__ = [
    "Dataset",
    "Split",
    "has_split",
    "hold_out",
    "k_folds",
    "leave_one_out",
    "load",
    "names",
    "read_image_folder",
    "read_interactions",
    "read_multimodal",
    "read_parallel",
    "read_speech",
    "read_table",
    "split_by_time",
    "synthetic_emotions",
    "synthetic_interactions",
    "synthetic_pairs",
]

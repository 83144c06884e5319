"""Histories of what people chose, numbers of items, search among very many, measures and baselines; no Keras.

from attention_zoo.recsys import HistoryPreprocessor, Evaluation, top_k
preprocessor = HistoryPreprocessor.learn([["tea", "cup"], ["cup", "pot", "tea"]], length=50)
preprocessor([["tea", "new thing"]])          # {"items": [[0, ..., 0, 1]]}: unknown ids are skipped
numbers, scores = top_k(vectors, table, k=10) # the best of a million items, by blocks
"""

from attention_zoo.recsys.answers import Recommendation, Suggestion
from attention_zoo.recsys.baselines import ItemKNN, Markov, Popularity
from attention_zoo.recsys.faiss_index import FaissIndex
from attention_zoo.recsys.features import ItemFeatures
from attention_zoo.recsys.histories import Histories
from attention_zoo.recsys.ids import Id, ItemIndex, as_id
from attention_zoo.recsys.metrics import Evaluation, measures, ranks
from attention_zoo.recsys.preprocessor import Encoded, HistoryPreprocessor
from attention_zoo.recsys.recommending import (
    Limits,
    allowed_numbers,
    in_two_steps,
    popular,
    recommend,
    similar,
    suggestions,
)
from attention_zoo.recsys.retrieval import Blocks, check_k, top_k, top_scores
from attention_zoo.recsys.rows import as_histories, parse_history

__all__ = [
    "Blocks",
    "Encoded",
    "Evaluation",
    "FaissIndex",
    "Histories",
    "HistoryPreprocessor",
    "Id",
    "ItemFeatures",
    "ItemIndex",
    "ItemKNN",
    "Limits",
    "Markov",
    "Popularity",
    "Recommendation",
    "Suggestion",
    "allowed_numbers",
    "as_histories",
    "as_id",
    "check_k",
    "in_two_steps",
    "measures",
    "parse_history",
    "popular",
    "ranks",
    "recommend",
    "similar",
    "suggestions",
    "top_k",
    "top_scores",
]

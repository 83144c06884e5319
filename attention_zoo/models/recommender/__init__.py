"""Recommend what comes next after what somebody chose.

recommender = Recommender.new()
recommender.fit("interactions.csv")                           # columns user, item, time
recommender.recommend([["tea", "cup"], ["pot"]], k=5)         # [Recommendation(suggestions=(...), cold=False, ...)]
recommender.similar_items("tea")
recommender.explain(["tea", "cup"]).save("why.png")           # which past items moved the recommendation
"""

from attention_zoo.models.recommender.config import NETWORKS, RecommenderConfig
from attention_zoo.models.recommender.network import build_network, training_network
from attention_zoo.models.recommender.task import Recommender

__all__ = ["NETWORKS", "Recommender", "RecommenderConfig", "build_network", "training_network"]

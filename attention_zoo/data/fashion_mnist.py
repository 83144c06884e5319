"""Fashion-MNIST: 28 x 28 grey images of ten kinds of clothing.

Train (60,000) and test (10,000) are the official splits. There is no official validation split: val is 5,000 of the
official train images, 500 of each label, drawn by `hold_out(train, 1 / 12, seed=0)`; train has the other 55,000.
"""

from attention_zoo.data.idx import IdxImages
from attention_zoo.data.real_set import RealSet, github

LABELS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_COMMIT = "b2617bb6d3ffa2e429640350f613e3291e10b141"


def _published(name: str, sha256: str):
    return github("zalandoresearch/fashion-mnist", _COMMIT, f"data/fashion/{name}.gz", sha256)


SET = RealSet(
    name="fashion_mnist",
    form=IdxImages(LABELS, files={"train": "train", "test": "t10k"}, share=1 / 12),
    remote=(
        _published("train-images-idx3-ubyte", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        _published("train-labels-idx1-ubyte", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        _published("t10k-images-idx3-ubyte", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        _published("t10k-labels-idx1-ubyte", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    sha256="88d94b05c0fe8763af8e9674080bf6416cad470a9350c65a3ca71f064c2b4402",
    licence="MIT",
    permissive=True,
    source="https://github.com/zalandoresearch/fashion-mnist",
    citation="Xiao, Rasul, Vollgraf 2017, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning "
    "Algorithms, arXiv:1708.07747",
    raw="image",
    labels=LABELS,
)

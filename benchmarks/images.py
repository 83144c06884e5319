"""Time our image networks against others of like size: pictures a second, training and prediction.

    KERAS_BACKEND=torch python benchmarks/images.py            # also against Hugging Face transformers, where installed

Peers are built with new weights for the same 28 x 28 grey pictures and ten labels, with widths that bring their
parameters near ours: on torch ResNet, MobileViT and ViT of transformers, on every backend MobileNetV3 of
keras.applications and ResNet and ViT of keras-hub (where installed). Peers of convolutions begin with a stride of 4,
made for pictures of 224 pixels, and so compute a tenth of what a network does that looks at 28 x 28 pixels one by
one: each is compared with ours with the same stem ("strided"), and with ours as it is used for such pictures. Prints
ratios (over 1: ours is faster) and writes benchmarks/results/images.json. ONNX: our exported network by onnxruntime.
Run it on an idle machine.
"""

import argparse
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

import harness
import numpy as np

SIZE, LABELS, BATCH = 28, 10, 128
PICTURES = {"height": SIZE, "width": SIZE, "channels": 1}
RESNET = {"network": "resnet", "widths": (32, 64, 128), "depths": (2, 2, 2), "attention": "squeeze_excite"}
VIT = {"network": "vit", "patch": 4, "widths": (128,), "depths": (4,), "heads": 4, "feed_forward": 2.0}
HYBRID = {"network": "hybrid", "widths": (32, 64, 128), "depths": (2, 2, 2), "gate": "squeeze_excite"}
STEM = {"stem": "large"}  # a convolution of stride 2 and a pooling of stride 2
OURS = {
    "resnet": RESNET,
    "resnet, strided": {**RESNET, **STEM},
    "vit": VIT,
    "hybrid": HYBRID,
    "hybrid, strided": {**HYBRID, **STEM},
}
# Which of ours each peer is like, the nearest first.
LIKE = {
    "transformers ResNet": ("resnet, strided", "resnet"),
    "transformers ViT": ("vit",),
    "transformers MobileViT": ("hybrid, strided", "hybrid"),
    "keras.applications MobileNetV3Small": ("hybrid, strided", "hybrid"),
    "keras-hub ResNet": ("resnet, strided", "resnet"),
    "keras-hub ViT": ("vit",),
}


def data() -> tuple[np.ndarray, np.ndarray]:
    """Make a batch of noise with labels."""
    generator = np.random.default_rng(0)
    pixels = generator.uniform(size=(BATCH, SIZE, SIZE, 1)).astype("float32")
    return pixels, generator.integers(0, LABELS, BATCH).astype("int32")


def of_keras(model) -> tuple[int, Callable, Callable]:
    """Return parameters, prediction and training step of a Keras model."""
    import keras

    pixels, truth = data()
    wanted = (*model.inputs[0].shape[1:],)
    pixels = np.broadcast_to(pixels, (BATCH, SIZE, SIZE, wanted[-1])) if wanted[-1] != 1 else pixels
    if wanted[0] not in (None, SIZE):
        pixels = np.pad(pixels, [(0, 0), *[(0, wanted[0] - SIZE)] * 2, (0, 0)])
    pixels = np.ascontiguousarray(pixels)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss, jit_compile="auto" if keras.backend.backend() == "jax" else False)
    return (
        model.count_params(),
        lambda: model.predict_on_batch(pixels),
        lambda: model.train_on_batch(pixels, truth),
    )


def ours(name: str):
    """Build one of our networks."""
    from attention_zoo.models.image_classifier import ImageClassifier

    labels = [str(number) for number in range(LABELS)]
    return ImageClassifier.new(labels, **PICTURES, **OURS[name]).model


def keras_peers() -> dict[str, Callable]:
    """Return what builds the peers that are Keras models."""
    import keras

    def mobile():
        inputs = keras.Input((32, 32, 3))
        options = {
            "include_top": False,
            "weights": None,
            "alpha": 0.75,
            "include_preprocessing": False,
            "pooling": "avg",
        }
        body = keras.applications.MobileNetV3Small(input_shape=(32, 32, 3), **options)
        return keras.Model(inputs, keras.layers.Dense(LABELS)(body(inputs)))

    found = {"keras.applications MobileNetV3Small": mobile}
    if importlib.util.find_spec("keras_hub") is None:
        return found

    def headed(backbone):
        output = backbone(backbone.input)
        pooled = keras.layers.GlobalAveragePooling2D()(output) if len(output.shape) == 4 else output[:, 0]
        return keras.Model(backbone.input, keras.layers.Dense(LABELS)(pooled))

    def hub_resnet():
        import keras_hub

        return headed(
            keras_hub.models.ResNetBackbone(
                [64], [3], [64, 96], [2, 2], [1, 2], "basic_block", image_shape=(SIZE, SIZE, 1)
            )
        )

    def hub_vit():
        import keras_hub

        return headed(
            keras_hub.models.ViTBackbone(
                image_shape=(SIZE, SIZE, 1), patch_size=4, num_layers=4, num_heads=4, hidden_dim=128, mlp_dim=256
            )
        )

    return {**found, "keras-hub ResNet": hub_resnet, "keras-hub ViT": hub_vit}


def torch_peers() -> dict[str, Callable]:
    """Return what builds the peers of transformers; none where it is not installed."""
    if importlib.util.find_spec("transformers") is None:
        return {}
    import transformers

    shared = {"num_channels": 1, "num_labels": LABELS}

    def resnet():
        sizes = {"embedding_size": 32, "hidden_sizes": [32, 64, 128], "depths": [2, 2, 2], "layer_type": "basic"}
        return transformers.ResNetForImageClassification(transformers.ResNetConfig(**sizes, **shared))

    def vit():
        sizes = {"image_size": SIZE, "patch_size": 4, "hidden_size": 128, "num_hidden_layers": 4}
        sizes |= {"num_attention_heads": 4, "intermediate_size": 256}
        return transformers.ViTForImageClassification(transformers.ViTConfig(**sizes, **shared))

    def mobile_vit():
        sizes = {"image_size": 32, "patch_size": 2, "hidden_sizes": [48, 64, 80], "num_attention_heads": 4}
        sizes |= {"neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 320], "expand_ratio": 2.0}
        return transformers.MobileViTForImageClassification(transformers.MobileViTConfig(**sizes, **shared))

    return {"transformers ResNet": resnet, "transformers ViT": vit, "transformers MobileViT": mobile_vit}


def of_torch(model) -> tuple[int, Callable, Callable]:
    """Return parameters, prediction and training step of a torch model, as its users write them."""
    import torch

    pixels, truth = data()
    side = 32 if type(model).__name__.startswith("MobileViT") else SIZE
    images = torch.zeros(BATCH, 1, side, side)
    images[:, :, :SIZE, :SIZE] = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    truth = torch.from_numpy(truth).long()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def predict():
        model.eval()
        with torch.inference_mode():
            return model(images).logits.numpy()

    def train():
        model.train()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images).logits, truth)
        loss.backward()
        optimizer.step()
        return loss.item()

    return sum(weight.numel() for weight in model.parameters()), predict, train


def compared(name: str, peer: tuple[int, Callable, Callable], like: str) -> dict:
    """Time one peer against a network of ours."""
    own = of_keras(ours(like))
    predict = harness.compare({"ours": own[1], "peer": peer[1]})
    train = harness.compare({"ours": own[2], "peer": peer[2]})
    return {
        "ours": like,
        "parameters": own[0],
        "peer": name,
        "peer parameters": peer[0],
        "predict images/s": BATCH / predict["ours"],
        "predict ratio": predict["peer"] / predict["ours"],
        "train images/s": BATCH / train["ours"],
        "train ratio": train["peer"] / train["ours"],
    }


def in_onnx() -> list[dict]:
    """Time our networks exported to ONNX."""
    import onnxruntime

    from attention_zoo.export import export_model

    pixels, _ = data()
    rows = []
    for name in OURS:
        model = ours(name)
        probes = [{"pixels": pixels[:2]}, {"pixels": pixels[:3]}]
        with tempfile.TemporaryDirectory() as work:
            export_model(model, Path(work) / "out", probes=probes, formats=["onnx"])
            session = onnxruntime.InferenceSession(str(Path(work) / "out" / "model.onnx"))
            seconds = harness.compare({"onnx": lambda s=session: s.run(["output"], {"pixels": pixels})})["onnx"]
        rows.append({"ours": name, "parameters": model.count_params(), "onnx images/s": BATCH / seconds})
    return rows


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", action="store_true", help="time the exported networks alone")
    options = parser.parse_args()
    import keras

    if options.onnx:
        rows = in_onnx()
        name = "onnx"
    else:
        name = keras.backend.backend()
        peers = {peer: of_keras(make()) for peer, make in keras_peers().items()}
        if name == "torch":
            peers |= {peer: of_torch(make()) for peer, make in torch_peers().items()}
        rows = [compared(peer, made, like) for peer, made in peers.items() for like in LIKE[peer]]
    print(harness.table(rows))
    harness.record("images", name, rows)


if __name__ == "__main__":
    main()

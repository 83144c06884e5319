"""Graft attention into networks of others: does the answer stay, can it be saved, read elsewhere and exported?

    KERAS_BACKEND=torch python benchmarks/graft.py

Random weights, pixels of 64 x 64. For each network: the largest difference of the outputs before training; parameters
added; then, after a step of training and with every graft let through by half, the largest difference between the model
and its saved file read on the other backends, and its ONNX file. Prints the table and writes
benchmarks/results/graft.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

SIZE = 64
HUB_RESNET = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 128, 256, 512],
    "stackwise_num_blocks": [2, 2, 2, 2],
    "stackwise_num_strides": [1, 2, 2, 2],
    "block_type": "basic_block",
}
HUB_VIT = {
    "patch_size": 8,
    "num_layers": 2,
    "hidden_dim": 64,
    "num_heads": 4,
    "intermediate_dim": 128,
    "image_shape": [SIZE, SIZE, 3],
    "position_embedding_shape": [SIZE, SIZE],  # of another size they are resized, differently on each backend
}
CV_RESNET = {
    "stackwise_filters": [64, 128],
    "stackwise_blocks": [2, 2],
    "stackwise_strides": [1, 2],
    "include_rescaling": False,
    "block_type": "basic_block",
}


def resnet50():
    """Make ResNet50 and name the ends of its stages."""
    import keras

    model = keras.applications.ResNet50(weights=None, input_shape=(SIZE, SIZE, 3), classes=10)
    return model, {f"conv{stage}_block{last}_out": "cbam" for stage, last in ((2, 3), (3, 4), (4, 6), (5, 3))}


def mobilenet():
    """Make MobileNetV3Small and name its residual sums."""
    import keras

    model = keras.applications.MobileNetV3Small((SIZE, SIZE, 3), weights=None, classes=10, include_preprocessing=False)
    return model, {"expanded_conv*_add": "eca"}


def hub_resnet():
    """Make a ResNet18 of keras-hub and name the ends of its stages."""
    from attention_zoo.interop import keras_hub_backbone

    return keras_hub_backbone(("ResNetBackbone", HUB_RESNET), seed=0), {"stack?_block1_out": "cbam"}


def hub_vit():
    """Make a vision transformer of keras-hub (DINOv2) and name its last norm."""
    from attention_zoo.interop import keras_hub_backbone

    return keras_hub_backbone(("DINOV2Backbone", HUB_VIT), seed=0), {"layernorm": "self_attention"}


def cv_resnet():
    """Make a small ResNet of keras-cv and name the ends of its stages."""
    from attention_zoo.interop import keras_cv_backbone

    return keras_cv_backbone(("ResNetBackbone", CV_RESNET), seed=0), {"v2_stack_?_block2_out": "squeeze_excite"}


CASES = {
    "keras.applications ResNet50 + cbam": resnet50,
    "keras.applications MobileNetV3Small + eca": mobilenet,
    "keras-hub ResNet18 + cbam": hub_resnet,
    "keras-hub DINOv2 + self_attention": hub_vit,
    "keras-cv ResNet + squeeze_excite": cv_resnet,
}
# Reads the saved model in a process of its own, on another backend, and says how far its answer is.
READER = """
import sys
import keras, numpy as np
import attention_zoo.interop
for module in sys.argv[3:]:
    __import__(module)
model = keras.saving.load_model(sys.argv[1], compile=False)
held = np.load(sys.argv[2])
print("difference", float(np.abs(model.predict(held["pixels"], verbose=0) - held["wanted"]).max()))
"""


def pixels(count: int):
    """Make `count` images."""
    import numpy as np

    return np.random.default_rng(count).random((count, SIZE, SIZE, 3)).astype("float32")


def measure(name: str) -> dict:
    """Graft into one network and measure all that the table says of it."""
    import keras
    import numpy as np

    from attention_zoo.interop import graft

    keras.utils.set_random_seed(0)
    model, places = CASES[name]()
    plain = model.predict(pixels(2), verbose=0)
    grafted = graft(model, places, seed=1)
    at_first = np.abs(grafted.predict(pixels(2), verbose=0) - plain).max()
    grafted.compile(keras.optimizers.SGD(1e-3), "mse")
    grafted.train_on_batch(pixels(2), np.zeros_like(plain))
    for layer in grafted.layers:
        if layer.name.endswith("_graft"):
            layer.strength.assign(np.full(layer.strength.shape, 0.5))  # so that what follows depends on the attention
    row = {
        "network": name,
        "grafts": sum(layer.name.endswith("_graft") for layer in grafted.layers),
        "largest output": float(np.abs(plain).max()),
        "difference before training": float(at_first),
        "parameters": model.count_params(),
        "parameters added": grafted.count_params() - model.count_params(),
    }
    with tempfile.TemporaryDirectory() as folder:
        row["largest output with attention"], row["read on"] = elsewhere(grafted, Path(folder))
        row["onnx difference"] = exported(grafted, Path(folder) / "out")
    return row


def elsewhere(grafted, folder: Path) -> tuple[float, dict[str, float]]:
    """Save the model and return its largest output, and how far the answers of the other backends are from it."""
    import keras
    import numpy as np

    wanted = grafted.predict(pixels(3), verbose=0)
    grafted.save(folder / "model.keras")
    np.savez(folder / "probe.npz", pixels=pixels(3), wanted=wanted)
    modules = {type(layer).__module__.split(".")[0] for layer in grafted._flatten_layers()} & {"keras_hub", "keras_cv"}
    distances = {}
    for backend in ("tensorflow", "jax", "torch"):
        if backend == keras.config.backend():
            continue
        command = [sys.executable, "-W", "ignore", "-c", READER, folder / "model.keras", folder / "probe.npz", *modules]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": backend}, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{backend} cannot read the saved model: {done.stderr.strip().splitlines()[-1]}")
        distances[backend] = float(done.stdout.split("difference ")[-1])
    return float(np.abs(wanted).max()), distances


def exported(grafted, folder: Path) -> float:
    """Export the model to ONNX and return how far the file's answer is, see `attention_zoo.export.verify.compare`."""
    from attention_zoo.export import export_model

    (name,) = [tensor.name for tensor in grafted.inputs]
    sizes = ((2, SIZE), (3, SIZE + 32))
    probes = [{name: pixels(count)} for count, _ in sizes]
    if None in grafted.inputs[0].shape[1:3]:
        import numpy as np

        probes[1] = {name: np.pad(probes[1][name], ((0, 0), (0, 32), (0, 32), (0, 0)))}
    return export_model(grafted, folder, probes=probes, formats=["onnx"], timeout=3600).differences["onnx"]


def table(rows: list[dict]) -> str:
    """Write the rows as Markdown."""
    lines = [
        "| network | grafts | before training | parameters added | saved and read on | ONNX |",
        "|--|--|--|--|--|--|",
    ]
    for row in rows:
        read = ", ".join(f"{backend} {difference:.1e}" for backend, difference in row["read on"].items())
        lines.append(
            f"| {row['network']} | {row['grafts']} | {row['difference before training']:.1e} | "
            f"{row['parameters added']:,} of {row['parameters']:,} | {read} | {row['onnx difference']:.1e} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure every network, print the table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure only networks with this in their name, and keep nothing")
    options = parser.parse_args()
    import keras

    rows = []
    for name in CASES:
        if options.only in name:
            rows.append(measure(name))
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))
    if not options.only:
        harness.record("graft", keras.config.backend(), rows)


if __name__ == "__main__":
    main()

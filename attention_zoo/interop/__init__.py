"""The zoo among others: attention grafted into any model, and the backbones of keras-hub and keras-cv as encoders."""

from attention_zoo.interop.backbones import check_spec, to_spec
from attention_zoo.interop.encoder import BackboneEncoder, encode_image, encode_text
from attention_zoo.interop.graft import graft
from attention_zoo.interop.grafted import Grafted
from attention_zoo.interop.keras_cv import keras_cv_backbone
from attention_zoo.interop.keras_hub import keras_hub_backbone, pixel_statistics, preset_spec
from attention_zoo.interop.samplers import SampledGenerator

__all__ = [
    "BackboneEncoder",
    "Grafted",
    "SampledGenerator",
    "check_spec",
    "encode_image",
    "encode_text",
    "graft",
    "keras_cv_backbone",
    "keras_hub_backbone",
    "pixel_statistics",
    "preset_spec",
    "to_spec",
]

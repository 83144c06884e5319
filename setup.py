"""Put the recipes into the wheel, as `attention_zoo/recipes`: `attention-zoo train` runs them."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["attention_zoo*"]), "attention_zoo.recipes"],
    package_dir={"attention_zoo.recipes": "recipes"},
)

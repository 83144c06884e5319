"""Presets: folders that hold a model, its card and nothing that runs.

`card` says what a preset is and proves that its files are whole, `shelf` finds the folder for a name, a path or an
address, `weights` stores arrays. None of them imports Keras.
"""

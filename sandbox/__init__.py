"""AWS on a laptop: the emulator MiniStack, and what it lacks to run Crossfade unchanged.

`python -m sandbox` starts it; `python -m sandbox push FOLDER --tag TAG` makes an image from a folder.
"""

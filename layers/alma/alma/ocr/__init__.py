"""The vision track: the words of a page image.

PP-OCRv6 on onnxruntime, with everything around the networks in numpy and Pillow: a Lambda package has no
room for OpenCV. One page goes through `image` (any Pillow mode to RGB of a bounded size), `detection` (where
lines stand), `orientation` (which way is up), `line_reader` (what they say), `word_boxes` (where their words
stand), `line_order` (which of them form one line) and `spelling`; `page_reader` is the only one that knows
the others.
"""

from alma.ocr.page_reader import Recognizer

__all__ = ["Recognizer"]

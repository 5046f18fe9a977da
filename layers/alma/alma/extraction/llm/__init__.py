"""The hosted track: what a language model says of a document, as far as it stands on the document's pages.

The model is shown the words and asked for the fields (`question`). Its answer is a hint where to look, never
a value: `grounding` looks for the words that say the same, and the value is cut out of those. What is nowhere
on the pages is dropped. So a page that gives the model orders can at most make it point at other words of
that page, and where these are not what alma reads itself, a person is asked (`merging`).
"""

#: Name of the track in readings; not a `Track`, since it brings no words of its own.
TRACK = "hosted"

"""The candidates of each track, with their features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from alma.datamodel.pages import Track
from alma.datamodel.schemas import DocumentSchema, FieldSchema
from alma.extraction.candidates.generation import Candidate, CandidateSet, candidates
from alma.extraction.page.layout import Layout
from alma.extraction.scoring.features import matrix
from alma.extraction.scoring.span_features import TrackPages
from alma.extraction.values.locales import Locale, locale_of
from alma.extraction.values.text import comparison_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Pages whose dates and amounts decide the locale.
LOCALE_PAGES = 20


class TrackCandidates:
    """The candidates of one track.

    Parameters
    ----------
    found : CandidateSet
        Its candidates.
    pages : TrackPages
        Its pages.
    others : mapping
        By key of a field, the candidates of the other tracks by `comparison_key`.
    locale : Locale
        How ambiguous dates and amounts were read.
    """

    def __init__(
        self,
        found: CandidateSet,
        pages: TrackPages,
        others: Mapping[str, Mapping[str, Sequence[Candidate]]],
        locale: Locale,
    ) -> None:
        self.locale = locale
        """How its ambiguous dates and amounts were read."""
        self.by_field = found.by_field
        """Candidates of each field, in the order of the document."""
        self.vision = pages.vision
        """Their words were recognised."""
        self._in_label, self._pages, self._others = found.in_label, pages, others
        self._features: dict[str, tuple[NDArray[np.float32], NDArray[np.int32]]] = {}

    def features(self, field: FieldSchema) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return the features of the candidates of a field as `matrix` does, computed once."""
        known = self._features.get(field.key)
        if known is None:
            known = self._features[field.key] = matrix(
                field, self.by_field[field.key], self._pages, self._others[field.key], self._in_label
            )
        return known


def candidates_by_track(
    tracks: Mapping[str, Sequence[Layout]], schema: DocumentSchema
) -> dict[str, TrackCandidates]:
    """Return the candidates of each track for the fields of a type."""
    found: dict[str, CandidateSet] = {}
    locales: dict[str, Locale] = {}
    for track, layouts in tracks.items():
        locales[track] = locale_of(layout.running_text()[0] for layout in layouts[:LOCALE_PAGES])
        found[track] = candidates(layouts, schema, locales[track])
    result = {}
    for track, layouts in tracks.items():
        others: dict[str, dict[str, list[Candidate]]] = {f.key: defaultdict(list) for f in schema.fields}
        for other, of_other in found.items():
            if other != track:
                for key, each in of_other.by_field.items():
                    for candidate in each:
                        others[key][comparison_key(candidate.value)].append(candidate)
        pages = TrackPages(layouts, vision=track == Track.VISION)
        result[track] = TrackCandidates(found[track], pages, others, locales[track])
    return result

"""A scorer in a process of its own: how an organisation's model is run, wherever it was trained.

It cannot see this process's memory, files or credentials, has a memory limit, and every call a deadline
(`alma.extraction.sandbox.worker` is the other side).
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from alma.extraction.sandbox.contract import MOST_MEMBERS, ContractError, wrong_outputs
from alma.extraction.scoring.features import BUCKETS, DENSE, TOKENS
from alma.extraction.scoring.scorer import Scorer
from alma.sandbox import Child, ChildDiedError, ChildLateError
from alma.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Time to start the process, to check the file where that is asked for, and to open it.
START_SECONDS = 20
#: Log-odds beyond any that a probability has.
MOST_LOGIT = 1e6
_MAX_ANSWER = 4 * 2**20

_log = logging.getLogger(__name__)


class ModelFailedError(Exception):
    """A model cannot be run; its process has ended."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        """Slug: one of `alma.extraction.sandbox.contract`, or `model_too_slow`, `model_too_large_in_memory`,
        `model_crashed`."""
        self.detail = detail
        """One sentence."""


class GuardedScorer(Scorer):
    """A scorer of an organisation's own; one call at a time.

    Parameters
    ----------
    model : bytes
        An ONNX file.
    settings : Settings
        Its memory and the seconds of a call.
    contract : dict, optional
        `doc_type` and `keys` of its fields, to have the file checked before anything of it runs; needs the
        package `onnx`.
    start_seconds : int
        Time to start its process and to open the file.

    Raises
    ------
    ModelFailedError
        It is not a scorer, or cannot be opened.
    """

    def __init__(
        self,
        model: bytes,
        settings: Settings,
        *,
        contract: dict[str, Any] | None = None,
        start_seconds: int = START_SECONDS,
    ) -> None:
        memory = settings.model_memory_mb * 2**20
        self._seconds = settings.model_seconds
        self._lock = threading.Lock()
        # Libraries that begin as many threads as there are cores would use up the memory with their stacks.
        self._child = Child(
            "alma.extraction.sandbox.worker",
            memory=memory,
            environment={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        order = {
            "memory": memory,
            "seconds": start_seconds,
            "bytes": len(model),
            "contract": contract,
        }
        with self._watched("opened", start_seconds) as until:
            self._child.send(json.dumps(order).encode() + b"\n", until)
            self._child.send(model, until)
            answer = self._answer(until)
            self.card: dict[str, Any] | None = answer["card"]
            """What the file is made of, if it was checked."""
            try:
                self._describe(answer["about"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ModelFailedError("wrong_features", f"It cannot be used: {error}.") from None

    @property
    def alive(self) -> bool:
        """Its process has not ended."""
        return self._child.alive

    @property
    def peak_memory(self) -> int:
        """Bytes its process took; known once it has ended."""
        return self._child.peak_memory

    def close(self) -> None:
        """End its process; safe to call twice."""
        self._child.end()

    def try_out(self, rows: int) -> None:
        """Run it on made-up candidates, fields it does not know included.

        Raises
        ------
        ModelFailedError
            It fails on them, or answers what no scorer answers.
        """
        import numpy as np

        random = np.random.default_rng(rows)
        self._logits(
            *self._inputs.of_model(
                random.standard_normal((rows, len(DENSE)), np.float32),
                random.integers(0, BUCKETS, (rows, TOKENS), np.int32),
            ),
            np.arange(rows, dtype=np.int64) % (len(self.about["fields"]) + 1),
        )

    def _logits(
        self, dense: NDArray[np.float32], tokens: NDArray[np.int32], field: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        import numpy as np

        rows = len(dense)
        with self._lock, self._watched("run", self._seconds) as until:
            shape = {"rows": rows, "dense": dense.shape[1], "tokens": tokens.shape[1]}
            self._child.send(json.dumps(shape).encode() + b"\n", until)
            for array, kind in ((dense, np.float32), (tokens, np.int32), (field, np.int64)):
                self._child.send(np.ascontiguousarray(array, kind).data.cast("B"), until)
            members = self._answer(until).get("members")
            # Whatever the process has become, it is believed nothing that was not looked at here.
            if type(members) is not int or not 1 <= members <= MOST_MEMBERS:
                raise _failed(wrong_outputs())
            data = self._child.exactly(rows * members * 4, until)
            logits = np.frombuffer(data, np.float32).reshape(rows, members)
            # Also not what is so large that the sum of some is not finite.
            if not (np.abs(logits) < MOST_LOGIT).all():
                raise _failed(wrong_outputs())
            return logits

    def _answer(self, until: float) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._child.line(until, _MAX_ANSWER))
        error = answer.get("error")
        if error is not None:
            code = str(error["code"])[:64]
            raise ModelFailedError(code, str(error["detail"])[:2000] or _sentence(code))
        return answer

    @contextlib.contextmanager
    def _watched(self, what: str, seconds: int) -> Iterator[float]:
        """Give the time until when an answer has to be there; whatever goes wrong ends the process."""
        try:
            yield time.monotonic() + seconds
        except ChildLateError:
            self.close()
            raise ModelFailedError(
                "model_too_slow", f"It could not be {what} within {seconds} seconds; make it smaller."
            ) from None
        except ChildDiedError as death:
            _log.warning("a model ended its process with status %d", death.status)
            code = "model_too_large_in_memory" if death.bloated else "model_crashed"
            raise ModelFailedError(code, _sentence(code)) from None
        except BaseException:
            self.close()
            raise


def _failed(refusal: ContractError) -> ModelFailedError:
    return ModelFailedError(refusal.code, refusal.detail)


def _sentence(code: str) -> str:
    if code == "model_too_large_in_memory":
        return "It needs more memory than a model may use; make it smaller."
    return "It brought its process down; run it with ONNX Runtime on your own machine to see why."

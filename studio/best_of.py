"""Best of N: several seeds for the same place and scores, ranked by how well the nodules obey."""

from __future__ import annotations

from PySide6.QtCore import QObject

from engine.events import GenerationResult
from engine.score_reading import distance_from_request
from studio import commands
from studio.history import History
from studio.placed import PlacedNodule
from studio.queue import JobQueue
from studio.queue_runs import QueueRuns
from studio.reasons import why_not_rank
from studio.rebasing import rebased
from studio.session import Session


class BestOf(QObject):
    """Queues the seeds; once all have ended, ranks what was made, shows the best one and says how near it came.

    Each run is ranked when its own seeds have ended. What was cancelled or failed is left out.
    """

    def __init__(self, session: Session, queue: JobQueue, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._queue = queue
        self._history = history
        self._runs = QueueRuns(session, queue, self)

    def start(self) -> None:
        """Queue the nodule that the session describes with several seeds; or say why not."""
        why = why_not_rank(self._session)
        if why:
            self._session.say(why)
            return
        self._runs.begin(self._queue.try_seeds(), self._rank)

    def _rank(self, made: list[PlacedNodule]) -> None:
        ranked = sorted(made, key=lambda nodule: _distance(nodule.result))
        if ranked:
            self._show(ranked)

    def _show(self, ranked: list[PlacedNodule]) -> None:
        """List the results, best first, and show the best one in the slice if nothing else has taken its place."""
        session, best = self._session, ranked[0]
        paths = [self._history.path_of(nodule.result) for nodule in ranked]
        if self._is_free_for(best, ranked):
            commands.show_candidate(session, best)
        session.ranking = tuple(path.name for path in paths if path)
        session.say(ranking_text(ranked))

    def _is_free_for(self, nodule: PlacedNodule, ranked: list[PlacedNodule]) -> bool:
        session, shown = self._session, self._session.nodule_in_box
        is_ours = shown is None or (shown is session.candidate and any(shown.result is its.result for its in ranked))
        now = session.slice_with_accepted(nodule.slice_index)
        is_there = session.box == nodule.place and session.job is None and now is not None
        return is_ours and is_there and now is not None and rebased(nodule.result, now) is nodule.result


def _distance(result: GenerationResult) -> float:
    """How far off a result is; one of which nothing could be read comes last."""
    distance = distance_from_request(result.request.attributes, result.measurement.scores)
    return float("inf") if distance is None else distance


def ranking_text(ranked: list[PlacedNodule]) -> str:
    """Return which seed is the best one, and how far off it is, in one sentence."""
    best, distance = ranked[0].result, _distance(ranked[0].result)
    if distance == float("inf"):
        return "No scores could be read from any of these nodules, so that they are not ranked."
    seed = best.request.options.seed
    return (
        f"Best of {len(ranked)}: seed {seed}, whose scores read back are {distance:.1f} off on average; "
        "the history lists them, the best one first."
    )

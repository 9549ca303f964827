"""A run that has ended and is called again in the same words: its results are read, no network is tested twice."""

import json
import logging

from keras_equivariant.equivariance.report import Report
from keras_equivariant.training.results import TrainResult
from keras_equivariant.training.run_folder import read_json, versions, write_json
from keras_equivariant.utils.keras_files import load_model
from keras_equivariant.utils.provenance import UNKNOWN

TESTED = "tested.json"
_OF_A_NETWORK = ("summary.json", "model.keras", "log.csv")

log = logging.getLogger("keras_equivariant.training")


class Finished:
    """What a call of `train` asks for, and the note of it that an ended run leaves in its folder.

    Args:
        jobs: of the networks, each with `network`, `folder` and `settings`.
        data_sha256: the hash of the data.
        tests: dict of the arguments that say how networks are tested and exported.
    """

    def __init__(self, jobs, data_sha256, tests):
        self._jobs, self._path = jobs, jobs[0].folder / TESTED
        settings = [{**job.settings, "distribute": None} for job in jobs]  # the result is the same
        asked = {"settings": settings, "data_sha256": data_sha256, **tests, "versions": versions()}
        self._asked = json.loads(json.dumps(asked))

    def results(self):
        """The `TrainResult` of each network where the folder holds just what is asked for, else None.

        Data that stay on disk, and so have no hash, may be others by now; a network that was built before the call is
        trained in place.
        """
        if not self._path.is_file() or self._asked["data_sha256"] == UNKNOWN:
            return None
        found, first = read_json(self._path, "asked", "scores", "score_by_angle"), self._jobs[0].folder
        needed = [job.folder / name for job in self._jobs for name in _OF_A_NETWORK] + [first / "report.html"]
        built = any(not job.network.spec_text for job in self._jobs)
        if found["asked"] != self._asked or built or not all(path.is_file() for path in needed):
            return None
        exported = read_json(first / "summary.json").get("export") or []
        if not all((first / "export" / name).exists() for name in exported):
            return None
        log.info("%s has ended: its results are read, not measured again.", first.path)
        return [self._result(i, job, found) for i, job in enumerate(self._jobs)]

    def _result(self, number, job, found):
        folder = job.folder
        by_angle = {float(angle): score for angle, score in found["score_by_angle"][number].items()}
        report = Report.load(folder / "certificate.json") if (folder / "certificate.json").is_file() else None
        summary, model = read_json(folder / "summary.json"), load_model(folder / "model.keras")
        return TrainResult(
            folder.path, model, folder.history(), found["scores"][number], by_angle, report, None, summary
        )

    def forget(self):
        """Take the note away before anything in the folder changes."""
        self._path.unlink(missing_ok=True)

    def note(self, results):
        """Write the note, when all else is written; `results` are those of the networks, in the order of the jobs."""
        scores = [result.scores for result in results]
        by_angle = [{str(angle): score for angle, score in result.score_by_angle.items()} for result in results]
        write_json(self._path, {"asked": self._asked, "scores": scores, "score_by_angle": by_angle})

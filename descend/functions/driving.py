"""Drives by a driver that was learned: read from a run, told in figures, filmed."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from descend.errors import MissingExtra, RunError, UsageError
from descend.functions.answers import known_options
from descend.functions.data import Data
from descend.functions.driver import Drive, Driver
from descend.functions.environments import TASKS, Driven, Steer, drive, opened, simulated

FIRST_EXAMINED = 10_000
"""The seeds of the drives that a descent ends with begin here: none of them is one that a person looks at."""
FILMS = (".mp4", ".gif")


def at_the_wheel(driver: Driver) -> Steer:
    """Return a driver for one drive, who remembers what it has seen of it."""
    memory = driver.begin(1)

    @torch.no_grad()
    def steer(seen: Tensor, environment: Any) -> float:
        nonlocal memory
        steering, memory = driver(seen[None].to(memory.device), memory)
        return float(steering)

    return steer


@dataclass(frozen=True)
class DrivingReader:
    """Reads a seed, and answers with a drive.

    Attributes:
        road: ``lane-keeping`` or ``racetrack``.
        width: of the driver.
    """

    road: str
    width: int

    kind: ClassVar[str] = "driving"

    def to_json(self) -> dict[str, Any]:
        """Return everything needed to rebuild it, as JSON values."""
        return {"kind": self.kind, **vars(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "DrivingReader":
        """Rebuild it."""
        if saved["road"] not in TASKS:
            raise ValueError(f"the road {saved['road']!r}")
        return cls(saved["road"], int(saved["width"]))

    def model(self) -> Drive:
        """Build the function afresh: starts and chance → drives."""
        return Drive(Driver(self.road, self.width), simulated(self.road))

    def predict(self, model: nn.Module, source: str | Path, **options: Any) -> list[dict[str, Any]]:
        """Drive once.

        Args:
            model: the function, trained.
            source: the seed of the environment, a whole number of at least 0.
            options: ``laps`` to drive (1).

        Raises:
            UsageError: where the source is no seed, or an option is not known.
        """
        laps = int(known_options(options, laps=1)["laps"])
        if not str(source).isdecimal():
            do = "see also descend drive RUN --video out.mp4"
            raise UsageError("a seed to drive from, such as 7", repr(str(source)), do)
        return [asdict(one) for one in self.drives(model, [int(str(source))], laps)]

    def drives(
        self, model: nn.Module, seeds: Iterable[int], laps: int = 1, film: "Film | None" = None
    ) -> Iterator[Driven]:
        """Drive in the environment, once for each seed.

        Args:
            model: the function, trained.
            seeds: of the environment.
            laps: in each drive; the lane that is to be kept has an end, and is one lap.
            film: takes pictures.
        """
        assert isinstance(model, Drive)
        environment = opened(self.road)
        try:
            for seed in seeds:
                if film is not None:
                    film.of(environment)
                yield drive(environment, seed, at_the_wheel(model.driver), laps, film=film)
        finally:
            environment.close()

    def figures(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Drive in the environment, as often as there are starts in ``data``; return what came of it."""
        return summary(list(self.drives(model, range(FIRST_EXAMINED, FIRST_EXAMINED + len(data)))))


def summary(drives: list[Driven]) -> dict[str, float]:
    """Return of several drives the share that left the road, the laps, the mean reward and distance."""
    return {
        "left-the-road": fmean(one.left for one in drives),
        "laps": float(sum(one.laps for one in drives)),
        "reward": fmean(one.reward for one in drives),
        "lateral-error-driven(m)": fmean(one.error**2 for one in drives) ** 0.5,
    }


class Film:
    """A film of drives, in the time that they take.

    Args:
        path: a file that ends in ``.mp4`` or ``.gif``.

    Raises:
        UsageError: where it ends in something else, or its folder does not exist.
        MissingExtra: where imageio is not installed.
        RunError: where the environment cannot be drawn, or the film not be written.
    """

    frames_per_sec = 0
    """Set by the environment, at twice the speed of its time."""

    def __init__(self, path: Path):
        if path.suffix.lower() not in FILMS:
            raise UsageError(f"a film's name, ending in {' or '.join(FILMS)}", str(path), "choose out.mp4")
        if path.is_dir() or not path.parent.is_dir():
            came = f"the folder {path}" if path.is_dir() else f"{path}, whose folder does not exist"
            raise UsageError("a file for the film", came, "choose another one, such as out.mp4")
        try:
            import imageio.v2
            import imageio_ffmpeg  # noqa: F401 - what imageio writes films with
        except ImportError:
            raise MissingExtra("imageio[ffmpeg]", "driving", "films") from None
        self.path, self._open = path, imageio.v2.get_writer
        self._writer: Any = None
        self._environment: Any = None

    def of(self, environment: Any) -> None:
        """Film this environment from now on."""
        self._environment = environment
        environment.render_mode = "rgb_array"
        environment.set_record_video_wrapper(self)  # it is then told of the moments between steerings too

    def _capture_frame(self) -> None:
        self.take()

    def take(self) -> None:
        """Take a picture."""
        environment = self._environment
        try:
            picture = environment.render()
            if not environment.viewer.enabled:  # SDL's driver is "dummy", but drawing needs none
                environment.viewer.enabled = True
                picture = environment.render()
            if self._writer is None:
                rate = environment.config["simulation_frequency"]
                gif = {"mode": "I", "duration": 1000 / rate, "loop": 0}
                mp4 = {"fps": rate, "macro_block_size": 2}
                self._writer = self._open(self.path, **(gif if self.path.suffix.lower() == ".gif" else mp4))
            self._writer.append_data(picture)
        except Exception as error:  # pygame, imageio and ffmpeg each have errors of their own
            came = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise RunError(
                f"an environment that can be drawn, and a film at {self.path}",
                f"“{came}”",
                "leave --video out: everything else works without it",
            ) from None

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

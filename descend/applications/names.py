"""The applications: what each is for, and the names that some of them go by. It costs no import of torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Application:
    """One application, as ``descend applications`` lists it.

    Attributes:
        title: what it is for.
        module: its page, in ``descend.applications`` or the module that makes the problem.
        train: the command that trains it.
        data: what those are.
        use: what its run is used with afterwards.
    """

    title: str
    module: str
    train: str
    data: str
    use: str


APPLICATIONS: dict[str, Application] = {
    "language": Application(
        "To write on in the manner of a text",
        "descend.applications.language",
        "descend fit book.txt (or descend fit language)",
        "any text; by default the reference of the language that every Python carries",
        'descend generate RUN --prompt "It was"',
    ),
    "detection": Application(
        "To find objects in pictures, cells under a microscope say, and to count them",
        "descend.applications.detection",
        "descend fit DIR",
        "a folder of pictures with boxes, in Pascal VOC's or COCO's form",
        "descend predict RUN photo.jpg --draw out.png",
    ),
    "segmentation": Application(
        "To tell which pixels of a picture belong to what: nuclei or tissue, and how much of it there is",
        "descend.applications.segmentation",
        "descend fit DIR",
        "a folder of pictures with masks, images/x.png beside masks/x.png or x.png beside x_mask.png",
        "descend predict RUN photo.png --draw out.png",
    ),
    "understanding_text": Application(
        "To understand texts: what a review, a letter or a report amounts to",
        "descend.applications.understanding_text",
        "descend fit reviews.csv --target score (--test FILE where the test has a file of its own)",
        "a table with a column of texts, and others beside it where there are",
        "descend predict RUN new.csv",
    ),
    "driving": Application(
        "To steer a car, and to keep it in its lane",
        "descend.applications.driving",
        "descend fit driving (or descend fit lane-keeping)",
        "none: places to start from, drawn on the roads of highway-env",
        "descend drive RUN --video out.mp4",
    ),
    "tables": Application(
        "To predict a column of a table from the others: a price, a diagnosis, who leaves",
        "descend.applications.tables",
        "descend fit table.csv --target COLUMN",
        "any table, a CSV or Parquet file: numbers, categories, dates, texts, and gaps in all of them",
        "descend predict RUN new.csv",
    ),
    "curves": Application(
        "To find the parameters of a formula from measurements, and how sure they are",
        "descend.applications.curves",
        "descend fit table.csv --model 'y = a*exp(-b*x) + c' [--start a=1,b=2]",
        "a table with a row a measurement",
        "descend predict RUN new.csv",
    ),
    "recommendation": Application(
        "To tell what somebody will think of things, and to recommend what they have not had",
        "descend.applications.recommendation",
        "descend fit ratings.csv --user WHO --item WHAT [--target RATING]",
        "a table with a row a rating or a choice; with times and what is known of the items, if there are",
        "descend recommend RUN --user NAME",
    ),
}
"""By the names of their pages."""

BUILT_IN = {
    "language": "applications.language:language_problem",
    "driving": "applications.driving:driving_problem",
    "lane-keeping": "applications.driving:lane_keeping_problem",
}
"""What needs no file: the names that ``descend fit`` takes, and what makes their problems."""


def application_name(name: str) -> str | None:
    """Return a built-in application's name as the table spells it, or ``None`` where it is none.

    Example:
        >>> application_name("Language")
        'language'
    """
    spelled = name.strip().lower().replace("_", "-").replace(" ", "-")
    return spelled if spelled in BUILT_IN else None

"""What is meant by the names on a command line."""

from pathlib import Path

import pytest

from enhance_sweep.enhance.finding import find, printable


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())


def found(photos: list[str], out: str | None = "out") -> tuple[dict[str, str], dict[str, str]]:
    tasks, failures = find(photos, None if out is None else Path(out))
    return {str(t.source): str(t.target) for t in tasks}, {failure.name: failure.reason for failure in failures}


def test_folders_keep_their_places_and_other_files_are_left() -> None:
    touch("in/a.jpg", "in/deep/er/b.PNG", "in/notes.txt", "in/.hidden.jpg", "in/.cache/c.jpg")
    assert found(["in"]) == ({"in/a.jpg": "out/a.jpg", "in/deep/er/b.PNG": "out/deep/er/b.PNG"}, {})


def test_patterns_and_files_whatever_they_are_called() -> None:
    touch("in/a.jpg", "in/b.jpg", "in/c.png", "in/photo", "in/[1].jpg")
    assert found(["in/?.jpg"])[0] == {"in/a.jpg": "out/a.jpg", "in/b.jpg": "out/b.jpg"}
    assert found(["in/photo", "in/[1].jpg"])[0] == {"in/photo": "out/photo", "in/[1].jpg": "out/[1].jpg"}
    assert found(["in/*.gif", "gone.jpg"])[1] == {"in/*.gif": "no photograph fits", "gone.jpg": "is not there"}
    assert found(["in/a.jpg", "./in/a.jpg", "in/a.jpg"])[0] == {"in/a.jpg": "out/a.jpg"}


def test_an_empty_folder_is_said() -> None:
    touch("in/notes.txt")
    assert found(["in"])[1]["in"].startswith("contains no photograph")


def test_links_lead_nowhere_out_of_a_folder() -> None:
    touch("in/a.jpg", "secret/b.jpg")
    Path("in/own.jpg").symlink_to("a.jpg")
    Path("in/out.jpg").symlink_to("../secret/b.jpg")
    Path("in/round").symlink_to(".")
    Path("in/gone.jpg").symlink_to("../nowhere.jpg")
    tasks, failures = found(["in"])
    assert list(tasks) == ["in/a.jpg", "in/own.jpg"]
    assert failures == {
        "in/out.jpg": "is a link to a file outside of in: name it itself",
        "in/gone.jpg": "is a link to a file outside of in: name it itself",
        "in/round": "is a link to a folder and not followed: name it itself",
    }
    assert found(["in/out.jpg"])[0] == {"in/out.jpg": "out/out.jpg"}


def test_results_within_the_photographs_are_not_taken_for_photographs() -> None:
    touch("in/a.jpg", "in/out/a.jpg")
    assert found(["in"], "in/out")[0] == {"in/a.jpg": "in/out/a.jpg"}


def test_nothing_replaces_a_photograph_or_another_result() -> None:
    touch("a/x.jpg", "b/x.jpg", "b/y.jpg")
    assert found(["a/x.jpg"], "a")[1] == {"a/x.jpg": "its result would replace it: choose another --out"}
    assert found(["a/x.jpg", "b/x.jpg"], "b")[1]["a/x.jpg"] == "its result would replace b/x.jpg: choose another --out"
    tasks, failures = found(["a/x.jpg", "b/x.jpg", "b/y.jpg"])
    assert list(tasks) == ["a/x.jpg", "b/y.jpg"]
    assert failures == {"b/x.jpg": "its result would replace that of a/x.jpg: rename one"}
    Path("link").symlink_to("b")
    assert "would replace" in found(["b/x.jpg"], "link")[1]["b/x.jpg"]


def test_in_place_follows_links() -> None:
    touch("a/x.jpg")
    Path("link.jpg").symlink_to("a/x.jpg")
    assert found(["link.jpg"], None)[0] == {"link.jpg": str(Path("a/x.jpg").resolve())}


def test_odd_names_stay_on_one_line() -> None:
    assert printable("a\nb\x1b[31m\udcffé") == "a\\nb\\x1b[31m\\udcffé"
